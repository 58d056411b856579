"""Errors of forecasts, for each series and averaged over them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Scores:
    """Errors of one method; each is a mean over windows and steps, then over series.

    - `mae`, `rmse`: in the unit of the values.
    - `smape`: 200 |y - f| / (|y| + |f|), in per cent, 0 where both are zero.
    - `mase`: the MAE divided by that of the seasonal naive forecast one step ahead within the
      training part (Hyndman and Koehler, 2006). None where that is zero for each series.
    """

    mae: float
    rmse: float
    smape: float
    mase: float | None

    def as_dict(self) -> dict[str, float | None]:
        """For JSON and tables."""
        return {"mae": self.mae, "rmse": self.rmse, "smape": self.smape, "mase": self.mase}

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


def scores_of(truth: Array, forecast: Array, naive: float) -> Scores:
    """Errors of one series: `truth` and `forecast` are (windows, h)."""
    error = np.abs(truth - forecast)
    size = np.abs(truth) + np.abs(forecast)
    smape = 200 * np.divide(error, size, out=np.zeros_like(error), where=size > 0)
    mae = float(error.mean())
    mase = None if np.isnan(naive) else mae / naive
    return Scores(mae, float(np.sqrt((error**2).mean())), float(smape.mean()), mase)


def average(each: list[Scores]) -> Scores:
    """The mean over series; MASE over those for which it is defined."""
    defined = [one.mase for one in each if one.mase is not None]
    mase = float(np.mean(defined)) if defined else None
    mae, rmse, smape = (
        float(np.mean([getattr(s, f) for s in each])) for f in ("mae", "rmse", "smape")
    )
    return Scores(mae, rmse, smape, mase)
