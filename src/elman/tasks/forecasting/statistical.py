"""AutoETS of statsforecast as a baseline, where that library is installed.

Exponential smoothing, Holt-Winters among its forms, chosen by AICc (Hyndman et al., 2002). It is
fitted to the end of each training part once and then run over what came before each forecast.
"""

import importlib.util
import warnings
from typing import Any

import numpy as np

from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.windows import Cut

AUTO_ETS = "AutoETS"
INSTALL = "pip install 'elman[forecast]'"

_MOST_SEASON = 24  # of exponential smoothing
_LEAST, _SEASONS = 400, 20


def available() -> bool:
    """Whether statsforecast is installed; it is not imported (that takes seconds)."""
    return importlib.util.find_spec("statsforecast") is not None


def note(series: int, most: int) -> str:
    """Why AutoETS is not among the baselines, in a sentence; "" where it is."""
    if not most:
        return ""
    if not available():
        return f"AutoETS is not among the baselines: statsforecast is not installed ({INSTALL})"
    if series > most:
        return f"AutoETS is not among the baselines: {series} series, ets_series={most}"
    return ""


class AutoEts:
    """One model for each series, fitted when it is first asked for."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._fitted: dict[str, Any] = {}
        seasons = max(_LEAST, _SEASONS * shape.season)
        self._kept = max(seasons, 3 * shape.window)

    def __call__(self, one: Cut) -> "np.ndarray[Any, np.dtype[np.float64]]":
        """Forecasts (N, K) of the windows of a series."""
        if one.part.id not in self._fitted:
            self._fitted[one.part.id] = self._fit(one.part)
        model, part, h = self._fitted[one.part.id], one.part, self.shape.h
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = [model.forward(self._end(part, int(t)), h=h)["mean"] for t in one.origins]
        return np.stack(made).astype(np.float64)

    def _fit(self, part: Part) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numba's and statsforecast's own
            from statsforecast.models import AutoETS

            season = self.shape.season if self.shape.season <= _MOST_SEASON else 1
            return AutoETS(season_length=season).fit(self._end(part, part.train_end))

    def _end(self, part: Part, end: int) -> Any:
        return part.values[max(part.pad, end - self._kept) : end]


def methods(shape: Shape, series: int, most: int) -> dict[str, Any]:
    """The statistical baselines by name, as far as they are to be had."""
    return {AUTO_ETS: AutoEts(shape)} if most >= series and available() else {}
