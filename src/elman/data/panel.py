"""Series on a regular grid of times, and what had to be done to put them there."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from elman.data.clock import Clock, Ticks
from elman.data.frequency import Frequency
from elman.data.numbers import Values


@dataclass(frozen=True)
class Series:
    """One series without gaps.

    - `id`: its name.
    - `values`: one each step of the frequency.
    - `first`, `last`: ticks of the first and last value.
    - `filled`: which values were missing and have been interpolated.
    """

    id: str
    values: Values
    first: int
    last: int
    filled: "np.ndarray[Any, np.dtype[np.bool_]]"


@dataclass(frozen=True)
class Names:
    """Names of the columns, as forecasts are written with them."""

    id: str
    time: str
    target: str


@dataclass(frozen=True)
class Calendar:
    """How times are written and how far apart they are."""

    clock: Clock
    frequency: Frequency

    def after(self, last: int, steps: int) -> Ticks:
        """The next `steps` times after the tick `last`."""
        return self.frequency.advance(last, np.arange(1, steps + 1), self.clock)

    def before(self, last: int, steps: int) -> Ticks:
        """The `steps` times that end with the tick `last`."""
        return self.frequency.advance(last, np.arange(1 - steps, 1), self.clock)


@dataclass(frozen=True)
class Understood:
    """What was understood of a table, for people.

    - `source`: the file's name, or "the table".
    - `columns`: (role, name, reason) of each column taken.
    - `facts`: (what, words): rows, series, frequency, gaps.
    - `warnings`: what the user should look at, one sentence each.
    """

    source: str
    columns: tuple[tuple[str, str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def lines(self) -> list[str]:
        """As plain text, one line each."""
        width = max([len(name) for _, name, _ in self.columns] + [8])
        rows = [f"  {role:<9} {name:<{width}}  {reason}" for role, name, reason in self.columns]
        if self.ignored:
            rows.append(f"  {'ignored':<9} {', '.join(self.ignored)}")
        rows += [f"  {what:<9} {words}" for what, words in self.facts]
        return [self.source, *rows, *(f"  warning   {text}" for text in self.warnings)]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "source": self.source,
            "columns": [list(column) for column in self.columns],
            "ignored": list(self.ignored),
            "facts": [list(fact) for fact in self.facts],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class Panel:
    """Series that share a calendar, in the order of their names.

    - `has_id`: whether the table had a column that names the series.
    - `season`: steps after which values usually repeat; 1 where none is known.
    - `sha256`: digest of the file; empty for a table that was given in Python.
    """

    series: tuple[Series, ...]
    names: Names
    has_id: bool
    calendar: Calendar
    season: int
    understood: Understood
    sha256: str = ""

    @property
    def ids(self) -> list[str]:
        """Names of the series."""
        return [one.id for one in self.series]
