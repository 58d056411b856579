"""Forecasts as a table, of the library that the series came in."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from elman.data import to_native
from elman.data.clock import Ticks
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.memory import Memory
from elman.tasks.forecasting.metrics import Array


def predictions(fitted: Fitted, memory: Memory, columns: Mapping[str, Array]) -> Any:
    """The next steps of each series: its name, the time, and columns (N, h)."""
    steps = next(iter(columns.values())).shape[1]
    times = [fitted.calendar.after(int(last), steps) for last in memory.last]
    return table(fitted, memory.ids, np.stack(times), columns)


def table(
    fitted: Fitted,
    ids: Sequence[str],
    times: Ticks,
    columns: Mapping[str, Array],
    cutoffs: Ticks | None = None,
) -> Any:
    """A row for each of N series and h steps.

    Args:
        ids: (N,).
        times: (N, h), ticks.
        columns: (N, h) by name; NaN is written as missing.
        cutoffs: (N,), ticks; a column after the times where given.
    """
    import polars as pl

    clock, h = fitted.calendar.clock, times.shape[1]
    found = [
        fitted.names.column(ids).gather(np.repeat(np.arange(len(ids)), h)),
        clock.column(fitted.names.time, times.ravel()),
    ]
    if cutoffs is not None:
        found.append(clock.column("cutoff", np.repeat(cutoffs, h)))
    found += [pl.Series(name, v.ravel(), nan_to_null=True) for name, v in columns.items()]
    return to_native(pl.DataFrame(found), fitted.names.library)
