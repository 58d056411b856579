"""Errors of forecasts, for each series and averaged over them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Bounds = Mapping[float, tuple[Array, Array]]
"""Intervals by level in per cent: lower and upper ends, each shaped as the forecasts."""

_ALWAYS = ("mae", "rmse", "smape")
_MAYBE = ("mase", "mape", "zmse", "zmae", "pinball")


@dataclass(frozen=True)
class Scores:
    """Errors of one method; each is a mean over windows and steps, then over series.

    - `mae`, `rmse`: in the unit of the values.
    - `smape`: 200 |y - f| / (|y| + |f|), in per cent, 0 where both are zero.
    - `mase`: the MAE divided by that of the seasonal naive forecast one step ahead within the
      training part (Hyndman and Koehler, 2006). None where that is zero for each series.
    - `mape`: 100 |y - f| / |y|, in per cent, over values that are not zero; None without any.
    - `owa`: half of sMAPE plus half of MASE, each over that of Naive2 (the M4 competition). None
      where one of these is not defined.
    - `zmse`, `zmae`: squared and absolute error of z-scored values, which are divided by the
      standard deviation of the training part.
    - `pinball`: mean pinball loss of the ends of all intervals, in the unit of the values.
    - `coverage`: share of values within the interval, 0 to 1, by level ("80").
    """

    mae: float
    rmse: float
    smape: float
    mase: float | None
    mape: float | None = None
    owa: float | None = None
    zmse: float | None = None
    zmae: float | None = None
    pinball: float | None = None
    coverage: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON and tables."""
        return asdict(self)

    @property
    def chosen_by(self) -> float:
        """What methods are compared by: MASE, or MAE where it is not defined."""
        return self.mae if self.mase is None else self.mase


def naive_error(training: Array, season: int) -> float:
    """MAE of the seasonal naive forecast within the training part; NaN where it is zero."""
    lag = season if training.size > season else 1
    differences = np.abs(training[lag:] - training[:-lag])
    error = float(differences.mean()) if differences.size else 0.0
    return error if error > 0 else float("nan")


def scores_of(
    truth: Array, forecast: Array, naive: float, scale: float = 1.0, bounds: Bounds | None = None
) -> Scores:
    """Errors of one series: `truth` and `forecast` are (windows, h); NaN in `truth` is left out.

    Raises:
        ValueError: no value of `truth` is known.
    """
    known = ~np.isnan(truth)
    if not known.any():
        raise ValueError("truth must have a value; got none; fill it, or leave the series out")
    y, f = truth[known], forecast[known]
    error = np.abs(y - f)
    size = np.abs(y) + np.abs(f)
    smape = 200 * np.divide(error, size, out=np.zeros_like(error), where=size > 0)
    mae = float(error.mean())
    nonzero = y != 0
    mape = 100 * float((error[nonzero] / np.abs(y[nonzero])).mean()) if nonzero.any() else None
    found = Scores(
        mae,
        float(np.sqrt((error**2).mean())),
        float(smape.mean()),
        None if np.isnan(naive) else mae / naive,
        mape,
        zmse=float(((error / scale) ** 2).mean()),
        zmae=mae / scale,
    )
    return (
        _with_intervals(found, y, {at: (a[known], b[known]) for at, (a, b) in bounds.items()})
        if bounds
        else found
    )


def _with_intervals(scores: Scores, y: Array, bounds: Bounds) -> Scores:
    coverage = {f"{at:g}": float(((a <= y) & (y <= b)).mean()) for at, (a, b) in bounds.items()}
    return replace(scores, pinball=pinball(y, bounds), coverage=coverage)


def pinball(y: Array, bounds: Bounds) -> float:
    """The mean pinball loss of the ends of intervals: low where these are narrow and hold `y`."""
    losses = []
    for level, ends in bounds.items():
        tail = (100 - level) / 200
        for probability, end in zip((tail, 1 - tail), ends, strict=True):
            miss = y - end
            losses.append(np.maximum(probability * miss, (probability - 1) * miss).mean())
    return float(np.mean(losses))


def average(each: list[Scores]) -> Scores:
    """The mean over series; of what is not always defined, over those for which it is."""
    found: dict[str, Any] = {name: _mean(each, name) for name in (*_ALWAYS, *_MAYBE)}
    levels = each[0].coverage
    coverage = {at: float(np.mean([one.coverage[at] for one in each])) for at in levels}
    return Scores(**found, coverage=coverage)


def _mean(each: list[Scores], name: str) -> float | None:
    defined = [value for one in each if (value := getattr(one, name)) is not None]
    return float(np.mean(defined)) if defined else None


def with_owa(scores: dict[str, Scores], reference: str) -> dict[str, Scores]:
    """The scores of methods, with their OWA against the method `reference`."""
    base = scores[reference]
    return {name: replace(one, owa=_owa(one, base)) for name, one in scores.items()}


def _owa(one: Scores, base: Scores) -> float | None:
    if one.mase is None or not base.mase or not base.smape:
        return None
    return (one.smape / base.smape + one.mase / base.mase) / 2
