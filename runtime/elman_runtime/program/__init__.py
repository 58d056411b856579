"""Programs: what a stored model computes, as nodes from a closed table (docs/programs.md)."""

from elman_runtime.program.check import MAX_NAME, MAX_SIZE, MAX_TOTAL, checked, infer, shapes
from elman_runtime.program.form import Node, Program, Shape, State, Value
from elman_runtime.program.interpret import Interpreter, evaluate
from elman_runtime.program.kinds import Kind, kind_of, over_time
from elman_runtime.program.ops import OPS, Typed
from elman_runtime.program.reading import MAX_NODES, MAX_STATES, MAX_VALUES, from_json
from elman_runtime.program.runner import NumpyRunner, Runner, check_run, runner

__all__ = [
    "MAX_NAME",
    "MAX_NODES",
    "MAX_SIZE",
    "MAX_STATES",
    "MAX_TOTAL",
    "MAX_VALUES",
    "OPS",
    "Interpreter",
    "Kind",
    "Node",
    "NumpyRunner",
    "Program",
    "Runner",
    "Shape",
    "State",
    "Typed",
    "Value",
    "check_run",
    "checked",
    "evaluate",
    "from_json",
    "infer",
    "kind_of",
    "over_time",
    "runner",
    "shapes",
]
