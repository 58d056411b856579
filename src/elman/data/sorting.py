"""Rows by series and time: groups, order, and what occurs twice."""

from typing import Any

import numpy as np

from elman.data.clock import Clock, Ticks
from elman.data.columns import Columns
from elman.data.errors import shown
from elman.data.grid import Long
from elman.data.numbers import Values, parse_numbers
from elman.data.table import Table


def sorted_rows(
    table: Table, columns: Columns, ticks: Ticks, covariates: Values, clock: Clock
) -> tuple[Long, str]:
    """The rows of all series by series and time, each time once, and words for what was done.

    Raises:
        DataError: a row names no series, or two rows differ about one time.
    """
    if columns.wide:
        long = _wide(table, columns, ticks)
        if np.unique(ticks).size < ticks.size:
            _refuse_twins_of_wide(table, ticks, clock)
        return long, f"{table.frame.height:,}, in {len(long.keys):,} columns"
    keys, groups = _groups(table, columns)
    values = parse_numbers(table, columns.target)
    order = _order(groups, ticks)
    long = Long(keys, groups[order], ticks[order], values[order], order)
    long, dropped = _without_twins(table, long, covariates, clock, columns)
    words = f"{table.frame.height:,}"
    if _disordered(order, groups):
        words += ", sorted by time"
    if dropped:
        words += f"; {dropped:,} that repeat another are dropped"
    return long, words


def _order(groups: Ticks, ticks: Ticks) -> Ticks:
    """The order of rows by group and tick; files are often written in it."""
    step = np.diff(groups)
    if ((step > 0) | ((step == 0) & (np.diff(ticks) >= 0))).all():
        return np.arange(groups.size)
    return np.lexsort((ticks, groups))


def _disordered(order: Ticks, groups: Ticks) -> bool:
    """Whether some series is out of order in time (series may lie in any order)."""
    return bool(((np.diff(order) < 0) & (np.diff(groups[order]) == 0)).any())


def _wide(table: Table, columns: Columns, ticks: Ticks) -> Long:
    names = sorted(columns.targets)
    order = np.argsort(ticks, kind="stable")
    values = np.concatenate([parse_numbers(table, name)[order] for name in names])
    count = len(names)
    groups = np.repeat(np.arange(count), ticks.size)
    return Long(tuple(names), groups, np.tile(ticks[order], count), values, np.tile(order, count))


def _refuse_twins_of_wide(table: Table, ticks: Ticks, clock: Clock) -> None:
    order = np.argsort(ticks, kind="stable")
    k = int((np.diff(ticks[order]) == 0).argmax())
    a, b = int(order[k]), int(order[k + 1])
    rule, came = "a wide table has one row for each time", f"{clock.write(int(ticks[a]))} twice"
    repair = f"remove one, or name the one column to forecast with {table.flag('target_col')}"
    raise table.refuse(f"{table.place(a)} and {table.place(b)}", rule, came, repair)


def _groups(table: Table, columns: Columns) -> tuple[tuple[str, ...], Ticks]:
    import polars as pl

    if columns.id is None:
        return (columns.target,), np.zeros(table.frame.height, np.int64)
    column = table.frame[columns.id]
    # Rows without a name cannot be told apart from a series.
    nameless = column.is_null()
    if column.dtype == pl.String:
        nameless |= column == ""
    if nameless.any():
        row = int(nameless.arg_max() or 0)
        place = f"{table.place(row)}, column {columns.id!r}"
        rule, repair = "each row says which series it belongs to", "fill the cell or remove the row"
        raise table.refuse(place, rule, "an empty cell", repair)
    column = column if column.dtype.is_integer() else _as_text(table, column)
    keys = column.unique().sort()
    numbered = keys.to_frame().with_row_index("group")
    joined = column.to_frame().join(numbered, on=column.name, how="left", maintain_order="left")
    names = tuple(str(key) for key in keys.to_list())
    return names, joined["group"].to_numpy().astype(np.int64)


def _as_text(table: Table, column: Any) -> Any:
    import polars as pl

    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:
        rule, repair = "series are named by text or whole numbers", "convert the column"
        raise table.refuse(f"column {column.name!r}", rule, str(column.dtype), repair) from None


def _without_twins(
    table: Table, long: Long, covariates: Values, clock: Clock, columns: Columns
) -> tuple[Long, int]:
    """Drop rows that repeat another; refuse two that differ about one time."""
    same = (np.diff(long.groups) == 0) & (np.diff(long.ticks) == 0)
    if not same.any():
        return long, 0
    differ = _differ(long.values[:, None], same)
    beside = _differ(covariates[long.rows], same)
    clash = differ | beside
    if clash.any():
        k = int(clash.argmax())
        a, b = sorted((int(long.rows[k]), int(long.rows[k + 1])))
        first, second = long.values[k : k + 2]
        came = clock.write(int(long.ticks[k]))
        came += f" of {shown(long.keys[long.groups[k]])}" if columns.id else ""
        came += f" with {first:g} and {second:g}" if differ[k] else " with differing covariates"
        repair = _twins_repair(table, columns, clock)
        more = int(clash.sum()) - 1
        repair += f" ({more:,} more like it)" if more else ""
        rule = "a series has one value for each time"
        raise table.refuse(f"{table.place(a)} and {table.place(b)}", rule, came, repair)
    keep = np.r_[True, ~same]
    kept = Long(long.keys, long.groups[keep], long.ticks[keep], long.values[keep], long.rows[keep])
    return kept, int(same.sum())


def _differ(values: Values, same: Any) -> Any:
    """Whether neighbouring rows of one time differ, by pair."""
    first, second = values[:-1], values[1:]
    equal = (first == second) | (np.isnan(first) & np.isnan(second))
    return same & ~equal.all(axis=1)


def _twins_repair(table: Table, columns: Columns, clock: Clock) -> str:
    if columns.id is None:
        return f"remove one, or {name_the_series(table)}"
    if clock.kind == "datetime" and clock.zone is None:
        return "remove one; where the clock was put back, write times in UTC"
    return "remove one"


def name_the_series(table: Table) -> str:
    """The repair where rows of several series cannot be told apart."""
    return f"name the column that tells series apart with {table.flag('id_col')}"
