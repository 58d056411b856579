"""Which column is the time, which names the series, which is forecast, and why."""

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.data.clock import is_integer_like, is_time_like
from elman.data.errors import shown
from elman.data.numbers import is_number_like
from elman.data.table import Table

if TYPE_CHECKING:
    import polars as pl

ID, TIME, TARGET = "unique_id", "ds", "y"
_TIME_NAMES = {
    "ds",
    "t",
    "time",
    "date",
    "datetime",
    "timestamp",
    "month",
    "year",
    "day",
    "hour",
    "week",
    "step",
}
_ID_NAME = re.compile(
    r"(^|_)(id|key|code|name|store|item|sku|station|sensor|series|region|group)(_|$)", re.IGNORECASE
)
_TARGET_NAMES = (TARGET, "target", "value")


@dataclass(frozen=True)
class Names:
    """Names of the columns; "" where the user leaves the choice to `choose_columns`."""

    id: str = ""
    time: str = ""
    target: str = ""


@dataclass(frozen=True)
class Columns:
    """The columns taken, each with the reason, and the rest.

    `id` is None for a table of one series.
    """

    id: str | None
    time: str
    target: str
    reasons: dict[str, str]
    ignored: tuple[str, ...]


def choose_columns(table: Table, asked: Names) -> Columns:
    """Choose what was not asked for by name.

    Raises:
        DataError: a named column is missing, none fits, or several may be the target.
    """
    reasons: dict[str, str] = {}
    for role, name in (
        ("id_col", asked.id),
        ("time_col", asked.time),
        ("target_col", asked.target),
    ):
        if name:
            _check_present(table, role, name)
            reasons[name] = "as you asked"
    if len(reasons) < sum(map(bool, (asked.id, asked.time, asked.target))):
        came = ", ".join(filter(None, (asked.id, asked.time, asked.target)))
        rule, repair = "id, time and target are three columns", "name a different column for each"
        raise table.refuse("columns", rule, came, repair)
    time = asked.time or _time(table, reasons)
    id_ = asked.id or _id(table, time, asked.target, reasons)
    target = asked.target or _target(table, time, id_, reasons)
    ignored = tuple(name for name in table.frame.columns if name not in (time, id_, target))
    return Columns(id_, time, target, reasons, ignored)


def _check_present(table: Table, role: str, name: str) -> None:
    names = table.frame.columns
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"name one of them with {table.flag(role)}"
    listed = ", ".join(names[:20])
    raise table.refuse(f"column {name!r}", f"{role} must be a column", f"{listed}", hint)


def _time(table: Table, reasons: dict[str, str]) -> str:
    frame = table.frame
    if TIME in frame.columns and (is_time_like(frame[TIME]) or is_integer_like(frame[TIME])):
        reasons[TIME] = "has the usual name"
        return TIME
    dates = [name for name in frame.columns if name not in reasons and is_time_like(frame[name])]
    if dates:
        reasons[dates[0]] = (
            "the only column of dates" if len(dates) == 1 else "the first column of dates"
        )
        return dates[0]
    for name in frame.columns:
        if name not in reasons and name.lower() in _TIME_NAMES and is_integer_like(frame[name]):
            reasons[name] = "whole numbers, and named as a time"
            return name
    came = "; ".join(f"{name}: {shown(frame[name][0])}" for name in frame.columns[:8])
    rule = (
        "a column of dates, datetimes or YYYY-MM is needed (whole numbers if named ds, t or step)"
    )
    raise table.refuse(
        "columns", rule, came, f"name the column of times with {table.flag('time_col')}"
    )


def _id(table: Table, time: str, target: str, reasons: dict[str, str]) -> str | None:
    """The column that tells rows of the same time apart, if rows share times at all."""
    frame = table.frame
    if ID in frame.columns and ID not in (time, target):
        reasons[ID] = "has the usual name"
        return ID
    free = [name for name in frame.columns if name not in (time, target)]
    texts = [name for name in free if _is_text(frame[name])]
    if frame[time].n_unique() == frame.height:
        constant = [name for name in texts if frame[name].n_unique() == 1]
        if constant:
            reasons[constant[0]] = "text, the same in each row: one series"
        return constant[0] if constant else None
    named = [name for name in free if _ID_NAME.search(name) and name not in texts]
    for name in texts + named:
        if not frame.select(time, name).is_duplicated().any():
            kind = "text" if name in texts else "named as an id"
            reasons[name] = f"{kind}, and tells rows of the same time apart"
            return name
    if len(texts) == 1:
        reasons[texts[0]] = "the only column of text"
        return texts[0]
    return None


def _is_text(column: "pl.Series") -> bool:
    import polars as pl

    if column.dtype in (pl.Categorical, pl.Enum):
        return True
    return column.dtype == pl.String and not is_number_like(column) and not is_time_like(column)


def _target(table: Table, time: str, id_: str | None, reasons: dict[str, str]) -> str:
    frame = table.frame
    free = [name for name in frame.columns if name not in (time, id_)]
    numeric = [name for name in free if is_number_like(frame[name])]
    for name in _TARGET_NAMES:
        if name in numeric or (name == TARGET and name in free):
            reasons[name] = "has the usual name"
            return name
    if len(numeric) == 1:
        reasons[numeric[0]] = "the only other column of numbers"
        return numeric[0]
    # A lone column that is all but numeric is taken, so that the error can name the bad cell.
    if not numeric and len(free) == 1:
        reasons[free[0]] = "the only other column"
        return free[0]
    repair = f"name the column to forecast with {table.flag('target_col')}"
    if not numeric:
        raise table.refuse(
            "columns", "a column of numbers is needed", ", ".join(free) or "none", repair
        )
    came = f"{len(numeric)}: {', '.join(numeric[:12])}"
    raise table.refuse("columns", "one column is forecast", came, repair)
