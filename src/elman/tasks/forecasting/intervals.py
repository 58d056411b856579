"""Prediction intervals that are calibrated on validation, and the support of the values.

Two kinds with one interface. "residual": the forecast plus quantiles of its errors on validation
(split conformal prediction). "head": quantiles that the network itself forecasts, each moved by a
quantile of how far it was off on validation (conformalised quantile regression, Romano et al.,
2019, one end at a time). Steps of the horizon are calibrated in groups, as many as the validation
values allow. What is used is the kind with the lower pinball loss on validation.

The guarantee is that of conformal prediction: on average over series and windows that are
exchangeable with the validation, which time series are only about. Measured coverage stands beside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from elman.tasks.forecasting.metrics import Array, pinball

Indices = np.ndarray[Any, np.dtype[np.int64]]
Intervals = dict[float, tuple[Array, Array]]

_VALUES_A_GROUP = 200
_STORED = 999  # of the errors of a group


class Made(NamedTuple):
    """Forecasts of windows: `point` (N, K), and `quantiles` (N, K, Q) of a network with them."""

    point: Array
    quantiles: Array | None = None


def probabilities(levels: Sequence[float]) -> tuple[float, ...]:
    """The quantiles that are the ends of the intervals, ascending: 80 gives 0.1 and 0.9."""
    tails = [(100 - level) / 200 for level in levels]
    return tuple(sorted({*tails, *(1 - tail for tail in tails)}))


@dataclass(frozen=True)
class Calibration:
    """How intervals are made from forecasts; errors are over the scale of their series.

    - `kind`: "residual" or "head".
    - `group`: (K,), the group of each step of the horizon.
    - `errors`: (G, M), quantiles of the forecast's signed errors by group, ascending.
    - `counts`: (G,), how many errors there were.
    - `levels`: what the head was trained for; () without one.
    - `shifts`: (G, levels, 2), what is added to the head's quantiles.
    """

    kind: str
    group: Indices
    errors: Array
    counts: Indices
    levels: tuple[float, ...] = ()
    shifts: Array | None = None

    def intervals(self, made: Made, scales: Array, levels: Sequence[float]) -> Intervals:
        """Lower and upper ends (N, K) by level; they hold the forecast and lie within each other.

        Args:
            scales: (N,), of the series of each forecast.
            levels: in per cent. One that the head was not trained for is taken from the errors.
        """
        found: Intervals = {}
        low = high = made.point
        for level in sorted(levels):
            a, b = self._ends(made, scales[:, None], level)
            low, high = np.minimum(a, low), np.maximum(b, high)
            found[level] = (low, high)
        return found

    def _ends(self, made: Made, scales: Array, level: float) -> tuple[Array, Array]:
        columns, shifts = self.recipe(level)
        lower, upper = (
            made.point if k == 0 or made.quantiles is None else made.quantiles[..., k - 1]
            for k in columns
        )
        return lower + scales * shifts[:, 0], upper + scales * shifts[:, 1]

    def recipe(self, level: float) -> tuple[tuple[int, int], Array]:
        """How the ends of a level are made: what of, and what is added, over the scale: (K, 2).

        What of: 0 for the forecast, from 1 on for the quantiles of the head.
        """
        if self.kind == "head" and level in self.levels:
            assert self.shifts is not None
            lower, upper = head_ends(self.levels, level)
            return (lower + 1, upper + 1), self.shifts[self.group, self.levels.index(level)]
        shifts = np.asarray([self._of_errors(g, level) for g in range(len(self.errors))])
        return (0, 0), shifts[self.group]

    def _of_errors(self, group: int, level: float) -> tuple[float, float]:
        return conformal(self.errors[group], int(self.counts[group]), level)

    def weak(self, levels: Sequence[float]) -> list[float]:
        """Levels for which there were too few validation values: their ends are the worst seen."""
        return [at for at in levels if (self.counts.min() + 1) * (100 - at) / 200 < 1]


def head_ends(levels: Sequence[float], level: float) -> tuple[int, int]:
    """Which two of the quantiles of `probabilities(levels)` are the ends of a level."""
    known = probabilities(levels)
    lower = int(np.argmin(np.abs(np.asarray(known) - (100 - level) / 200)))
    return lower, len(known) - 1 - lower


def conformal(errors: Array, count: int, level: float) -> tuple[float, float]:
    """The two quantiles of sorted errors between which one more lies with `level` per cent.

    Of n errors the one at rank (n + 1) p, as one more is equally likely at each of n + 1 places.
    """
    tail = (100 - level) / 200
    return _at(errors, count, tail), _at(errors, count, 1 - tail)


def _at(errors: Array, count: int, probability: float) -> float:
    rank = ((count + 1) * probability - 1) / max(1, count - 1)
    return float(np.quantile(errors, min(1.0, max(0.0, rank))))


def groups(h: int, windows: int) -> Indices:
    """The group of each of h steps, so that each has enough values to calibrate by."""
    count = max(1, min(h, windows * h // _VALUES_A_GROUP))
    return np.repeat(np.arange(count), [len(part) for part in np.array_split(np.arange(h), count)])


def calibrate(made: Made, truth: Array, scales: Array, levels: Sequence[float]) -> Calibration:
    """From forecasts of the validation windows of all series.

    Args:
        made: of N windows.
        truth: (N, K); NaN where a value is not known.
        scales: (N,), of the series of each window.
        levels: that the network's quantiles are for, in per cent.
    """
    residual = _calibrated("residual", made, truth, scales, levels)
    if made.quantiles is None or not levels:
        return residual
    head = _calibrated("head", made, truth, scales, levels)
    losses = [
        pinball(*_flat(truth, out_of_fold(made, truth, scales, levels, one.kind)))
        for one in (head, residual)
    ]
    return head if losses[0] <= losses[1] else residual


def _flat(truth: Array, bounds: Intervals) -> tuple[Array, Intervals]:
    known = ~np.isnan(truth)
    return truth[known], {level: (a[known], b[known]) for level, (a, b) in bounds.items()}


def _calibrated(
    kind: str, made: Made, truth: Array, scales: Array, levels: Sequence[float]
) -> Calibration:
    group = groups(truth.shape[1], len(truth))
    errors = (truth - made.point) / scales[:, None]
    each = [_known(errors[:, group == g]) for g in range(group[-1] + 1)]
    counts = np.asarray([one.size for one in each], np.int64)
    thin = np.linspace(0, 1, min(_STORED, int(counts.max())))
    stored = np.stack([np.quantile(one, thin) for one in each])
    if kind == "residual":
        return Calibration(kind, group, stored, counts)
    assert made.quantiles is not None
    shifts = np.zeros((len(each), len(levels), 2))
    for k, level in enumerate(levels):
        for end, at in enumerate(head_ends(levels, level)):
            off = (truth - made.quantiles[..., at]) / scales[:, None]
            for g in range(len(each)):
                shifts[g, k, end] = conformal(_known(off[:, group == g]), counts[g], level)[end]
    return Calibration(kind, group, stored, counts, tuple(levels), shifts)


def _known(values: Array) -> Array:
    known = values[~np.isnan(values)]
    return np.sort(known) if known.size else np.zeros(1)


def out_of_fold(
    made: Made, truth: Array, scales: Array, levels: Sequence[float], kind: str
) -> Intervals:
    """Intervals of the validation windows, each calibrated on the other half of them.

    A single window has no other half: it is measured on itself.
    """
    folds = np.arange(len(truth)) % 2
    ends = {level: (np.empty_like(truth), np.empty_like(truth)) for level in levels}
    for fold in (0, 1):
        here = folds == fold
        if not here.any():
            continue
        rest = ~here if (~here).any() else here
        found = _calibrated(kind, _rows(made, rest), truth[rest], scales[rest], levels)
        for level, (a, b) in found.intervals(_rows(made, here), scales[here], levels).items():
            ends[level][0][here], ends[level][1][here] = a, b
    return ends


def _rows(made: Made, rows: Any) -> Made:
    return Made(made.point[rows], None if made.quantiles is None else made.quantiles[rows])


def supported(values: Array, support: str, round_by: Any = np.rint) -> Array:
    """Values on their support: as they are, cut at 0, or whole numbers from 0 on."""
    if support == "real":
        return values
    above = np.maximum(values, 0.0)
    found: Array = round_by(above) if support == "integer" else above
    return found


def supported_ends(ends: Intervals, support: str) -> Intervals:
    """Intervals on the support: rounded outwards, so that none holds less."""
    return {
        level: (supported(a, support, np.floor), supported(b, support, np.ceil))
        for level, (a, b) in ends.items()
    }
