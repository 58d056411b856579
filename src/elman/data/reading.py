"""From a table to a panel: columns, times, values, frequency, gaps, each said."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data.clock import Clock, Ticks, parse_times
from elman.data.columns import Columns, choose_columns
from elman.data.columns import Names as Asked
from elman.data.errors import shown
from elman.data.frequency import Frequency, infer_frequency, parse_frequency
from elman.data.grid import Gaps, fill, on_grid
from elman.data.numbers import Values, parse_numbers
from elman.data.panel import Calendar, Names, Panel, Series, Understood
from elman.data.table import Table, as_table

Rows = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Long:
    """A long table, sorted by series and time: `rows` are the rows of the table, for errors."""

    keys: tuple[str, ...]
    groups: Rows
    ticks: Ticks
    values: Values
    rows: Rows


def read_panel(
    data: Any,
    *,
    id_col: str = "",
    time_col: str = "",
    target_col: str = "",
    freq: str | Frequency = "",
    season: int = 0,
) -> Panel:
    """Read series from a CSV file or a DataFrame; what is not named is inferred.

    Args:
        data: a path, a polars or pandas DataFrame, or a dict of columns: one row for each series
            and time, in any order.
        id_col, time_col, target_col: names of columns; "" to infer.
        freq: such as "1h", "1d", "1mo"; "" to infer.
        season: steps after which values repeat; 0 to take the frequency's usual one.

    Raises:
        DataError: the table breaks a rule; names the line and the repair.
    """
    table = as_table(data)
    columns = choose_columns(table, Asked(id_col, time_col, target_col))
    ticks, clock = parse_times(table, columns.time)
    values = parse_numbers(table, columns.target)
    long, facts = _sorted(table, columns, ticks, values, clock)
    frequency, how = _frequency(table, long, clock, freq)
    calendar = Calendar(clock, frequency)
    series, gaps = _series(table, long, calendar)
    steps, name = frequency.season()
    season_words = f"season {season or steps}" + (f" ({name})" if name and not season else "")
    facts.append(
        (
            "frequency",
            f"{frequency.name}, {how}; {season_words if (season or steps) > 1 else 'no season'}",
        )
    )
    facts += [("series", _lengths(series, calendar)), ("gaps", gaps.words())]
    usual = max(season or steps, 10)
    warnings = (*table.notes, *gaps.warnings(usual), *_constant(series))
    understood = Understood(table.name, _roles(columns), columns.ignored, tuple(facts), warnings)
    names = Names(columns.id or "unique_id", columns.time, columns.target)
    return Panel(
        series, names, columns.id is not None, calendar, season or steps, understood, table.sha256
    )


def _roles(columns: Columns) -> tuple[tuple[str, str, str], ...]:
    pairs = (("time", columns.time), ("series", columns.id), ("value", columns.target))
    taken = tuple((role, name, columns.reasons[name]) for role, name in pairs if name)
    return (
        taken if columns.id else (*taken, ("series", "(none)", "no time occurs twice: one series"))
    )


def _sorted(
    table: Table, columns: Columns, ticks: Ticks, values: Values, clock: Clock
) -> tuple[Long, list[tuple[str, str]]]:
    """Sort by series and time, and see to rows that occur twice."""
    keys, groups = _groups(table, columns)
    order = np.lexsort((ticks, groups))
    moved = int((order != np.arange(order.size)).sum())
    long = Long(keys, groups[order], ticks[order], values[order], order)
    long, dropped = _without_twins(table, long, clock, columns)
    words = f"{table.frame.height:,}"
    if moved and _disordered(groups, ticks):
        words += ", sorted by time"
    if dropped:
        words += f"; {dropped:,} that repeat another are dropped"
    return long, [("rows", words)]


def _disordered(groups: Rows, ticks: Ticks) -> bool:
    """Whether some series is out of order in time (series may lie in any order)."""
    order = np.argsort(groups, kind="stable")
    return bool(((np.diff(ticks[order]) < 0) & (np.diff(groups[order]) == 0)).any())


def _groups(table: Table, columns: Columns) -> tuple[tuple[str, ...], Rows]:
    import polars as pl

    if columns.id is None:
        return (columns.target,), np.zeros(table.frame.height, np.int64)
    column = table.frame[columns.id]
    # Rows without a name cannot be told apart from a series.
    nameless = column.is_null() | (column.cast(pl.String) == "")
    if nameless.any():
        row = int(nameless.arg_max() or 0)
        place = f"{table.place(row)}, column {columns.id!r}"
        rule, repair = "each row says which series it belongs to", "fill the cell or remove the row"
        raise table.refuse(place, rule, "an empty cell", repair)
    keys, groups = np.unique(column.cast(pl.String).to_numpy().astype(str), return_inverse=True)
    return tuple(map(str, keys)), groups.astype(np.int64)


def _without_twins(table: Table, long: Long, clock: Clock, columns: Columns) -> tuple[Long, int]:
    """Drop rows that repeat another; refuse two values for one time."""
    same = (np.diff(long.groups) == 0) & (np.diff(long.ticks) == 0)
    first, second = long.values[:-1], long.values[1:]
    clash = same & ~((first == second) | (np.isnan(first) & np.isnan(second)))
    if clash.any():
        k = int(clash.argmax())
        a, b = sorted((int(long.rows[k]), int(long.rows[k + 1])))
        rule = "a series has one value for each time"
        of = f" of {shown(long.keys[long.groups[k]])}" if columns.id else ""
        came = f"{clock.write(int(long.ticks[k]))}{of} with {first[k]:g} and {second[k]:g}"
        repair = "remove one" if columns.id else "remove one, or " + _name_the_series(table)
        more = int(clash.sum()) - 1
        repair += f" ({more:,} more like it)" if more else ""
        raise table.refuse(f"{table.place(a)} and {table.place(b)}", rule, came, repair)
    keep = np.r_[True, ~same]
    kept = Long(long.keys, long.groups[keep], long.ticks[keep], long.values[keep], long.rows[keep])
    return kept, int(same.sum())


def _name_the_series(table: Table) -> str:
    return f"name the column that tells series apart with {table.flag('id_col')}"


def _frequency(
    table: Table, long: Long, clock: Clock, asked: str | Frequency
) -> tuple[Frequency, str]:
    if isinstance(asked, Frequency):
        return _same_kind(table, asked, clock), "as the model was fitted to"
    if asked:
        return parse_frequency(asked, clock), "as you asked"
    within = np.diff(long.groups) == 0
    differences = np.diff(long.ticks)[within]
    if not differences.size:
        rule, came = "a series has at least two times", "one row for each series"
        repair = f"give more rows, or {_name_the_series(table)}"
        raise table.refuse("rows", rule, came, repair)
    return infer_frequency(differences, long.ticks, clock), "inferred"


def _same_kind(table: Table, frequency: Frequency, clock: Clock) -> Frequency:
    """Refuse dates for a model of integers, and the like."""
    kinds = {"integer": ("integer",), "microsecond": ("datetime",), "month": ("date", "datetime")}
    if clock.kind not in kinds.get(frequency.unit, ("date",)):
        rule = f"times are of the kind that the model was fitted to, {frequency.name} apart"
        raise table.refuse("times", rule, f"{clock.kind}s", "write the times as in that table")
    return frequency


def _series(table: Table, long: Long, calendar: Calendar) -> tuple[tuple[Series, ...], Gaps]:
    bounds = np.flatnonzero(np.diff(long.groups)) + 1
    starts, ends = np.r_[0, bounds], np.r_[bounds, long.groups.size]
    gaps, series = Gaps(), []
    for start, end in zip(starts, ends, strict=True):
        name = long.keys[long.groups[start]]
        part = slice(start, end)
        grid = on_grid(table, calendar, long.ticks[part], long.values[part], long.rows[part])
        if grid is None:
            gaps = gaps.left_out(name)
            continue
        one = fill(name, *grid)
        series.append(one)
        gaps = gaps.plus(one, calendar)
    if not series:
        raise table.refuse(
            "rows", "a series has values", "missing ones alone", "fill the values in"
        )
    return tuple(series), gaps


def _lengths(series: tuple[Series, ...], calendar: Calendar) -> str:
    lengths = sorted(one.values.size for one in series)
    steps = f"{lengths[0]:,}" if lengths[0] == lengths[-1] else f"{lengths[0]:,} to {lengths[-1]:,}"
    first = calendar.clock.write(min(one.first for one in series))
    last = calendar.clock.write(max(one.last for one in series))
    each = " each" if len(series) > 1 and lengths[0] == lengths[-1] else ""
    return f"{len(series):,}, {steps} steps{each}, from {first} to {last}"


def _constant(series: tuple[Series, ...]) -> tuple[str, ...]:
    names = [one.id for one in series if one.values.size > 1 and np.ptp(one.values) == 0]
    if not names:
        return ()
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (f"always the same value: {', '.join(names[:3])}{more}; the last value forecasts it",)
