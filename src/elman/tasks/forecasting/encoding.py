"""Covariates as a network takes them: numbers on a common scale, categories one column each."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from elman.data import Panel, Series
from elman.tasks.forecasting.metrics import Array
from elman.tasks.forecasting.splits import Part

KINDS = ("hist", "futr", "static")
_MOST_CATEGORIES = 64


@dataclass(frozen=True)
class Column:
    """One covariate.

    - `name`: of the column.
    - `categories`: how many there are; 0 for numbers. A category that is not known is all zeros.
    - `centre`, `scale`: mean and standard deviation in the training parts of all series.
    """

    name: str
    categories: int = 0
    centre: float = 0.0
    scale: float = 1.0

    @property
    def size(self) -> int:
        """Columns that it becomes."""
        return self.categories or 1

    def encode(self, values: Array) -> Array:
        """(...,) values or codes, as (..., size)."""
        if not self.categories:
            return ((values - self.centre) / self.scale)[..., None]
        found: Array = (values[..., None] == np.arange(1, self.categories + 1)).astype(np.float64)
        return found


@dataclass(frozen=True)
class Encoding:
    """All covariates, by kind."""

    hist: tuple[Column, ...] = ()
    futr: tuple[Column, ...] = ()
    static: tuple[Column, ...] = ()
    tables: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """Columns of each kind that a network is built for."""
        return {f"n_{kind[:4]}": sum(c.size for c in getattr(self, kind)) for kind in KINDS}

    def names(self, kind: str) -> tuple[str, ...]:
        """The columns of a kind, as they are called in tables."""
        return tuple(column.name for column in getattr(self, kind))

    def lists(self) -> dict[str, tuple[str, ...]]:
        """What `read_panel` is told."""
        return {
            "hist_exog_list": self.names("hist"),
            "futr_exog_list": self.names("futr"),
            "stat_exog_list": self.names("static"),
        }

    def encode(self, kind: str, values: Array) -> Array | None:
        """(..., n) as in `elman.data.Series`, as a network takes it; None without any."""
        columns = getattr(self, kind)
        if not columns:
            return None
        return np.concatenate([c.encode(values[..., k]) for k, c in enumerate(columns)], -1)

    def of(self, part: Part, one: Series) -> Part:
        """A part with the covariates of its series, padded as its values are."""
        static = self.encode("static", one.static)
        return replace(
            part,
            hist=self._padded("hist", one, part.pad),
            futr=self._padded("futr", one, part.pad),
            static=static,
        )

    def _padded(self, kind: str, one: Series, pad: int) -> Array | None:
        found = self.encode(kind, getattr(one, kind))
        return None if found is None else np.concatenate([np.repeat(found[:1], pad, 0), found])


NOTHING = Encoding()


def choose_encoding(panel: Panel, held_out: int) -> Encoding:
    """From what precedes the last `held_out` steps of each series.

    Raises:
        ValueError: a covariate of text has too many categories.
    """
    lists = (panel.hist_exog_list, panel.futr_exog_list, panel.stat_exog_list)
    found: dict[str, Any] = {}
    for kind, names in zip(KINDS, lists, strict=True):
        values = _training(panel, kind, held_out) if names else np.zeros((0, 0))
        found[kind] = tuple(
            _column(name, len(panel.categories.get(name, ())), values[:, k])
            for k, name in enumerate(names)
        )
    return Encoding(**found, tables=panel.categories)


def _training(panel: Panel, kind: str, held_out: int) -> Array:
    if kind == "static":
        return np.stack([one.static for one in panel.series])
    ends = [max(1, one.values.size - held_out) for one in panel.series]
    return np.concatenate(
        [getattr(one, kind)[:end] for one, end in zip(panel.series, ends, strict=True)]
    )


def _column(name: str, categories: int, values: Array) -> Column:
    if categories > _MOST_CATEGORIES:
        raise ValueError(
            f"covariate {name!r} must have at most {_MOST_CATEGORIES} categories; got "
            f"{categories}; group them, or leave it out"
        )
    if categories:
        return Column(name, categories)
    scale = float(values.std())
    return Column(name, 0, float(values.mean()), scale if scale > 0 else 1.0)


def as_dict(encoding: Encoding) -> dict[str, Any]:
    """For JSON."""
    kinds = {k: [list(vars(c).values()) for c in getattr(encoding, k)] for k in KINDS}
    return kinds | {"tables": {name: list(each) for name, each in encoding.tables.items()}}


def from_dict(stored: dict[str, Any]) -> Encoding:
    """The opposite."""
    kinds = {kind: tuple(Column(*each) for each in stored.get(kind, ())) for kind in KINDS}
    tables = {str(name): tuple(map(str, each)) for name, each in stored.get("tables", {}).items()}
    for column in (c for each in kinds.values() for c in each):
        if not column.scale > 0 or not 0 <= column.categories <= _MOST_CATEGORIES:
            raise ValueError(f"covariate {column.name!r} with a scale or categories out of range")
    return Encoding(**kinds, tables=tables)
