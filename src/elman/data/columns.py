"""Which column is the time, which names the series, which is forecast, and why."""

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elman.data.errors import DataError, shown
from elman.data.numbers import is_number_like
from elman.data.table import Table
from elman.data.times import is_integer_like, is_time_like

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
ALL = "all"
"""As a target: each column of numbers is a series of its own."""


@dataclass(frozen=True)
class Names:
    """Names of the columns; "" where the user leaves the choice to `choose_columns`.

    - `covariates`: (setting, column) of those that are neither; each must be there.
    """

    id: str = ""
    time: str = ""
    target: str = ""
    covariates: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Columns:
    """The columns taken, each with the reason, and the rest.

    - `id`: None for a table of one series, and for a wide one.
    - `targets`: one column of a long table; of a wide one, each column that is a series.
    - `target`: the setting that reads another table in the same way.
    """

    id: str | None
    time: str
    targets: tuple[str, ...]
    target: str
    reasons: dict[str, str]
    ignored: tuple[str, ...]
    wide: bool = False


def choose_columns(table: Table, asked: Names) -> Columns:
    """Choose what was not asked for by name.

    Raises:
        DataError: a named column is missing, none fits, or several may be the target.
    """
    reasons: dict[str, str] = {}
    wide = _wide_targets(table, asked.target)
    named = [("id_col", asked.id), ("time_col", asked.time), *asked.covariates]
    named += [("target_col", name) for name in (wide or (asked.target,)) if name != ALL]
    named = [(role, name) for role, name in named if name]
    for role, name in named:
        check_present(table, role, name)
        reasons[name] = "as you asked"
    if len(reasons) < len(named):
        came = ", ".join(name for _, name in named)
        rule = "id, time, target and covariates are columns of their own"
        raise table.refuse("columns", rule, came, "name a different column for each")
    time = asked.time or _time(table, reasons)
    if wide:
        return _wide(table, asked, time, wide, reasons)
    id_ = asked.id or _id(table, time, asked.target, reasons)
    target = asked.target or _target(table, time, id_, reasons)
    taken = {time, id_, target, *(name for _, name in asked.covariates)}
    ignored = tuple(name for name in table.frame.columns if name not in taken)
    return Columns(id_, time, (target,), target, reasons, ignored)


def _wide_targets(table: Table, target: str) -> tuple[str, ...]:
    """The columns that a target of "all", or of several names, stands for; none if it is one."""
    if target in table.frame.columns or (target != ALL and "," not in target):
        return ()
    return tuple(name.strip() for name in target.split(","))


def _wide(
    table: Table, asked: Names, time: str, targets: tuple[str, ...], reasons: dict[str, str]
) -> Columns:
    for role, name in (("id_col", asked.id), *asked.covariates):
        if name:
            rule = "a wide table has a column of times and one for each series, nothing else"
            repair = f"leave {role} out, or name one target with {table.flag('target_col')}"
            raise table.refuse(f"column {name!r}", rule, f"{role}={name!r}", repair)
    if targets == (ALL,):
        free = [name for name in table.frame.columns if name != time]
        targets = tuple(name for name in free if is_number_like(table.frame[name]))
        reasons |= dict.fromkeys(targets, "a column of numbers")
    if not targets:
        repair = f"name them with {table.flag('target_col')}"
        raise table.refuse("columns", "columns of numbers are needed", "none", repair)
    ignored = tuple(name for name in table.frame.columns if name not in (time, *targets))
    return Columns(None, time, targets, asked.target, reasons, ignored, wide=True)


def check_present(table: Table, role: str, name: str, more: str = "") -> None:
    """Raises DataError, with the nearest name, where there is no such column.

    Args:
        more: a further repair.
    """
    names = table.frame.columns
    if name in names:
        return
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    flag = table.flag(role)
    hint = f"did you mean {near[0]!r}?" if near else f"name one of them with {flag}"
    listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise table.refuse(f"column {name!r}", f"{role} must be a column", listed, hint + more)


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
    raise _no_times(table)


def _no_times(table: Table) -> DataError:
    frame = table.frame
    came = "; ".join(f"{name}: {shown(frame[name][0], 30)}" for name in frame.columns[:6])
    came += f"; and {frame.width - 6} more columns" if frame.width > 6 else ""
    rule = (
        "a column of dates (with years of four digits), datetimes or YYYY-MM is needed (whole "
        "numbers if named ds, t or step)"
    )
    repair = f"name the column of times with {table.flag('time_col')}"
    first, *rest = frame.columns
    if _is_text(frame[first]) and len(rest) > 2 and all(is_number_like(frame[n]) for n in rest):
        came = f"one row for each of {frame.height:,} series, it seems ({came})"
        repair = f"give each value a row of its own: {_LONGER.format(first, table.name)}"
    elif all(is_number_like(frame[name]) for name in frame.columns):
        repair += "; if there is none and rows are equal steps, number them in a column called t"
    else:
        repair += "; texts are read by elman train language, classify and translate"
    return table.refuse("columns", rule, came, repair)


# In polars, since it is installed; the names are those that are understood without flags.
_LONGER = (
    "pl.read_csv({1!r}, infer_schema_length=None)"
    ".unpivot(index={0!r}, value_name='y').drop_nulls('y')"
    ".select(unique_id={0!r}, ds=pl.int_range(pl.len()).over({0!r}), y='y')"
    ".write_csv('long.csv')"
)


def _id(table: Table, time: str, target: str, reasons: dict[str, str]) -> str | None:
    """The column that tells rows of the same time apart, if rows share times at all."""
    frame = table.frame
    if ID in frame.columns and ID not in (time, target):
        reasons[ID] = "has the usual name"
        return ID
    free = [name for name in frame.columns if name not in {time, target, *reasons}]
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
    free = [name for name in frame.columns if name not in {time, id_, *reasons}]
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
    beside = f"; what is known beside it goes along with {table.flag('hist_exog_list')}"
    if not numeric:
        raise table.refuse(
            "columns", "a column of numbers is needed", ", ".join(free) or "none", repair
        )
    came = f"{len(numeric)}: {', '.join(numeric[:12])}{', ...' if len(numeric) > 12 else ''}"
    if id_ is None:
        repair += f", or take each as a series of its own with {table.flag('target_col', ALL)}"
    raise table.refuse("columns", "one column is forecast", came, repair + beside)
