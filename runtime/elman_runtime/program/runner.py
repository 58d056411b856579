"""Step programs run for ever: a block of inputs at a time, the states of many rows in one array."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman_runtime import native
from elman_runtime.program.form import Program
from elman_runtime.program.image import ImageError
from elman_runtime.program.interpret import Interpreter
from elman_runtime.program.native_runner import NativeRunner
from elman_runtime.tape import Tape

Array = NDArray[Any]


class Runner(Protocol):
    """Runs a step program. A row's bits depend on nothing but its own state and inputs."""

    program: Program
    dtype: np.dtype[Any]
    state_size: int
    """Numbers of one row: all states, flattened, in the program's order."""

    def start(self) -> Array:
        """The state (state_size,) before the first step; a copy."""
        ...

    def run(
        self,
        state: Array,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        rows: Array | None = None,
    ) -> None:
        """Feed T steps to N rows.

        Args:
            state: (M, state_size), written in place.
            inputs: (N, T, *shape without T) each, in the program's order.
            outputs: the same of the outputs, written in place.
            rows: (N,) integers, no two alike: the row of `state` for each row of the inputs;
                default: all of them in order.
        """
        ...


class NumpyRunner:
    """A step program in NumPy: row by row and step by step, one product `weight @ x` for each.

    Raises ModelFileError for a program that breaks a rule, ValueError for one that is no step
    program.
    """

    def __init__(
        self, program: Program, tensors: Mapping[str, Array], tapes: Sequence[Tape] = ()
    ) -> None:
        self.program = program
        self._interpreter = Interpreter(program, tensors, tapes)
        self.dtype = self._interpreter.dtype
        kind = self._interpreter.kind
        if kind.name != "step":
            raise ValueError(
                f"program: must be a step program to run as inputs come; this one is {kind.name}; "
                "use evaluate on whole sequences"
            )
        self._sizes = [math.prod(s.shape) for s in program.states]
        self.state_size = sum(self._sizes)

    def start(self) -> Array:
        """The state (state_size,) before the first step; a copy."""
        flat = [np.ravel(v) for v in self._interpreter.starts]
        return np.concatenate([np.empty(0, self.dtype), *flat])

    def run(
        self,
        state: Array,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        rows: Array | None = None,
    ) -> None:
        """As `Runner.run`; raises ValueError where an array does not fit, before writing."""
        batch, steps = check_run(self, state, inputs, outputs, rows)
        chosen = np.arange(batch) if rows is None else np.asarray(rows)
        for k, row in enumerate(chosen):
            now = self._split(state[row])
            for t in range(steps):
                here = [x[k : k + 1, t : t + 1] for x in inputs]
                made, now = self._interpreter.run(here, states=now)
                for array, value in zip(outputs, made, strict=True):
                    array[k, t] = value[0, 0]
            if now:
                state[row] = np.concatenate([v.reshape(-1) for v in now])

    def _split(self, flat: Array) -> tuple[Array, ...]:
        """One row's state as the interpreter takes it; copies, for `flat` is written later."""
        parts = np.split(flat.copy(), np.cumsum(self._sizes)[:-1]) if self._sizes else []
        shapes = (s.shape for s in self.program.states)
        return tuple(p.reshape(1, *shape) for p, shape in zip(parts, shapes, strict=True))


def check_run(
    runner: Runner,
    state: Array,
    inputs: Sequence[Array],
    outputs: Sequence[Array],
    rows: Array | None,
) -> tuple[int, int]:
    """N and T of a call; ValueError or TypeError where an array does not fit."""
    program = runner.program
    if state.ndim != 2 or state.shape[1] != runner.state_size or state.dtype != runner.dtype:
        raise ValueError(
            f"state: must be (rows, {runner.state_size}) {runner.dtype}; "
            f"got {state.shape} {state.dtype}"
        )
    if len(inputs) != len(program.inputs) or len(outputs) != len(program.outputs):
        raise ValueError(
            f"inputs, outputs: the program has {len(program.inputs)} and {len(program.outputs)}; "
            f"got {len(inputs)} and {len(outputs)}"
        )
    ends = inputs[0].shape[:2]
    for value, array in zip((*program.inputs, *program.outputs), (*inputs, *outputs), strict=True):
        if array.shape != (*ends, *value.shape[1:]) or len(ends) != 2:
            wanted = ", ".join(["N", *map(str, value.shape)])
            raise ValueError(f"{value.name!r} must be ({wanted}); got {array.shape}")
    batch, steps = ends
    if rows is None:
        if len(state) != batch:
            raise ValueError(f"state: must have the {batch} rows of the inputs; got {len(state)}")
    else:
        _check_rows(np.asarray(rows), batch, len(state))
    return batch, steps


def _check_rows(rows: Array, batch: int, held: int) -> None:
    if rows.shape != (batch,) or rows.dtype.kind not in "iu":
        raise ValueError(f"rows: must be ({batch},) integers; got {rows.dtype} {rows.shape}")
    if batch and not 0 <= int(rows.min()) <= int(rows.max()) < held:
        raise ValueError(f"rows: must be 0 to {held - 1}; got {rows.min()} to {rows.max()}")
    if len(np.unique(rows)) < batch:
        raise ValueError("rows: no row stands twice; feed one row's inputs as steps of time")


def runner(
    program: Program, tensors: Mapping[str, Array], tapes: Sequence[Tape] = (), threads: int = 1
) -> Runner:
    """The fastest runner that can run a step program here; `threads` as in `NativeRunner`.

    NumpyRunner runs row by row on one thread, whatever is asked for.

    Raises ModelFileError for a program that breaks a rule, ValueError for one that is no step
    program.
    """
    if native.engines():
        with suppress(ImageError):  # NumpyRunner runs every op, and says what is no step program
            return NativeRunner(program, tensors, tapes, threads=threads)
    return NumpyRunner(program, tensors, tapes)
