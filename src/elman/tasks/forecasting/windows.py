"""Windows of series on a common scale, and batches of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elman.tasks.forecasting.scaling import scale_of
from elman.tasks.forecasting.splits import Array, Part, Shape, origins

_EVALUATED_AT_ONCE = 1024

Indices = np.ndarray[Any, np.dtype[np.int64]]


class Known(NamedTuple):
    """Covariates of windows: (N, L, Eh), (N, L + K, Ef) and (N, Es), each None where absent."""

    hist: Array | None = None
    futr: Array | None = None
    static: Array | None = None


NOTHING = Known()


class Batch(NamedTuple):
    """Windows (B, L) and what follows them (B, K) on their scale, `weight` (B,), covariates.

    An error of a row counts `weight` times in the loss.
    """

    x: Tensor
    y: Tensor
    weight: Tensor
    hist: Tensor | None = None
    futr: Tensor | None = None
    static: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What a network is called with: the windows, and covariates if there are any."""
        more = (self.hist, self.futr, self.static)
        return (self.x, *more) if any(one is not None for one in more) else (self.x,)  # type: ignore[return-value]


class Windows:
    """Batches of training windows, drawn at random: `windows[k]` depends on (seed, k) alone.

    An epoch is as many windows as there are, or `most` batches if that is less. `per` says by what
    errors are divided in the loss: see `weights`.
    """

    def __init__(
        self,
        parts: list[Part],
        shape: Shape,
        batch_size: int,
        seed: int,
        most: int = 1000,
        per: str = "scale",
    ) -> None:
        self.parts, self.shape, self.seed = parts, shape, seed
        starts = [origins(part, shape, "train") for part in parts]
        self._series = np.repeat(np.arange(len(parts)), [start.size for start in starts])
        self._origins = np.concatenate(starts)
        self._scales = np.asarray([part.scale for part in parts])
        self._weights = weights(parts, per)
        self._gather = Gather(parts, shape)
        self.batch_size = min(batch_size, self._origins.size)
        self._length = min(most, -(-self._origins.size // self.batch_size))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, k: int) -> Batch:
        generator = np.random.Generator(np.random.Philox(key=[self.seed, k]))
        return self.rows(generator.integers(self._origins.size, size=self.batch_size))

    def some(self, count: int) -> Batch:
        """About `count` of all windows, evenly spaced."""
        return self.rows(np.arange(0, self._origins.size, -(-self._origins.size // count)))

    def rows(self, rows: Indices) -> Batch:
        """Windows by their number."""
        series, starts = self._series[rows], self._origins[rows]
        seen, ahead = self._gather.values(series, starts)
        scale = scale_of(seen, self._scales[series], self.shape)
        weight = scale.value[:, 0] * self._weights[series]
        known = self._gather.known(series, starts)
        return Batch(*map(tensor, (scale.put(seen), scale.put(ahead), weight)), *map(tensor, known))  # type: ignore[arg-type]


def tensor(values: Any) -> Tensor | None:
    """In single precision; None as it is."""
    return None if values is None else torch.from_numpy(np.ascontiguousarray(values, np.float32))


class Gather:
    """Cuts windows from many series at once: all series lie in one array, one after another."""

    def __init__(self, parts: Sequence[Part], shape: Shape) -> None:
        self.shape = shape
        self._values = _end_to_end([part.values for part in parts])
        self._hist = _all(parts, "hist")
        self._futr = _all(parts, "futr")
        statics = [part.static for part in parts if part.static is not None]
        self._static = np.stack(statics) if statics else None

    def values(self, series: Indices, starts: Indices) -> tuple[Array, Array]:
        """Windows (N, L) and what follows them (N, K)."""
        whole = self._cut(self._values, series, starts, -self.shape.window, self.shape.h)
        return whole[:, : self.shape.window], whole[:, self.shape.window :]

    def known(self, series: Indices, starts: Indices) -> Known:
        """The covariates of the same windows."""
        window, h = self.shape.window, self.shape.h
        hist = self._hist and self._cut(self._hist, series, starts, -window, 0)
        futr = self._futr and self._cut(self._futr, series, starts, -window, h)
        return Known(hist, futr, None if self._static is None else self._static[series])

    def _cut(
        self, joined: tuple[Array, Indices], series: Indices, starts: Indices, a: int, b: int
    ) -> Array:
        flat, first = joined
        found: Array = flat[(first[series] + starts)[:, None] + np.arange(a, b)]
        return found


def _end_to_end(each: list[Array]) -> tuple[Array, Indices]:
    sizes = [len(one) for one in each]
    return np.concatenate(each), np.cumsum([0, *sizes[:-1]])


def _all(parts: Sequence[Part], name: str) -> tuple[Array, Indices] | None:
    each = [getattr(part, name) for part in parts]
    return None if any(one is None for one in each) else _end_to_end(each)


def weights(parts: list[Part], per: str) -> Array:
    """What an error of each series counts in the loss, (series,).

    - "scale": one over the standard deviation.
    - "mase": one over the error of the naive step, as MASE does.
    - "owa": the mean of that and of one over the level, as sMAPE does, each set so that the naive
      step of a typical series counts the same.
    """
    scale = np.asarray([part.scale for part in parts])
    if per == "scale":
        found: Array = 1 / scale
        return found
    naive = np.asarray([part.naive for part in parts])
    naive = np.where(np.isnan(naive), scale, naive)
    # A series that hardly ever moves must not outweigh all others.
    found = 1 / np.maximum(naive, 0.01 * scale)
    if per == "owa":
        level = np.asarray([np.abs(p.values[p.pad : p.train_end]).mean() for p in parts])
        level = np.maximum(level, naive)
        found = (found + 1 / (level * np.mean(naive / level))) / 2
    return found


class Cut(NamedTuple):
    """Windows of one series (N, L) and what follows them (N, K), as they are; covariates."""

    part: Part
    windows: Array
    truth: Array
    origins: Indices
    known: Known = NOTHING


def cut(parts: list[Part], shape: Shape, which: str) -> list[Cut]:
    """The windows of "validation" or "test", series by series."""
    found, gather = [], Gather(parts, shape)
    for k, part in enumerate(parts):
        starts = origins(part, shape, which)
        series = np.full_like(starts, k)
        windows, truth = gather.values(series, starts)
        measured = _measured(truth, [part], np.zeros_like(starts), starts)
        found.append(Cut(part, windows, measured, starts, gather.known(series, starts)))
    return found


def _measured(truth: Array, parts: list[Part], series: Indices, starts: Indices) -> Array:
    """What follows the windows (N, K), with NaN in place of what is interpolated.

    A series of which nothing was observed there keeps its interpolated values.
    """
    steps, found = np.arange(truth.shape[1]), truth.copy()
    for k, part in enumerate(parts):
        of = np.flatnonzero(series == k)
        hidden = None if part.filled is None else part.filled[starts[of, None] + steps]
        if hidden is not None and not hidden.all():
            found[of] = np.where(hidden, np.nan, found[of])
    return found


def forecast(
    model: nn.Module, windows: Array, scales: Array, shape: Shape, known: Known = NOTHING
) -> Array:
    """Forecasts (N, K), or (N, K, 1 + Q) with quantiles, of windows (N, L) of values.

    `scales` is (N,), of the series that the windows are from.
    """
    scale = scale_of(windows, scales, shape)
    inputs = [scale.put(windows), *(one for one in known)]
    training = model.training
    model.eval()
    made = []
    with torch.no_grad():
        for k in range(0, len(windows), _EVALUATED_AT_ONCE):
            rows = slice(k, k + _EVALUATED_AT_ONCE)
            some = [None if one is None else tensor(one[rows]) for one in inputs]
            made.append(model(*_without_nones(some)).numpy())
    model.train(training)
    return scale.back(np.concatenate(made))


def _without_nones(inputs: list[Tensor | None]) -> list[Tensor | None]:
    return inputs if any(one is not None for one in inputs[1:]) else inputs[:1]


def joined(each: list[Known]) -> Known:
    """The covariates of several series, one after another."""
    columns = zip(*each, strict=True)
    return Known(*(None if c[0] is None else np.concatenate(c) for c in columns))


class Validation:
    """The error on the validation windows, which are cut once."""

    def __init__(self, parts: list[Part], shape: Shape) -> None:
        self.shape = shape
        starts = [origins(part, shape, "validation") for part in parts]
        series = np.repeat(np.arange(len(parts)), [one.size for one in starts])
        gather, firsts = Gather(parts, shape), np.concatenate(starts)
        self.windows, truth = gather.values(series, firsts)
        self.truth = _measured(truth, parts, series, firsts)
        self.known = gather.known(series, firsts)
        self.scales = np.asarray([part.scale for part in parts])[series]
        naive = np.asarray([part.naive for part in parts])[series]
        self.naive = np.where(np.isnan(naive), self.scales, naive)

    def __call__(self, model: nn.Module) -> float:
        """MASE, averaged over series, which have as many windows each.

        Series without MASE count by their scale instead, so that there is always a number.
        """
        made = forecast(model, self.windows, self.scales, self.shape, self.known)
        value = made if made.ndim == 2 else made[..., 0]
        return float(np.nanmean(np.abs(self.truth - value) / self.naive[:, None]))

    def score(self, model: nn.Module) -> dict[str, float]:
        """The same, as `fit` wants it."""
        return {"MASE": self(model)}
