"""Tapes: a cell's step, and its derivative, as straight-line instructions (docs/tapes.md)."""

from elman_runtime.tape.adjoint import Gradients, backward
from elman_runtime.tape.check import MAX_INSTRUCTIONS, MAX_NAME, MAX_NAMES, checked
from elman_runtime.tape.form import (
    Backward,
    Forward,
    Instruction,
    Operand,
    Place,
    Tape,
    split_gate,
)
from elman_runtime.tape.interpret import Run, Weights, forward, step
from elman_runtime.tape.reading import from_json, from_text
from elman_runtime.tape.vocabulary import CHEAP, OPS

__all__ = [
    "CHEAP",
    "MAX_INSTRUCTIONS",
    "MAX_NAME",
    "MAX_NAMES",
    "OPS",
    "Backward",
    "Forward",
    "Gradients",
    "Instruction",
    "Operand",
    "Place",
    "Run",
    "Tape",
    "Weights",
    "backward",
    "checked",
    "forward",
    "from_json",
    "from_text",
    "split_gate",
    "step",
]
