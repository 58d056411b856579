"""Step programs run by compiled code (runtime/src/program)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman_runtime import native
from elman_runtime.program.form import Program
from elman_runtime.program.image import image
from elman_runtime.tape import Tape

Array = NDArray[Any]


class NativeRunner:
    """A step program in compiled code; see `Runner`.

    What a row gives depends on its own state and inputs alone, bit for bit, for one instruction
    set: not on other rows, nor on how its time is cut. No step allocates.

    Args:
        instruction_set: one of `native.engines()`; "" is the fastest.
        threads: how many share the rows of a call that is large enough, 1 to 256. Each holds the
            weights once more; the bits are the same for any number.

    Raises:
        ImageError: images have no such node; NumpyRunner runs it.
        ModelFileError: the program breaks a rule.
        ValueError: `threads` is out of range, or there is no such instruction set here.
        RuntimeError: the compiled module is missing.
    """

    def __init__(
        self,
        program: Program,
        tensors: Mapping[str, Array],
        tapes: Sequence[Tape] = (),
        instruction_set: str = "",
        threads: int = 1,
    ) -> None:
        self.program = program
        self.image = image(program, tensors, tapes)
        self.stepper = native.stepper(self.image, instruction_set, threads)
        self.instruction_set: str = self.stepper.instruction_set
        self.threads: int = self.stepper.threads
        self.dtype = np.dtype(np.float32 if self.stepper.real_size == 4 else np.float64)
        self.state_size: int = self.stepper.state_size
        self.step = self.stepper.step
        """`step(state, x, out, finite=False)`: one row, (state_size,) and (T, ...) of the one
        input and the one output, without any check in Python. With `finite`, False and nothing
        done where x holds NaN or an infinity; True otherwise."""

    def start(self) -> Array:
        """The state (state_size,) before the first step; a copy."""
        return np.frombuffer(self.stepper.start, self.dtype).copy()

    def run(
        self,
        state: Array,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        rows: Array | None = None,
    ) -> None:
        """As `Runner.run`; raises ValueError or TypeError where an array does not fit."""
        self.run_finite(state, inputs, outputs, rows, False)

    def run_finite(
        self,
        state: Array,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        rows: Array | None = None,
        finite: bool = True,
    ) -> bool:
        """As `run`; with `finite`, False and nothing done where an input is NaN or infinite."""
        given = zip(self.program.inputs, inputs, strict=False)
        ready = tuple(
            np.ascontiguousarray(x, np.int64 if v.kind == "int" else self.dtype) for v, x in given
        )
        chosen = None if rows is None else np.ascontiguousarray(rows, np.int64)
        if all(y.flags.c_contiguous for y in outputs):
            return bool(self.stepper.run(state, ready, tuple(outputs), chosen, finite))
        made = tuple(np.empty(y.shape, self.dtype) for y in outputs)
        good = bool(self.stepper.run(state, ready, made, chosen, finite))
        for array, value in zip(outputs, made, strict=True):
            array[...] = value if good else array
        return good
