"""Series on a regular grid of times, and what had to be done to put them there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.clock import Clock, Ticks
from elman.data.frequency import Frequency
from elman.data.numbers import Values

if TYPE_CHECKING:
    import polars as pl


def _nothing() -> Values:
    return np.zeros((0, 0))


@dataclass(frozen=True)
class Series:
    """One series without gaps, of T values.

    - `id`: its name.
    - `values`: (T,), one each step of the frequency.
    - `first`, `last`: ticks of the first and last value.
    - `filled`: (T,), which values were missing and have been interpolated.
    - `hist`: (T, n_hist), covariates known as far as the values are.
    - `futr`: (T + F, n_futr), covariates known F steps further; F may differ between series.
    - `static`: (n_stat,), covariates that do not change.

    Covariates are in the order of the panel's lists; a category is its code.
    """

    id: str
    values: Values
    first: int
    last: int
    filled: "np.ndarray[Any, np.dtype[np.bool_]]"
    hist: Values = field(default_factory=_nothing)
    futr: Values = field(default_factory=_nothing)
    static: Values = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Names:
    """Names of the columns and the kind of table, as forecasts are written with them.

    - `target`: the column of values; for a wide table, the columns asked for ("all", or a list
      with commas), so that another table is read in the same way.
    - `id_type`: polars' name of the type of the column of names, where it holds whole numbers.
    - `library`: of the table that was given: polars, pandas, pyarrow, ...
    - `wide`: whether each column of values was a series of its own.
    """

    id: str
    time: str
    target: str
    id_type: str = ""
    library: str = "polars"
    wide: bool = False

    @property
    def value(self) -> str:
        """What a column of values is called in tables that go out: `y`, for a wide table."""
        return "y" if self.wide else self.target

    def column(self, ids: Sequence[str]) -> "pl.Series":
        """A column of names of series, of the type that it had."""
        import polars as pl

        column = pl.Series(self.id, ids, dtype=pl.String)
        return column.cast(getattr(pl, self.id_type)) if self.id_type else column


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
class Ends:
    """Where series end, and how tables about them are laid out: all that asking ahead needs.

    - `ids`: names of the series, N of them; `last`: (N,), ticks of their last values.
    - `futr_exog_list`: covariates that are known ahead.
    - `categories`: of each covariate that is text, its categories; code 0 is an unknown one.
    """

    ids: tuple[str, ...]
    last: Ticks
    names: Names
    calendar: Calendar
    has_id: bool = True
    futr_exog_list: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Panel:
    """Series that share a calendar, in the order of their names.

    - `has_id`: whether the table had a column that names the series.
    - `season`: steps after which values usually repeat; 1 where none is known.
    - `sha256`: digest of the file; empty for a table that was given in Python.
    - `hist_exog_list`, `futr_exog_list`, `stat_exog_list`: names of the covariates.
    - `categories`: of each covariate that is text, its categories: the k-th has the code k + 1,
      and 0 is one that is not among them.
    """

    series: tuple[Series, ...]
    names: Names
    has_id: bool
    calendar: Calendar
    season: int
    understood: Understood
    sha256: str = ""
    hist_exog_list: tuple[str, ...] = ()
    futr_exog_list: tuple[str, ...] = ()
    stat_exog_list: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """Names of the series."""
        return [one.id for one in self.series]

    @property
    def ends(self) -> Ends:
        """Where the series end."""
        return Ends(
            tuple(self.ids),
            np.asarray([one.last for one in self.series], np.int64),
            self.names,
            self.calendar,
            self.has_id,
            self.futr_exog_list,
            self.categories,
        )
