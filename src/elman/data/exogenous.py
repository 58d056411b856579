"""Covariates of all series, end to end: of the past, known ahead, and static."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data.clock import Ticks
from elman.data.covariates import Coding, align, columns_of, static_values
from elman.data.future import future_steps, groups_of
from elman.data.grid import Grid, Long
from elman.data.numbers import Values
from elman.data.panel import Ends
from elman.data.table import Table, as_table

Lists = dict[str, tuple[str, ...]]
HIST, FUTR, STAT = "hist_exog_list", "futr_exog_list", "stat_exog_list"


@dataclass(frozen=True)
class Exogenous:
    """Covariates on the grid of N series.

    - `hist`: (steps, n_hist), where `Grid.starts` says; `static`: (N, n_stat).
    - `futr`: (steps and further ones, n_futr), where `starts` (N + 1,) says.
    - `ahead`: (N,), further steps of each series.
    """

    hist: Values
    futr: Values
    starts: Ticks
    ahead: Ticks
    static: Values


@dataclass(frozen=True)
class Given:
    """Where covariates come from.

    - `columns`: (rows, n) of each list, as they stand in the table.
    - `ends`: of the series.
    """

    table: Table
    long: Long
    grid: Grid
    ends: Ends
    lists: Lists
    columns: dict[str, Values]
    coding: Coding

    def aligned(self, which: str) -> Values:
        """(steps, n): a list of covariates on the grid."""
        return align(self.table, self.grid, self.lists[which], self.columns[which], self.coding)

    def series_of_rows(self) -> Ticks:
        """For each sorted row, its series, or -1 if that is left out."""
        number = np.full(len(self.long.keys), -1)
        number[self.grid.groups] = np.arange(self.grid.groups.size)
        found: Ticks = number[self.long.groups]
        return found


def exogenous(given: Given, static_df: Any, futr_df: Any) -> Exogenous:
    """Put all covariates on the grid.

    Raises:
        DataError: a table breaks a rule, or values are missing that cannot be filled in.
        ValueError: a table is given, but no covariates that would be in it.
    """
    for table, which, name in ((static_df, STAT, "static_df"), (futr_df, FUTR, "futr_df")):
        if table is not None and not given.lists[which]:
            raise ValueError(
                f"{name} needs {which}; got no names; name its columns, or leave {name} out"
            )
    futr, starts, ahead = _known_ahead(given, futr_df)
    static = _static_of(given) if static_df is None else _static_from(given, static_df)
    return Exogenous(given.aligned(HIST), futr, starts, ahead, static)


def _known_ahead(given: Given, futr_df: Any) -> tuple[Values, Ticks, Ticks]:
    """Covariates that are known ahead, where series start, and how many further steps they have.

    Further steps are the rows of the table after the last value, and those of `futr_df`, as many
    as follow without a gap.
    """
    grid, aligned = given.grid, given.aligned(FUTR)
    if not given.lists[FUTR]:
        return aligned, grid.starts, np.zeros(len(grid.keys), np.int64)
    groups, steps, values = _further(given, futr_df)
    ahead = np.bincount(groups, minlength=len(grid.keys))
    starts = np.r_[0, np.cumsum(grid.sizes + ahead)]
    found = np.empty((int(starts[-1]), aligned.shape[1]))
    shift = np.repeat(starts[:-1] - grid.starts[:-1], grid.sizes)
    found[np.arange(shift.size) + shift] = aligned
    found[starts[groups] + grid.sizes[groups] + steps - 1] = values
    return found, starts, ahead


def _further(given: Given, futr_df: Any) -> tuple[Ticks, Ticks, Values]:
    """Series, steps after its end, and covariates of each step that follows without a gap."""
    parts = [_rows_after(given)]
    if futr_df is not None:
        coding = Coding(given.coding.made)
        parts.insert(0, future_steps(given.ends, futr_df, coding))
        given.coding.warnings.extend(f"futr_df: {text}" for text in coding.warnings)
    groups, steps, values = (np.concatenate(each) for each in zip(*parts, strict=True))
    # Of two rows for one step the first counts: that of futr_df.
    order = np.lexsort((np.arange(groups.size), steps, groups))
    groups, steps, values = groups[order], steps[order], values[order]
    once = (np.diff(groups, prepend=-1) != 0) | (np.diff(steps, prepend=-1) != 0)
    groups, steps, values = groups[once], steps[once], values[once]
    rank = np.arange(groups.size) - np.searchsorted(groups, groups)
    follows = steps == rank + 1
    return groups[follows], steps[follows], values[follows]


def _rows_after(given: Given) -> tuple[Ticks, Ticks, Values]:
    """Rows after the last value of their series, where their covariates are there."""
    long, last, calendar = given.long, given.grid.last, given.ends.calendar
    which = given.series_of_rows()
    columns = given.columns[FUTR][long.rows]
    after = (which >= 0) & (long.ticks > last[which]) & ~np.isnan(columns).any(axis=1)
    which, ticks, values = which[after], long.ticks[after], columns[after]
    steps = calendar.frequency.between(last[which], ticks, calendar.clock)
    on = calendar.frequency.advance(last[which], steps, calendar.clock) == ticks
    return which[on], steps[on], values[on]


def _static_of(given: Given) -> Values:
    """(N, n_stat), from the rows of the table itself."""
    if not given.lists[STAT]:
        return np.zeros((len(given.grid.keys), 0))
    keys = np.full(given.table.frame.height, -1)
    keys[given.long.rows] = given.series_of_rows()
    return static_values(given.table, given.ends.ids, keys, given.lists[STAT], given.columns[STAT])


def _static_from(given: Given, static_df: Any) -> Values:
    """(N, n_stat), from a table with a row for each series."""
    table, names = as_table(static_df, "static_df"), given.lists[STAT]
    keys = groups_of(table, given.ends, [(STAT, name) for name in names])
    columns = columns_of(table, names, STAT, given.coding)
    return static_values(table, given.ends.ids, keys, names, columns)
