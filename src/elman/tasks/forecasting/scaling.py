"""The common scale of windows: what a network sees, and how its output becomes values again."""

from typing import Any, NamedTuple

import numpy as np

from elman.tasks.forecasting.splits import Array, Shape

LEAST = 0.1  # of the scale of the series: a window that hardly moves must not blow up
FLOOR = 1e-3  # of the scale of the series
FARTHEST = 100  # times the last value: what is beyond is no forecast


class Scale(NamedTuple):
    """How windows are put on a common scale.

    - `log`: logarithms are taken first, so that what grows and swings in per cent is additive.
    - `floor`: (N, 1), what smaller values are taken for before their logarithm.
    - `last`: (N, 1), what is subtracted: the last value, or its logarithm.
    - `unit`: (N, 1), what is divided by.
    - `value`: (N, 1), about how much of the values one unit is.
    """

    log: bool
    floor: Array
    last: Array
    unit: Array
    value: Array

    def put(self, values: Array) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """Values (N, ...) on the common scale."""
        on = np.log(np.maximum(values, self.floor)) if self.log else values
        return ((on - self.last) / self.unit).astype(np.float32)

    def back(self, made: "np.ndarray[Any, np.dtype[np.float32]]") -> Array:
        """The opposite, of (N, K) or (N, K, ...)."""
        deeper = (..., *[None] * (made.ndim - 2))
        found: Array = self.last[deeper] + self.unit[deeper] * made.astype(np.float64)
        if self.log:
            found = np.exp(np.minimum(found, self.last[deeper] + np.log(FARTHEST)))
        return found


def scale_of(windows: Array, scales: Array, shape: Shape) -> Scale:
    """The scale of windows (N, L) of series whose values have the scales (N,).

    Values are divided by the scale of their series. Logarithms are divided by what they change in a
    season within the window, as a series that has grown swings in per cent as before.
    """
    each = scales[:, None]
    if not shape.log:
        return Scale(False, each, windows[:, -1:], each, each)
    floor = FLOOR * each
    on = np.log(np.maximum(windows, floor))
    level = np.exp(on.mean(1, keepdims=True))
    lag = shape.season if shape.season < shape.window else 1
    moves = np.abs(on[:, lag:] - on[:, :-lag]) if shape.window > 1 else np.zeros_like(on)
    unit = np.maximum(moves.mean(1, keepdims=True), LEAST * np.minimum(each / level, 1.0))
    return Scale(True, floor, on[:, -1:], unit, unit * level)
