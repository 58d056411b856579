"""A column of times, typed or text, to ticks and the clock that writes them."""

from typing import TYPE_CHECKING

import numpy as np

from elman.data.clock import DAY, Clock, Ticks
from elman.data.errors import DataError, shown
from elman.data.table import Table

if TYPE_CHECKING:
    import polars as pl

# A date's pattern, and what reads and writes it; the first that fits is taken.
_DATES = (
    (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d"),
    (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d"),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", "%Y.%m.%d"),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", "%d.%m.%Y"),
    (r"\d{1,2}/\d{1,2}/\d{4}", "%m/%d/%Y"),
    (r"\d{1,2}-\d{1,2}-\d{4}", "%m-%d-%Y"),
    (r"\d{1,2}-[A-Z][a-z]{2}-\d{4}", "%d-%b-%Y"),
    (r"\d{1,2} [A-Z][a-z]{2} \d{4}", "%d %b %Y"),
    (r"[A-Z][a-z]{2} \d{4}", "%b %Y"),
    (r"(?:19|20)\d{6}", "%Y%m%d"),
    (r"\d{4}-\d{2}", "%Y-%m"),
    (r"\d{4}/\d{2}", "%Y/%m"),
)
# Either number may be the day: the column as a whole must tell.
_EITHER = ("%m/%d/%Y", "%m-%d-%Y")
_TIME = r"(?:([T ])(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,6})\d*)?)?)?"
_ZONE = r"\s?(Z|UTC|[+-]\d{2}:?\d{2})?"
_INTEGER = r"^[+-]?\d{1,18}$"


def is_time_like(column: "pl.Series") -> bool:
    """Whether a column holds dates or datetimes, typed or as text (integers do not count)."""
    import polars as pl

    if column.dtype.is_temporal():
        return column.dtype != pl.Duration and column.dtype != pl.Time
    if column.dtype != pl.String:
        return False
    sample = _filled(column.head(1000))
    return any(_share(sample, shape) > 0.5 for shape, _ in _DATES)


def _share(sample: "pl.Series", shape: str) -> float:
    """The part of the cells that have this shape."""
    return int(sample.str.contains(_pattern(shape)).sum()) / max(1, sample.len())


def is_integer_like(column: "pl.Series") -> bool:
    """Whether every value is a whole number, typed or as text."""
    import polars as pl

    if column.dtype.is_integer():
        return True
    sample = _filled(column.head(1000)) if column.dtype == pl.String else column.head(0)
    return sample.len() > 0 and bool(sample.cast(pl.String).str.contains(_INTEGER).all())


def parse_times(table: Table, name: str) -> tuple[Ticks, Clock]:
    """The column `name` as ticks, and how it was written.

    Raises:
        DataError: a cell is empty, no time, or written otherwise than the first ones.
    """
    import polars as pl

    column = table.frame[name]
    if column.dtype == pl.String:
        if is_integer_like(column) and not is_time_like(column):
            return _integers(table, column)
        return _from_text(table, column)
    if column.dtype.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        return _whole(table, column, whole), Clock("integer", text=False, type=str(column.dtype))
    if column.dtype == pl.Date:
        days = column.cast(pl.Int32).cast(pl.Int64)
        return _whole(table, column, days), Clock("date", "%Y-%m-%d", text=False, type="date")
    if isinstance(column.dtype, pl.Datetime):
        unit, zone = column.dtype.time_unit, column.dtype.time_zone
        micro = column.cast(pl.Datetime("us", zone)).to_physical()
        clock = Clock("datetime", "%Y-%m-%dT%H:%M:%S", zone, text=False, type=unit)
        return _whole(table, column, micro), clock
    rule = "times are dates, datetimes, whole numbers or text"
    repair = f"convert the column, or name another with {table.flag('time_col')}"
    raise table.refuse(f"column {name!r}", rule, str(column.dtype), repair)


def _filled(column: "pl.Series") -> "pl.Series":
    return column.filter(column.is_not_null() & (column != ""))


def _pattern(shape: str) -> str:
    return f"^({shape}){_TIME}{_ZONE}$"


def _integers(table: Table, column: "pl.Series") -> tuple[Ticks, Clock]:
    import polars as pl

    return _whole(table, column, column.cast(pl.Int64, strict=False)), Clock("integer")


def _whole(table: Table, column: "pl.Series", ticks: "pl.Series") -> Ticks:
    """The ticks, or an error that names the first row without one."""
    missing = ticks.is_null()
    if missing.any():
        row = int(missing.arg_max() or 0)
        raise _unreadable(table, column, row, "a time is needed in each row")
    return ticks.to_numpy().astype(np.int64)


def _unreadable(table: Table, column: "pl.Series", row: int, rule: str) -> DataError:
    value = column[row]
    came = "an empty cell" if value in (None, "") else shown(value)
    place = f"{table.place(row)}, column {column.name!r}"
    repair = "mend the cell or remove the row; 2024-01-31T13:00:00 is understood everywhere"
    return table.refuse(place, rule, came, repair)


def _from_text(table: Table, column: "pl.Series") -> tuple[Ticks, Clock]:
    """Each text that occurs is parsed once; only an error needs to know its row."""
    shape, form = _form(table, column)
    once = column.unique(maintain_order=True)
    if 2 * once.len() > column.len():
        return _parsed(table, column, shape, form)
    try:
        ticks, clock = _parsed(table, once, shape, form)
    except DataError:
        return _parsed(table, column, shape, form)
    found = once.to_frame().with_columns(tick=ticks)
    joined = column.to_frame().join(found, on=column.name, how="left", maintain_order="left")
    return joined["tick"].to_numpy(), clock


def _parsed(table: Table, column: "pl.Series", shape: str, form: str) -> tuple[Ticks, Clock]:
    pattern = _pattern(shape)
    parts = [column.str.extract(pattern, group) for group in range(1, 8)]
    days = _days(parts[0], form)
    if days.null_count():
        row = int(days.is_null().arg_max() or 0)
        rule = f"times are written as in the first rows ({_filled(column)[0]})"
        raise _unreadable(table, column, row, rule)
    has_time, has_zone = (part.is_not_null() for part in (parts[1], parts[6]))
    for has, what in ((has_time, "a time of day"), (has_zone, "a time zone")):
        if has.any() and not has.all():
            row = int((~has).arg_max() or 0)
            raise _unreadable(table, column, row, f"each time has {what}, or none has")
    if not has_time.any():
        return days.to_numpy().astype(np.int64), Clock("date", form)
    return _with_time(table, column, days, parts, form)


def _with_time(
    table: Table, column: "pl.Series", days: "pl.Series", parts: "list[pl.Series]", form: str
) -> tuple[Ticks, Clock]:
    import polars as pl

    hour, minute, second = (part.cast(pl.Int64).fill_null(0) for part in parts[2:5])
    wrong = (hour > 23) | (minute > 59) | (second > 59)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise _unreadable(table, column, row, "a time of day lies between 00:00:00 and 23:59:59")
    fraction = parts[5].fill_null("").str.pad_end(6, "0").cast(pl.Int64)
    offset, zone = _offsets(parts[6])
    micro = days.cast(pl.Int64) * DAY + ((hour * 60 + minute - offset) * 60 + second) * 1_000_000
    ending = ":%M" + (":%S" if parts[4].is_not_null().any() else "")
    ending += ".%f" if parts[5].is_not_null().any() else ""
    form += f"{parts[1][0]}%H{ending}" + _zone_form(parts[6], zone)
    return (micro + fraction).to_numpy().astype(np.int64), Clock("datetime", form, zone)


def _offsets(zones: "pl.Series") -> tuple["pl.Series", str | None]:
    """Minutes east of UTC for each row, and the zone to write in: the one offset, or UTC."""
    import polars as pl

    if zones.null_count() == zones.len():
        return pl.Series([0] * zones.len(), dtype=pl.Int64), None
    plain = zones.str.replace(":", "").str.replace("^(Z|UTC)$", "+0000")
    minutes = plain.str.slice(1, 2).cast(pl.Int64) * 60 + plain.str.slice(3, 2).cast(pl.Int64)
    signed = minutes * plain.str.starts_with("-").replace_strict({True: -1, False: 1})
    if plain.n_unique() == 1 and plain[0] != "+0000":
        return signed, f"{plain[0][:3]}:{plain[0][3:]}"
    return signed, "UTC"


def _zone_form(zones: "pl.Series", zone: str | None) -> str:
    if zone is None:
        return ""
    if zone == "UTC":
        return "+00:00" if str(zones[0])[:1] in "+-" else "Z"
    return zone


def _days(dates: "pl.Series", form: str) -> "pl.Series":
    import polars as pl

    if "%d" not in form:
        dates, form = dates + " 01", form + " %d"
    return dates.str.to_date(form, strict=False).cast(pl.Int32)


def _form(table: Table, column: "pl.Series") -> tuple[str, str]:
    """The pattern and format that most of the first rows have."""
    sample = _filled(column.head(1000))
    fits = [(_share(sample, shape), shape, form) for shape, form in _DATES]
    share, shape, form = max(fits, key=lambda fit: fit[0], default=(0.0, "", ""))
    if share == 0:
        row = int((column.fill_null("") != "").arg_max() or 0)
        raise _unreadable(table, column, row, _UNKNOWN)
    if form in _EITHER:
        form = _day_or_month_first(table, column, shape, form)
    return shape, form


_UNKNOWN = "times are dates with a year of four digits, datetimes, YYYY-MM or whole numbers"


def _day_or_month_first(table: Table, column: "pl.Series", shape: str, form: str) -> str:
    """Which of 3/4/2024's numbers is the day: only the rest of the column can tell."""
    dates = column.unique(maintain_order=True).str.extract(_pattern(shape), 1).drop_nulls()
    day_first = "%d" + form[2] + "%m" + form[5:]
    misfits = {f: _days(dates, f).null_count() for f in (form, day_first)}
    fewest = min(misfits.values())
    best = [form for form, count in misfits.items() if count == fewest]
    if len(best) > 1:
        repair = "write dates as YYYY-MM-DD"
        rule = "it must be clear which number is the day and which the month"
        raise table.refuse(f"column {column.name!r}", rule, shown(column[0]), repair)
    return best[0]
