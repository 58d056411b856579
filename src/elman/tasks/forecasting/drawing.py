"""Forecasts as pictures."""

from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data import Calendar
from elman.data.clock import Ticks
from elman.report import plots
from elman.tasks.forecasting.ahead import FORECAST, ahead
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.memory import only

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def axis_times(calendar: Calendar, ticks: Ticks) -> Any:
    """Ticks as what a plot's axis takes: NumPy's dates, or integers."""
    kind = calendar.clock.kind
    if kind == "integer":
        return ticks
    return ticks.astype("datetime64[D]" if kind == "date" else "datetime64[us]")


def next_steps(fitted: Fitted, series: str | None, ax: "Axes | None") -> "Axes":
    """The end of a series (the first by default) and its forecast.

    Raises:
        ValueError: the series is not known.
    """
    memory = only(fitted.memory, [fitted.memory.ids[0] if series is None else series])
    last, window = int(memory.last[0]), memory.windows[0]
    columns = {name: values[0] for name, values in ahead(fitted, memory).items()}
    seen = axis_times(fitted.calendar, fitted.calendar.before(last, window.size))
    after = axis_times(fitted.calendar, fitted.calendar.after(last, fitted.shape.h))
    if ax is None:
        _, (ax,) = plots.figure()
    made = columns[FORECAST]
    lines = {FORECAST: (np.r_[seen[-1:], after], np.r_[window[-1:], made], plots.MODEL)}
    levels = fitted.manner.levels if fitted.calibration else ()
    for k, level in enumerate(reversed(levels)):
        ends = (columns[f"{FORECAST}-{side}-{level:g}"] for side in ("lo", "hi"))
        plots.band(ax, after, *ends, name=f"{level:g} %", depth=k)
    return plots.legend(plots.forecast(ax, seen, window, lines, title=memory.ids[0]))
