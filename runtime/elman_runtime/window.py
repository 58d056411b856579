"""A window program fed one observation at a time: the last L are kept, and given to it on demand.

A row of the state is the window of each input, one after the other, oldest first; and last, how
many observations of it have come, at most L.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from elman_runtime.contents import Array

Evaluate = Callable[[tuple[Array, ...]], Sequence[Array]]


class WindowRunner:
    """Steps a window program as a runner steps one with states.

    Args:
        length: L, the observations of a window.
        shapes: of one observation of each input.
        dtypes: of each input.
        dtype: of the state.
        evaluate: the outputs (1, ...) of windows (1, L, ...), one for each input.
    """

    def __init__(
        self,
        length: int,
        shapes: Sequence[tuple[int, ...]],
        dtypes: Sequence[np.dtype[Any]],
        dtype: Any,
        evaluate: Evaluate,
    ) -> None:
        self.length, self._shapes, self._evaluate = length, tuple(shapes), evaluate
        self.dtype = np.dtype(dtype)
        self._widths = [int(np.prod(shape, dtype=np.int64)) for shape in shapes]
        self._dtypes = tuple(dtypes)
        self.state_size = length * sum(self._widths) + 1

    def start(self) -> Array:
        """A window in which nothing has come."""
        return np.zeros(self.state_size, self.dtype)

    def run(
        self,
        state: Array,
        inputs: Sequence[Array],
        outputs: Sequence[Array] | None,
        rows: Array | None = None,
    ) -> None:
        """Feed inputs (N, T, ...); outputs (N, T, ...) are NaN until L have come, None for none."""
        for n in range(len(inputs[0])):
            row = state[n if rows is None else int(rows[n])]
            for t in range(inputs[0].shape[1]):
                self._feed(row, [x[n, t] for x in inputs])
                if outputs is not None:
                    self.output(row, [y[n, t] for y in outputs])

    def _feed(self, row: Array, observation: Sequence[Array]) -> None:
        begin = 0
        for x, width in zip(observation, self._widths, strict=True):
            end = begin + self.length * width
            row[begin : end - width] = row[begin + width : end]
            row[end - width : end] = x.reshape(-1)
            begin = end
        row[-1] = min(row[-1] + 1, self.length)

    def missing(self, row: Array) -> int:
        """How many observations must still come before there is an output."""
        return self.length - int(row[-1])

    def output(self, row: Array, outputs: Sequence[Array]) -> None:
        """Write the outputs after the last observation of a row."""
        if row[-1] < self.length:
            for y in outputs:
                y[...] = np.nan
            return
        windows, begin = [], 0
        for width, shape, dtype in zip(self._widths, self._shapes, self._dtypes, strict=True):
            end = begin + self.length * width
            window = row[begin:end].astype(dtype, copy=False)
            windows.append(window.reshape(1, self.length, *shape))
            begin = end
        for y, found in zip(outputs, self._evaluate(tuple(windows)), strict=True):
            y[...] = found[0]

    def sound(self, states: Array) -> bool:
        """Whether rows (N, state_size) from elsewhere can be states."""
        come = states[:, -1]
        inside = (come >= 0) & (come <= self.length) & (come == np.floor(come))
        return bool(np.isfinite(states).all() and inside.all())
