"""A program of a model, made ready to be fed one observation at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elman_runtime.contents import Array
from elman_runtime.files import StrPath
from elman_runtime.model import Model, load
from elman_runtime.program import (
    Interpreter,
    Kind,
    Program,
    Runner,
    Value,
    kind_of,
    runner,
)
from elman_runtime.snapshot import Origin
from elman_runtime.window import WindowRunner

# What is tried where no program is named: the one made for streams, then the model's own.
_PREFERRED = ("step", "main")
_KEEPING_KIND = ("slice", "reshape", "repeat", "concat")


@dataclass(frozen=True)
class Port:
    """One input or output of a step.

    - `name`: in the program.
    - `shape`: of one observation: without the batch, without time or window.
    - `dtype`: of the array that is given or returned.
    - `limit`: integers lie from 0 to below it; None where any number will do.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    limit: int | None = None

    @property
    def size(self) -> int:
        """How many numbers an observation has."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Streamable:
    """What streams and pools run: a program, its ports, and what its states belong to."""

    model: Model
    name: str
    kind: Kind
    runner: Runner | WindowRunner
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of states, of float inputs and of outputs."""
        return self.runner.dtype

    @property
    def window(self) -> WindowRunner | None:
        """The runner of a window program; None where the program carries states."""
        return self.runner if isinstance(self.runner, WindowRunner) else None

    def origin(self, what: str) -> Origin:
        """What a snapshot of its states says they belong to."""
        used = getattr(self.runner, "instruction_set", "numpy")
        return Origin(what, self.model.digest, self.name, used)


def open_streamable(model: "Model | StrPath", program: str | None, threads: int = 1) -> Streamable:
    """Read a model if a path came, choose its program and make it ready for so many threads.

    Raises:
        ValueError: there is no such program, or it needs a sequence's end.
        ModelFileError, OSError: as `load`.
    """
    loaded = model if isinstance(model, Model) else load(Path(model))
    name = _chosen(loaded, program)
    found = loaded.programs[name]
    kind = kind_of(found)
    if kind.name == "step":
        made: Runner | WindowRunner = runner(found, loaded.tensors, loaded.tapes, threads)
        inputs = _ports(loaded, found, found.inputs, made.dtype, 1)
        outputs = _ports(loaded, found, found.outputs, made.dtype, 1)
    elif kind.name == "window":
        made, inputs = _window(loaded, found, name, kind.length or 0)
        outputs = _ports(loaded, found, found.outputs, made.dtype, 0)
    else:
        raise ValueError(
            f"program: {name!r} must give its outputs as inputs come; it needs the end of a "
            f"sequence; {_others(loaded, name)}"
        )
    return Streamable(loaded, name, kind, made, inputs, outputs)


def _chosen(model: Model, program: str | None) -> str:
    names = list(model.programs)
    if program is not None:
        if program not in names:
            raise ValueError(
                f"program: must be one of the model's ({', '.join(names)}); got {program!r}; "
                "name one of them"
            )
        return program
    fitting = [name for name in _PREFERRED if name in names] or names[:1]
    can = [name for name in fitting if kind_of(model.programs[name]).name != "whole"]
    return (can or fitting)[0]


def _others(model: Model, name: str) -> str:
    can = [n for n, p in model.programs.items() if n != name and kind_of(p).name != "whole"]
    return f"use program={can[0]!r}" if can else "a causal model streams: no reverse direction"


def _window(
    model: Model, program: Program, name: str, length: int
) -> tuple[WindowRunner, tuple[Port, ...]]:
    odd = [v.name for v in program.inputs if v.shape[:1] != (length,)]
    if odd:
        raise ValueError(
            f"program: the inputs of {name!r} must be windows of {length} observations to be fed "
            f"one at a time; {odd[0]!r} is none; use elman_runtime.program.evaluate"
        )
    interpreter = Interpreter(program, model.tensors, model.tapes)
    inputs = _ports(model, program, program.inputs, interpreter.dtype, 1)
    shapes = [port.shape for port in inputs]
    dtypes = [port.dtype for port in inputs]

    def evaluate(windows: tuple[Array, ...]) -> Sequence[Array]:
        return interpreter.run(windows)[0]

    return WindowRunner(length, shapes, dtypes, interpreter.dtype, evaluate), inputs


def _ports(
    model: Model, program: Program, values: Sequence[Value], dtype: np.dtype[Any], first: int
) -> tuple[Port, ...]:
    """Ports of inputs or outputs; `first`: where the shape of one observation begins."""
    limits = _limits(model, program)
    return tuple(
        Port(
            value.name,
            tuple(int(size) for size in value.shape[first:]),
            np.dtype(np.int64) if value.kind == "int" else dtype,
            limits.get(value.name),
        )
        for value in values
    )


def _limits(model: Model, program: Program) -> dict[str, int]:
    """How many rows the embedding has that each integer input ends in."""
    ends: dict[str, int] = {}
    for node in reversed(program.nodes):
        if node.op == "embedding":
            rows = [len(model.tensors[node.params["weight"]])]
        elif node.op in _KEEPING_KIND:
            rows = [ends[name] for name in node.outputs if name in ends]
        else:
            continue
        for name in node.inputs if rows else ():
            ends[name] = min(rows[0], ends.get(name, rows[0]))
    return ends
