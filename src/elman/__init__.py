"""Recurrent neural networks: write a recurrence as its equations, train it, run it on a stream."""

from typing import TYPE_CHECKING, Any

from elman import cells, doctor, engine, init, nn, ops, state, testing, trace
from elman.cells import Cell
from elman.doctor import inspect
from elman.nn import accelerate, load, save
from elman.trace import describe

if TYPE_CHECKING:
    from elman.tasks.language import LanguageModel

__version__ = "0.1.0"

__all__ = [
    "Cell",
    "LanguageModel",
    "__version__",
    "accelerate",
    "cells",
    "describe",
    "doctor",
    "engine",
    "init",
    "inspect",
    "load",
    "nn",
    "ops",
    "save",
    "state",
    "testing",
    "trace",
]


def __getattr__(name: str) -> Any:
    # The tasks come with their first use: a layer alone needs none of what they import.
    if name == "LanguageModel":
        from elman.tasks.language import LanguageModel

        return LanguageModel
    raise AttributeError(f"module 'elman' has no attribute {name!r}")
