"""What was understood of a table, in words."""

import numpy as np

from elman.data.columns import Columns
from elman.data.exogenous import FUTR, HIST, STAT, Exogenous, Given, Lists
from elman.data.gaps import gap_warnings, gap_words, listed
from elman.data.grid import Grid
from elman.data.panel import Calendar

Facts = tuple[tuple[str, str], ...]

_MOST_COLUMNS = 12
_WORDS = {HIST: "past", FUTR: "ahead", STAT: "static"}
# Whole numbers above this, in 1979, are taken for seconds since 1970.
_EPOCH = 300_000_000


def roles(columns: Columns, lists: Lists) -> tuple[tuple[str, str, str], ...]:
    """(role, name, reason) of each column taken."""
    found = [("time", columns.time)]
    found += [("series", columns.id)] if columns.id else []
    found += [("value", name) for name in columns.targets[:_MOST_COLUMNS]]
    found += [(word, name) for k, word in _WORDS.items() for name in lists[k]]
    outside = "from static_df"
    taken = [(role, name, columns.reasons.get(name, outside)) for role, name in found]
    if columns.wide:
        more = len(columns.targets) - _MOST_COLUMNS
        taken += [("value", f"and {more:,} more", "")] if more > 0 else []
        taken += [("series", "(wide)", "each column of values is a series of its own")]
    elif not columns.id:
        taken += [("series", "(none)", "no time occurs twice: one series")]
    return tuple(taken)


def facts(given: Given, more: Exogenous, rows: str, how: str, season: int) -> Facts:
    """(what, words) about rows, frequency, series, gaps and covariates.

    Args:
        rows: words about rows; `how`: how the frequency was found.
    """
    grid, calendar = given.grid, given.ends.calendar
    frequency = calendar.frequency
    usual, name = frequency.season()
    words = f"season {season}" + (f" ({name})" if name and season == usual else "")
    share = f" from {_percent(grid.regular)} of the steps" if how == "inferred" else ""
    how = f"{frequency.name}, {how}{share}; {words if season > 1 else 'no season'}"
    gaps = gap_words(grid, calendar)
    found = (("rows", rows), ("frequency", how), ("series", _lengths(grid, calendar)))
    return (*found, ("gaps", gaps), *_covariates(given, more))


def _percent(share: float) -> str:
    return "all" if share == 1 else f"{min(100 * share, 99.9):.1f} %"


def _lengths(grid: Grid, calendar: Calendar) -> str:
    low, high = int(grid.sizes.min()), int(grid.sizes.max())
    steps = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    first = calendar.clock.write(int(grid.first.min()))
    last = calendar.clock.write(int(grid.last.max()))
    each = " each" if len(grid.keys) > 1 and low == high else ""
    return f"{len(grid.keys):,}, {steps} steps{each}, from {first} to {last}"


def _covariates(given: Given, more: Exogenous) -> Facts:
    """Which covariates are categories, and how far ahead they are known."""
    found = []
    if given.coding.made:
        tables = [f"{name} ({len(table):,})" for name, table in given.coding.made.items()]
        found.append(("categories", ", ".join(tables)))
    if given.lists[FUTR]:
        low, high = int(more.ahead.min()), int(more.ahead.max())
        steps = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        found.append(("ahead", f"known {steps} steps after the last value"))
    return tuple(found)


def warnings(given: Given, season: int) -> tuple[str, ...]:
    """What the user should look at: gaps, odd frequencies, series that do not change."""
    grid, calendar = given.grid, given.ends.calendar
    found = gap_warnings(grid, calendar, max(season, 10))
    # Fewer than half: some other distance may be meant.
    if grid.regular < 0.5:
        found += (f"only {_percent(grid.regular)} of the steps are {calendar.frequency.name} long",)
    if (
        calendar.clock.kind == "integer"
        and grid.first.min() > _EPOCH
        and calendar.frequency.count > 1
    ):
        found += ("times look like seconds since 1970, but are taken as plain numbers",)
    return found + _constant(grid)


def _constant(grid: Grid) -> tuple[str, ...]:
    starts = grid.starts[:-1]
    flat = np.maximum.reduceat(grid.values, starts) == np.minimum.reduceat(grid.values, starts)
    names = [grid.keys[k] for k in np.flatnonzero(flat & (grid.sizes > 1)).tolist()]
    if not names:
        return ()
    return (f"always the same value: {listed(names)}; the last value forecasts it",)
