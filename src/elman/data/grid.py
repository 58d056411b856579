"""One value at each step: missing times and values are found, counted and interpolated.

All series lie end to end in one array, so that nothing here takes longer for having many.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data.clock import Ticks
from elman.data.frequency import Frequency
from elman.data.numbers import Values
from elman.data.panel import Calendar
from elman.data.table import Table

Flags = np.ndarray[Any, np.dtype[np.bool_]]

# A grid with more steps than this for each row means that the frequency is wrong.
_MOST_STEPS_A_ROW = 50
_FREE_STEPS = 10_000


@dataclass(frozen=True)
class Long:
    """Rows sorted by series and time, each time once.

    - `keys`: names of the series; `groups`: which one a row belongs to.
    - `rows`: the row of the table, for errors and for covariates.
    """

    keys: tuple[str, ...]
    groups: Ticks
    ticks: Ticks
    values: Values
    rows: Ticks


@dataclass(frozen=True)
class Grid:
    """N series end to end, a value each step.

    - `keys`: their names; `groups`: (N,), their numbers in the table they came from.
    - `starts`: (N + 1,), where each begins and the last one ends.
    - `first`, `last`: (N,), ticks.
    - `values`, `filled`: all values, and which were missing and have been interpolated.
    - `rows`, `places`: rows of the table, and where each lies.
    - `regular`: share of neighbouring rows that lie one step apart.
    - `empty`: names of the series without a value, which are left out.
    """

    keys: tuple[str, ...]
    groups: Ticks
    starts: Ticks
    first: Ticks
    last: Ticks
    values: Values
    filled: Flags
    rows: Ticks
    places: Ticks
    regular: float
    empty: tuple[str, ...]

    @property
    def sizes(self) -> Ticks:
        """(N,), steps of each series."""
        return np.diff(self.starts)


def on_grid(table: Table, calendar: Calendar, long: Long) -> Grid:
    """Put rows on the grid and interpolate linearly between the neighbours of what is missing.

    A series begins and ends with a value that is there.

    Raises:
        DataError: a time lies off the grid, the grid would be far larger than the table, or there
            is no value at all.
    """
    present = np.flatnonzero(~np.isnan(long.values))
    if not present.size:
        raise table.refuse("rows", "a series has values", "missing ones alone", "fill them in")
    begins = np.flatnonzero(np.diff(long.groups[present], prepend=-1))
    first_row, last_row = present[begins], present[np.r_[begins[1:], present.size] - 1]
    groups = long.groups[first_row]
    number = np.full(len(long.keys), -1)
    number[groups] = np.arange(groups.size)
    which = number[long.groups]
    at = np.arange(which.size)
    kept = np.flatnonzero((which >= 0) & (at >= first_row[which]) & (at <= last_row[which]))
    which, ticks = which[kept], long.ticks[kept]
    first, last = long.ticks[first_row], long.ticks[last_row]
    steps = calendar.frequency.between(first[which], ticks, calendar.clock)
    on = calendar.frequency.advance(first[which], steps, calendar.clock) == ticks
    if not on.all():
        raise _off_grid(table, calendar, long, kept, first[which], on)
    counts = np.bincount(which)
    sizes = steps[np.cumsum(counts) - 1] + 1
    _check_sizes(table, calendar, counts, sizes)
    starts = np.r_[0, np.cumsum(sizes)]
    places = starts[which] + steps
    flat = np.full(int(starts[-1]), np.nan)
    flat[places] = long.values[kept]
    filled = np.isnan(flat)
    if filled.any():
        there = np.flatnonzero(~filled)
        flat = np.interp(np.arange(flat.size), there, flat[there])
    apart = np.diff(steps)[np.diff(which) == 0]
    regular = float((apart == 1).mean()) if apart.size else 1.0
    keys = tuple(long.keys[k] for k in groups.tolist())
    empty = tuple(long.keys[k] for k in np.flatnonzero(number < 0).tolist())
    return Grid(
        keys, groups, starts, first, last, flat, filled, long.rows[kept], places, regular, empty
    )


def _off_grid(
    table: Table, calendar: Calendar, long: Long, kept: Ticks, first: Ticks, on: Flags
) -> Exception:
    write = calendar.clock.write
    k = int((~on).argmax())
    row = int(kept[k])
    before = f" after {write(int(long.ticks[row - 1]))}"
    rule = f"times lie {calendar.frequency.name} apart, from {write(int(first[k]))} on"
    more = f" ({int((~on).sum()):,} of {on.size:,} times lie off)"
    came = write(int(long.ticks[row])) + before + more
    repair = f"round or aggregate the times{_finer(table, calendar, long)}"
    if calendar.clock.kind == "datetime":
        repair += f"; for instance {_ROUNDED.format(calendar.frequency.name)}"
    return table.refuse(table.place(int(long.rows[row])), rule, came, repair)


_ROUNDED = (
    "in polars: frame.group_by(series, pl.col(time).dt.round({0!r})).agg(pl.col(value).mean())"
)


def _finer(table: Table, calendar: Calendar, long: Long) -> str:
    """Words for the frequency on which all times lie, where it is not far too fine."""
    unit = {"business day": "day", "month": "day"}.get(calendar.frequency.unit)
    apart = np.diff(long.ticks)[np.diff(long.groups) == 0]
    size = int(np.gcd.reduce(apart)) if apart.size else 0
    if not size or apart.sum() > _MOST_STEPS_A_ROW * size * apart.size:
        return ", or give another frequency with freq"
    name = Frequency(unit or calendar.frequency.unit, size).name  # type: ignore[arg-type]
    share = 100 * size * apart.size / apart.sum()
    return f", or give {table.flag('freq', name)}, on which all lie ({share:.0f} % of its steps)"


def _check_sizes(table: Table, calendar: Calendar, counts: Ticks, sizes: Ticks) -> None:
    far = (sizes > _FREE_STEPS) & (sizes > _MOST_STEPS_A_ROW * counts)
    if far.any():
        k = int(far.argmax())
        rule = f"times lie {calendar.frequency.name} apart, with few missing"
        came = f"{counts[k]:,} rows over {sizes[k]:,} steps"
        repair = "give the right one with freq, or aggregate the rows"
        raise table.refuse("times", rule, came, repair)


def fill_between(values: Values, starts: Ticks, *, linear: bool) -> Values:
    """Fill NaN within each series: between its neighbours, or with the nearest at an end.

    Args:
        values: series end to end; `starts`: (N + 1,), where each begins.
        linear: False carries the last value on instead (for codes of categories).

    Returns:
        the values; NaN is left only in a series that has nothing else.
    """
    there = ~np.isnan(values)
    if there.all():
        return values
    at = np.arange(values.size)
    sizes = np.diff(starts)
    begin, end = np.repeat(starts[:-1], sizes), np.repeat(starts[1:], sizes)
    left = np.maximum.accumulate(np.where(there, at, -1))
    right = np.minimum.accumulate(np.where(there, at, values.size)[::-1])[::-1]
    has_left, has_right = left >= begin, right < end
    left, right = np.where(has_left, left, right), np.where(has_right, right, left)
    left, right = np.clip(left, 0, at.size - 1), np.clip(right, 0, at.size - 1)
    share = np.where(right > left, (at - left) / np.maximum(right - left, 1), 0.0)
    near = values[left] + (share * (values[right] - values[left]) if linear else 0.0)
    return np.where(has_left | has_right, near, np.nan)
