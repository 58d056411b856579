"""Steps after the end of series: the rows a table of the future must have, and reading one."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.clock import Clock, Ticks, by_days
from elman.data.columns import check_present
from elman.data.covariates import Coding, columns_of
from elman.data.dataframes import to_native
from elman.data.errors import DataError
from elman.data.gaps import listed
from elman.data.numbers import Values
from elman.data.panel import Ends, Panel
from elman.data.table import Table, as_table
from elman.data.times import parse_times

if TYPE_CHECKING:
    import polars as pl

_NAME = "futr_df"


def make_future_dataframe(of: Panel | Ends, h: int) -> Any:
    """The next h times of each series, to add covariates to.

    Returns:
        a DataFrame of the library that the series came in, with the columns of names and times.

    Raises:
        ValueError: h is below 1.
        ImportError: the library is not installed.
    """
    return to_native(future_rows(_ends(of), _checked(h)), _ends(of).names.library)


def future_rows(ends: Ends, h: int) -> "pl.DataFrame":
    """The next h times of each series, as a polars DataFrame."""
    import polars as pl

    steps = np.tile(np.arange(1, h + 1), len(ends.ids))
    last = np.repeat(ends.last, h)
    times = ends.calendar.frequency.advance(last, steps, ends.calendar.clock)
    return pl.DataFrame(
        [
            ends.names.column(ends.ids).gather(np.repeat(np.arange(len(ends.ids)), h)),
            ends.calendar.clock.column(ends.names.time, times),
        ]
    )


def get_missing_future(of: Panel | Ends, futr_df: Any, h: int) -> Any:
    """The rows that `futr_df` lacks for a forecast of h steps, empty if none.

    Returns:
        a DataFrame of the library that the series came in, as `make_future_dataframe` gives it.

    Raises:
        DataError: `futr_df` breaks a rule; a missing cell of a covariate is one.
        ValueError: h is below 1.
    """
    ends = _ends(of)
    missing = np.isnan(_known(ends, futr_df, _checked(h), Coding(ends.categories))).any(axis=2)
    rows = future_rows(ends, h).filter(missing.ravel())
    return to_native(rows, ends.names.library)


def read_future(of: Panel | Ends, futr_df: Any, h: int) -> tuple[Values, tuple[str, ...]]:
    """Covariates of the next h steps of each series.

    Args:
        futr_df: a table with the columns of names, of times and of each of `futr_exog_list`;
            further rows and columns are ignored.

    Returns:
        (N, h, n_futr), and what has to be said, a sentence each.

    Raises:
        DataError: rows or cells are missing, or a cell is no value.
        ValueError: there are no such covariates, or h is below 1.
    """
    ends, coding = _ends(of), Coding(_ends(of).categories)
    if not ends.futr_exog_list:
        raise ValueError(
            "futr_df needs covariates that are known ahead; got no futr_exog_list; name its "
            "columns there when fitting, or leave futr_df out"
        )
    found = _known(ends, futr_df, _checked(h), coding)
    missing = np.isnan(found[:, :, 0])
    if missing.any():
        raise _incomplete(ends, missing, h)
    return found, tuple(coding.warnings)


def _incomplete(ends: Ends, missing: "np.ndarray[Any, Any]", h: int) -> DataError:
    k, step = (int(x) for x in np.argwhere(missing)[0])
    tick = int(ends.calendar.after(int(ends.last[k]), step + 1)[-1])
    lacking = listed([ends.ids[j] for j in np.flatnonzero(missing.any(axis=1)).tolist()])
    return DataError(
        f"{_NAME}: rows: each series needs its next {h} steps; got none of "
        f"{ends.calendar.clock.write(tick)} for {ends.ids[k]!r} ({int(missing.sum()):,} rows are "
        f"missing, for {lacking}); make_future_dataframe gives the rows, get_missing_future those "
        "that lack"
    )


def _checked(h: int) -> int:
    if isinstance(h, bool) or h != int(h) or h < 1:
        raise ValueError(f"h must be a whole number of steps; got {h!r}; give 1 or more")
    return h


def _ends(of: Panel | Ends) -> Ends:
    return of.ends if isinstance(of, Panel) else of


def _known(ends: Ends, futr_df: Any, h: int, coding: Coding) -> Values:
    """(N, h, covariates), NaN where a row is missing; (N, h, 1) without covariates."""
    groups, steps, values = future_steps(ends, futr_df, coding)
    found = np.full((len(ends.ids), h, max(1, values.shape[1])), np.nan)
    near = (steps >= 1) & (steps <= h)
    found[groups[near], steps[near] - 1] = values[near] if values.shape[1] else 0.0
    return found


def future_steps(ends: Ends, futr_df: Any, coding: Coding) -> tuple[Ticks, Ticks, Values]:
    """Rows of a table of the future: series, steps after its last value (1 or more), covariates.

    Raises:
        DataError: a row has no such time, two rows differ, or a cell is missing.
    """
    table = replace(as_table(futr_df, _NAME), path=None)
    needed = [("futr_exog_list", name) for name in ends.futr_exog_list]
    groups = groups_of(table, ends, [("time_col", ends.names.time), *needed])
    ticks, clock = parse_times(table, ends.names.time)
    ticks = as_kind(table, ticks, clock, ends.calendar.clock)
    values = columns_of(table, ends.futr_exog_list, "futr_exog_list", coding)
    frequency, clock = ends.calendar.frequency, ends.calendar.clock
    rows = np.flatnonzero(groups >= 0)
    groups, ticks = groups[rows], ticks[rows]
    steps = frequency.between(ends.last[groups], ticks, clock)
    off = (frequency.advance(ends.last[groups], steps, clock) != ticks) & (steps >= 0)
    if off.any():
        k = int(off.argmax())
        place, came = table.place(int(rows[k])), clock.write(int(ticks[k]))
        rule = f"times go on {frequency.name} apart, after {clock.write(int(ends.last[groups[k]]))}"
        raise table.refuse(place, rule, came, "make_future_dataframe gives the times")
    ahead = steps >= 1
    rows, groups, steps = rows[ahead], groups[ahead], steps[ahead]
    _check_cells(table, ends, rows, values)
    _check_twins(table, rows, groups, steps, values[rows])
    return groups, steps, values[rows]


def groups_of(table: Table, ends: Ends, needed: list[tuple[str, str]]) -> Ticks:
    """The series of each row of a table beside the first one; -1 for one that is not known.

    Raises:
        DataError: the column of names, or one of the (setting, column) that are `needed`, is
            missing.
    """
    import polars as pl

    named = ends.names.id in table.frame.columns or len(ends.ids) > 1
    for role, name in [("id_col", ends.names.id)] * named + needed:
        check_present(table, role, name)
    if not named:
        return np.zeros(table.frame.height, np.int64)
    codes = {name: k for k, name in enumerate(ends.ids)}
    column = table.frame[ends.names.id].cast(pl.String)
    return column.replace_strict(codes, default=-1, return_dtype=pl.Int64).to_numpy()


def as_kind(table: Table, ticks: Ticks, clock: Clock, like: Clock) -> Ticks:
    """Ticks of the kind that another table had.

    Raises:
        DataError: dates and datetimes, or integers, do not go together.
    """
    days = by_days(ticks, clock) if like.kind == "date" and clock.kind == "datetime" else None
    if days is not None:
        ticks, clock = days
    if clock.kind != like.kind or clock.offset != like.offset:
        rule = f"times are of the kind that the series have, such as {like.write(0)}"
        came = f"{clock.kind}s, such as {clock.write(int(ticks[0]))}"
        raise table.refuse("times", rule, came, "write them as in that table")
    return ticks


def _check_cells(table: Table, ends: Ends, rows: Ticks, values: Values) -> None:
    missing = np.isnan(values[rows])
    if missing.any():
        k, column = (int(x) for x in np.argwhere(missing)[0])
        row, name = int(rows[k]), ends.futr_exog_list[column]
        rule, repair = "covariates of the future are known", "fill the cell in"
        raise table.refuse(f"{table.place(row)}, column {name!r}", rule, "an empty cell", repair)


def _check_twins(table: Table, rows: Ticks, groups: Ticks, steps: Ticks, values: Values) -> None:
    order = np.lexsort((steps, groups))
    same = (np.diff(groups[order]) == 0) & (np.diff(steps[order]) == 0)
    differ = same & (np.diff(values[order], axis=0) != 0).any(axis=1)
    if differ.any():
        k = int(differ.argmax())
        a, b = sorted((int(rows[order[k]]), int(rows[order[k + 1]])))
        rule, came = "a series has one row for each time", "two that differ"
        raise table.refuse(f"{table.place(a)} and {table.place(b)}", rule, came, "remove one")
