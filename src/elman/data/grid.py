"""One value at each step: missing times and values are found, counted and interpolated."""

from dataclasses import dataclass, replace

import numpy as np

from elman.data.clock import Ticks
from elman.data.numbers import Values
from elman.data.panel import Calendar, Series
from elman.data.table import Table

# A grid with more steps than this for each row means that the frequency is wrong.
_MOST_STEPS_A_ROW = 50
_FREE_STEPS = 10_000


@dataclass(frozen=True)
class Gaps:
    """What was filled: steps in all, steps filled, and the longest run of them."""

    steps: int = 0
    filled: int = 0
    longest: int = 0
    where: str = ""
    empty: tuple[str, ...] = ()
    sparse: tuple[str, ...] = ()

    def plus(self, one: Series, calendar: Calendar) -> "Gaps":
        """With those of another series."""
        filled = int(one.filled.sum())
        longest, start = _longest_run(one.filled)
        total = replace(self, steps=self.steps + one.values.size, filled=self.filled + filled)
        if filled > one.values.size / 2:
            total = replace(total, sparse=(*total.sparse, one.id))
        if longest <= self.longest:
            return total
        tick = calendar.frequency.advance(one.first, np.asarray([start]), calendar.clock)[0]
        return replace(
            total, longest=longest, where=f"{one.id} from {calendar.clock.write(int(tick))}"
        )

    def left_out(self, name: str) -> "Gaps":
        """With a series that has no value at all."""
        return replace(self, empty=(*self.empty, name))

    def words(self) -> str:
        """For people."""
        if not self.filled:
            return "none"
        share = 100 * self.filled / self.steps
        return (
            f"{self.filled:,} of {self.steps:,} values ({share:.2g} %) were missing and are "
            f"interpolated; the longest gap is {self.longest} ({self.where})"
        )

    def warnings(self, usual: int) -> tuple[str, ...]:
        """What to look at: gaps longer than `usual` steps, series that are mostly gaps."""
        found = []
        if self.longest > usual:
            found.append(f"a gap of {self.longest} steps is interpolated: {self.where}")
        if self.sparse:
            found.append(
                f"more than half of the values are filled in: {', '.join(self.sparse[:3])}"
            )
        if self.empty:
            found.append(f"left out, without a single value: {', '.join(self.empty[:3])}")
        return tuple(found)


def _longest_run(flags: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> tuple[int, int]:
    """Length and start of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    if not edges.size:
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    best = int(lengths.argmax())
    return int(lengths[best]), int(edges[::2][best])


def on_grid(
    table: Table, calendar: Calendar, ticks: Ticks, values: Values, rows: Ticks
) -> tuple[Ticks, Values] | None:
    """The series with NaN at steps without a value; None where there is no value at all.

    Returns:
        the ticks of the first and last value, and the values from one to the other.

    Raises:
        DataError: a time lies off the grid, or the grid would be far larger than the table.
    """
    present = np.flatnonzero(~np.isnan(values))
    if not present.size:
        return None
    part = slice(present[0], present[-1] + 1)
    ticks, values, rows = ticks[part], values[part], rows[part]
    clock, frequency = calendar.clock, calendar.frequency
    steps = frequency.between(int(ticks[0]), ticks, clock)
    on = frequency.advance(int(ticks[0]), steps, clock) == ticks
    if not on.all():
        raise _off_grid(table, calendar, ticks, rows, int((~on).argmax()))
    size = int(steps[-1]) + 1
    if size > _FREE_STEPS and size > _MOST_STEPS_A_ROW * ticks.size:
        rule = f"times lie {frequency.name} apart, with few missing"
        came = f"{ticks.size:,} rows over {size:,} steps"
        raise table.refuse(
            "times", rule, came, "give the right one with freq, or aggregate the rows"
        )
    grid = np.full(size, np.nan)
    grid[steps] = values
    return ticks[[0, -1]], grid


def _off_grid(table: Table, calendar: Calendar, ticks: Ticks, rows: Ticks, k: int) -> Exception:
    write = calendar.clock.write
    before = f" after {write(int(ticks[k - 1]))}" if k else ""
    rule = f"times lie {calendar.frequency.name} apart, from {write(int(ticks[0]))} on"
    repair = "round or aggregate the times, or give another frequency with freq"
    return table.refuse(table.place(int(rows[k])), rule, write(int(ticks[k])) + before, repair)


def fill(name: str, ends: Ticks, grid: Values) -> Series:
    """Interpolate linearly between the neighbours of what is missing."""
    missing = np.isnan(grid)
    steps = np.arange(grid.size)
    values = np.interp(steps, steps[~missing], grid[~missing]) if missing.any() else grid
    return Series(name, values, int(ends[0]), int(ends[1]), missing)
