"""Forecasts as a table."""

from typing import TYPE_CHECKING

import numpy as np

from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.memory import Memory
from elman.tasks.forecasting.windows import forecast

if TYPE_CHECKING:
    import polars as pl

FORECAST = "elman"


def predictions(fitted: Fitted, memory: Memory) -> "pl.DataFrame":
    """The next h steps of each series: its name, the time, the forecast."""
    import polars as pl

    h = fitted.shape.h
    values = forecast(fitted.model, memory.windows, memory.scales)
    times = np.concatenate([fitted.calendar.after(int(last), h) for last in memory.last])
    return pl.DataFrame(
        [
            pl.Series(fitted.names.id, np.repeat(np.asarray(memory.ids, dtype=str), h).tolist()),
            fitted.calendar.clock.column(fitted.names.time, times),
            pl.Series(FORECAST, values.ravel()),
        ]
    )
