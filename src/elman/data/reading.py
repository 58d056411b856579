"""From a table to a panel: columns, times, values, covariates, frequency, gaps, each said."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from elman.data import words
from elman.data.clock import Clock, Ticks, by_days
from elman.data.columns import Columns, choose_columns
from elman.data.columns import Names as Asked
from elman.data.covariates import Categories, Coding, checked_lists, columns_of
from elman.data.exogenous import FUTR, HIST, STAT, Exogenous, Given, exogenous
from elman.data.frequency import Frequency, infer_frequency, parse_frequency
from elman.data.grid import Grid, Long, on_grid
from elman.data.panel import Calendar, Ends, Names, Panel, Series, Understood
from elman.data.sorting import name_the_series, sorted_rows
from elman.data.table import Table, as_table
from elman.data.times import parse_times


def read_panel(
    df: Any,
    *,
    id_col: str = "",
    time_col: str = "",
    target_col: str = "",
    freq: str | int | Frequency = "",
    season: int = 0,
    hist_exog_list: Iterable[str] = (),
    futr_exog_list: Iterable[str] = (),
    stat_exog_list: Iterable[str] = (),
    static_df: Any = None,
    futr_df: Any = None,
    categories: Categories | None = None,
) -> Panel:
    """Read series from a file or a DataFrame; what is not named is inferred.

    Args:
        df: the path of a CSV or Parquet file, a DataFrame (polars, pandas, pyarrow), or a dict of
            columns: one row for each series and time, in any order; or a wide one, with a column
            for each series, where `target_col` says so.
        id_col, time_col, target_col: names of columns; "" to infer. Several targets with commas,
            or "all" for each column of numbers, make each a series of its own.
        freq: such as "1h", "1d", "1mo" or pandas' spellings; "" to infer.
        season: steps after which values repeat; 0 to take the frequency's usual one.
        hist_exog_list: columns of covariates that are known as far as the target is.
        futr_exog_list: columns of covariates that are known ahead.
        stat_exog_list: columns of covariates that do not change within a series.
        static_df: a table of `stat_exog_list`, a row for each series; None to find them in `df`.
        futr_df: a table of `futr_exog_list` for steps after the end of the series.
        categories: tables of a panel that was read before, to code text as it did.

    Raises:
        DataError: a table breaks a rule; names the line and the repair.
        TypeError, ValueError: a list of covariates or `freq` breaks a rule.
    """
    lists = checked_lists({HIST: hist_exog_list, FUTR: futr_exog_list, STAT: stat_exog_list})
    table, coding = as_table(df), Coding(categories)
    # What static_df has is not looked for in the table.
    inside = lists if static_df is None else lists | {STAT: ()}
    named = tuple((which, name) for which, names in inside.items() for name in names)
    columns = choose_columns(table, Asked(id_col, time_col, target_col, named))
    ticks, clock = _times(table, columns, freq)
    beside = {k: columns_of(table, names, k, coding) for k, names in inside.items()}
    everything = np.concatenate(list(beside.values()), axis=1)
    long, rows = sorted_rows(table, columns, ticks, everything, clock)
    frequency, how = _frequency(table, long, clock, freq)
    calendar = Calendar(clock, frequency)
    grid = on_grid(table, calendar, long)
    names, has_id = _names(table, columns), columns.id is not None
    ends = Ends(grid.keys, grid.last, names, calendar, has_id, lists[FUTR], coding.made)
    given = Given(table, long, grid, ends, lists, beside, coding)
    more = exogenous(given, static_df, futr_df)
    season = season or frequency.season()[0]
    said = words.facts(given, more, rows, how, season)
    warnings = (*table.notes, *words.warnings(given, season), *coding.warnings)
    roles = words.roles(columns, lists)
    understood = Understood(table.name, roles, columns.ignored, said, warnings)
    panel = Panel(_series(grid, more), names, has_id, calendar, season, understood, table.sha256)
    return replace(panel, categories=coding.made, **lists)  # type: ignore[arg-type]


def _times(table: Table, columns: Columns, freq: str | int | Frequency) -> tuple[Ticks, Clock]:
    """Ticks, in days where that loses nothing and the frequency asked for is not shorter."""
    ticks, clock = parse_times(table, columns.time)
    days = by_days(ticks, clock) if clock.kind == "datetime" else None
    if days is None:
        return ticks, clock
    if isinstance(freq, Frequency):
        return days if freq.unit in ("day", "business day", "month") else (ticks, clock)
    if not freq:
        return days
    try:
        parse_frequency(str(freq), days[1])
    except ValueError:
        return ticks, clock
    return days


def _names(table: Table, columns: Columns) -> Names:
    whole = columns.id is not None and table.frame[columns.id].dtype.is_integer()
    id_type = str(table.frame[columns.id].dtype) if columns.id and whole else ""
    target, wide = columns.target, columns.wide
    return Names(columns.id or "unique_id", columns.time, target, id_type, table.library, wide)


def _frequency(
    table: Table, long: Long, clock: Clock, asked: str | int | Frequency
) -> tuple[Frequency, str]:
    if isinstance(asked, Frequency):
        return _same_kind(table, asked, clock), "as the model was fitted to"
    times = np.unique(long.ticks)
    if asked:
        return _at_ends(parse_frequency(str(asked), clock), times), "as you asked"
    within = np.diff(long.groups) == 0
    differences = np.diff(long.ticks)[within]
    if not differences.size:
        rule, came = "a series has at least two times", "one row for each series"
        repair = f"give more rows, or {name_the_series(table)}"
        raise table.refuse("rows", rule, came, repair)
    return infer_frequency(differences, times, clock), "inferred"


def _at_ends(frequency: Frequency, days: Ticks) -> Frequency:
    """Months counted from their last days, where every time is one."""
    months = (days + 1).astype("datetime64[D]").astype("datetime64[M]")
    last = frequency.unit == "month" and (months.astype("datetime64[D]").view("i8") == days + 1)
    return replace(frequency, month_end=frequency.month_end or bool(np.all(last)))


def _same_kind(table: Table, frequency: Frequency, clock: Clock) -> Frequency:
    """Refuse dates for a model of integers, and the like."""
    kinds = {"integer": "integer", "microsecond": "datetime"}
    if clock.kind != kinds.get(frequency.unit, "date"):
        rule = f"times are of the kind that the model was fitted to, {frequency.name} apart"
        raise table.refuse("times", rule, f"{clock.kind}s", "write the times as in that table")
    return frequency


def _series(grid: Grid, more: Exogenous) -> tuple[Series, ...]:
    first, last = grid.first.tolist(), grid.last.tolist()
    starts, further = grid.starts.tolist(), more.starts.tolist()
    found = []
    for k, name in enumerate(grid.keys):
        part, longer = slice(starts[k], starts[k + 1]), slice(further[k], further[k + 1])
        values, filled = grid.values[part], grid.filled[part]
        beside = more.hist[part], more.futr[longer], more.static[k]
        found.append(Series(name, values, first[k], last[k], filled, *beside))
    return tuple(found)
