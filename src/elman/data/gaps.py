"""What was missing and has been filled in, in words."""

import numpy as np

from elman.data.grid import Flags, Grid
from elman.data.panel import Calendar


def gap_words(grid: Grid, calendar: Calendar) -> str:
    """How many values were filled in, and where the longest run of them is."""
    count = int(grid.filled.sum())
    if not count:
        return "none"
    size, longest = grid.filled.size, _longest(grid, calendar)
    share = 100 * count / size
    return (
        f"{count:,} of {size:,} values ({share:.2g} %) were missing and are interpolated; "
        f"the longest gap is {longest[0]} ({longest[1]})"
    )


def gap_warnings(grid: Grid, calendar: Calendar, usual: int) -> tuple[str, ...]:
    """What to look at: gaps longer than `usual` steps, series that are mostly gaps."""
    found = []
    longest, where = _longest(grid, calendar)
    if longest > usual:
        found.append(f"a gap of {longest:,} steps is interpolated: {where}")
    filled = np.add.reduceat(grid.filled, grid.starts[:-1], dtype=np.int64)
    sparse = [grid.keys[k] for k in np.flatnonzero(filled * 2 > grid.sizes).tolist()]
    if sparse:
        found.append(f"more than half of the values are filled in: {listed(sparse)}")
    if grid.empty:
        found.append(f"left out, without a single value: {listed(grid.empty)}")
    return tuple(found)


def listed(names: "list[str] | tuple[str, ...]", most: int = 3) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _longest(grid: Grid, calendar: Calendar) -> tuple[int, str]:
    """The longest run of filled values, and the words for where it is."""
    length, place = _longest_run(grid.filled)
    if not length:
        return 0, ""
    k = int(np.searchsorted(grid.starts, place, side="right")) - 1
    step = np.asarray([place - grid.starts[k]])
    tick = calendar.frequency.advance(int(grid.first[k]), step, calendar.clock)[0]
    return length, f"{grid.keys[k]} from {calendar.clock.write(int(tick))}"


def _longest_run(flags: Flags) -> tuple[int, int]:
    """Length and start of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    if not edges.size:
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    best = int(lengths.argmax())
    return int(lengths[best]), int(edges[::2][best])
