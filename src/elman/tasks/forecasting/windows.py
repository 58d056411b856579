"""Windows of series on a common scale, and batches of them."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elman.tasks.forecasting.splits import Array, Part, Shape, origins

_EVALUATED_AT_ONCE = 1024


class Batch(NamedTuple):
    """Windows (B, L) and what follows them (B, K), both less the last value, over the scale."""

    x: Tensor
    y: Tensor


class Windows:
    """Batches of training windows, drawn at random: `windows[k]` depends on (seed, k) alone.

    An epoch is as many windows as there are, or `most` batches if that is less.
    """

    def __init__(
        self, parts: list[Part], shape: Shape, batch_size: int, seed: int, most: int = 1000
    ) -> None:
        self.parts, self.shape, self.seed = parts, shape, seed
        starts = [origins(part, shape, "train") for part in parts]
        self._series = np.repeat(np.arange(len(parts)), [start.size for start in starts])
        self._origins = np.concatenate(starts)
        self.batch_size = min(batch_size, self._origins.size)
        self._length = min(most, -(-self._origins.size // self.batch_size))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, k: int) -> Batch:
        generator = np.random.Generator(np.random.Philox(key=[self.seed, k]))
        rows = generator.integers(self._origins.size, size=self.batch_size)
        pairs = zip(self._series[rows], self._origins[rows], strict=True)
        cut = [_cut(self.parts[s], self.shape, int(t)) for s, t in pairs]
        x, y = (np.stack(side).astype(np.float32) for side in zip(*cut, strict=True))
        return Batch(torch.from_numpy(x), torch.from_numpy(y))


def _cut(part: Part, shape: Shape, t: int) -> tuple[Array, Array]:
    last = part.values[t - 1]
    x, y = part.values[t - shape.window : t], part.values[t : t + shape.h]
    return (x - last) / part.scale, (y - last) / part.scale


class Cut(NamedTuple):
    """Windows of one series (N, L) and what follows them (N, K), as they are."""

    part: Part
    windows: Array
    truth: Array
    origins: "np.ndarray[Any, np.dtype[np.int64]]"


def cut(parts: list[Part], shape: Shape, which: str) -> list[Cut]:
    """The windows of "validation" or "test", series by series."""
    found = []
    for part in parts:
        starts = origins(part, shape, which)
        seen = np.stack([part.values[t - shape.window : t] for t in starts])
        truth = np.stack([part.values[t : t + shape.h] for t in starts])
        found.append(Cut(part, seen, truth, starts))
    return found


def forecast(model: nn.Module, windows: Array, scales: Array) -> Array:
    """Forecasts (N, K) of windows (N, L), on the scale of the values; `scales` is (N,)."""
    last = windows[:, -1:]
    x = torch.from_numpy(((windows - last) / scales[:, None]).astype(np.float32))
    training = model.training
    model.eval()
    with torch.no_grad():
        parts = [model(some).numpy() for some in torch.split(x, _EVALUATED_AT_ONCE)]
    model.train(training)
    return last + scales[:, None] * np.concatenate(parts).astype(np.float64)


def validation_error(model: nn.Module, parts: list[Part], shape: Shape) -> float:
    """MASE on the validation windows, averaged over series.

    Series without MASE count by their scale instead, so that there is always a number.
    """
    cuts = cut(parts, shape, "validation")
    windows = np.concatenate([one.windows for one in cuts])
    scales = np.concatenate([np.full(len(one.windows), one.part.scale) for one in cuts])
    predicted = np.split(
        forecast(model, windows, scales), np.cumsum([len(one.windows) for one in cuts])[:-1]
    )
    errors = []
    for one, values in zip(cuts, predicted, strict=True):
        naive = one.part.scale if np.isnan(one.part.naive) else one.part.naive
        errors.append(np.abs(one.truth - values).mean() / naive)
    return float(np.mean(errors))
