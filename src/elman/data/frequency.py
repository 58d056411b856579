"""The distance between two times of a series, and counting along it."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from elman.data.clock import DAY, Clock, Ticks

Unit = Literal["integer", "microsecond", "day", "business day", "month"]

_SECOND = 1_000_000
# Name: unit and how many, for dates; microseconds serve where there is a time of day.
_FIXED = {
    "w": 7 * DAY,
    "d": DAY,
    "h": 3600 * _SECOND,
    "m": 60 * _SECOND,
    "s": _SECOND,
    "ms": 1000,
    "us": 1,
}
_MONTHS = {"y": 12, "q": 3, "mo": 1}
# Spellings of pandas, that people know from elsewhere.
_PANDAS = {
    "h": "h", "min": "m", "t": "m", "s": "s", "d": "d", "w": "w", "b": "bd", "m": "mo", "ms": "mo",
    "me": "mo", "q": "q", "qs": "q", "qe": "q", "y": "y", "ys": "y", "ye": "y", "a": "y", "as": "y",
}  # fmt: skip
# What usually repeats: steps of one round, and its name.
_SEASONS = {
    "s": (60, "a minute"),
    "m": (60, "an hour"),
    "h": (24, "a day"),
    "d": (7, "a week"),
    "bd": (5, "a week"),
    "w": (52, "a year"),
    "mo": (12, "a year"),
    "q": (4, "a year"),
}


@dataclass(frozen=True)
class Frequency:
    """A regular distance between times: `count` units.

    `month_end`: months are counted from last day to last day.
    """

    unit: Unit
    count: int
    month_end: bool = False

    @property
    def name(self) -> str:
        """As `--freq` takes it: 1h, 15m, 1d, 1bd, 1w, 1mo, 1q, 1y; a number for integers."""
        if self.unit == "integer":
            return str(self.count)
        if self.unit == "business day":
            return f"{self.count}bd"
        table = _MONTHS if self.unit == "month" else _FIXED
        size = self.count * DAY if self.unit == "day" else self.count
        letter = next(letter for letter, unit in table.items() if size % unit == 0)
        return f"{size // table[letter]}{letter}"

    def season(self) -> tuple[int, str]:
        """Steps after which the values usually repeat, and the name of that time; 1 for none."""
        split = re.fullmatch(r"(\d+)([a-z]+)", self.name)
        if split is None:
            return 1, ""
        count, letter = int(split[1]), split[2]
        if letter == "m" and count >= 5 and 1440 % count == 0:
            return 1440 // count, "a day"
        steps, name = _SEASONS.get(letter, (1, ""))
        return (steps // count, name) if steps % count == 0 and steps // count > 1 else (1, "")

    def advance(self, tick: int | Ticks, steps: Ticks, clock: Clock) -> Ticks:  # noqa: ARG002
        """The times `steps` steps after `tick`, which may be one for each of `steps`."""
        if self.unit == "month":
            return self._advance_months(tick, steps)
        if self.unit == "business day":
            start = np.asarray(tick, "datetime64[D]")
            days = np.busday_offset(start, steps * self.count, roll="forward")
            return days.astype(np.int64)
        return np.asarray(tick + steps * self.count, np.int64)

    def between(self, first: int | Ticks, ticks: Ticks, clock: Clock) -> Ticks:  # noqa: ARG002
        """Steps from `first` to each of `ticks`, rounded down where one lies off the grid."""
        if self.unit == "month":
            return (_months(ticks) - _months(np.asarray(first))) // self.count
        if self.unit == "business day":
            start = np.asarray(first, "datetime64[D]")
            days = np.busday_count(start, ticks.astype("datetime64[D]"))
            return np.asarray(days, np.int64) // self.count
        return (ticks - first) // self.count

    def _advance_months(self, tick: int | Ticks, steps: Ticks) -> Ticks:
        date = np.asarray(tick, "datetime64[D]")
        start = date.astype("datetime64[M]")
        months = start + steps * self.count
        within = (date - start.astype("datetime64[D]")).astype(np.int64)
        firsts = months.astype("datetime64[D]")
        length = ((months + 1).astype("datetime64[D]") - firsts).astype(np.int64)
        within = length - 1 if self.month_end else np.minimum(within, length - 1)
        return np.asarray(firsts.astype(np.int64) + within)


def parse_frequency(text: str, clock: Clock) -> Frequency:
    """A frequency from its name, in polars' spelling or pandas'.

    Raises:
        ValueError: it is not known, or does not go with such times.
    """
    split = re.fullmatch(r"(\d*)([a-zA-Z]*)(-[A-Z]{3})?", text.strip())
    count = int(split[1] or 1) if split else 0
    if split is None or count < 1:
        raise ValueError(_unknown(text))
    letters = split[2]
    if clock.kind == "integer":
        if letters:
            raise ValueError(f"freq must be a number for times that are integers; got {text!r}")
        return Frequency("integer", count)
    month_end = letters in ("M", "ME", "QE", "YE", "Q", "Y", "A")
    known = _FIXED.keys() | _MONTHS.keys() | {"bd"}
    letter = letters if letters in known else _PANDAS.get(letters.lower(), "")
    if letters == "MS":  # pandas' month start, not polars' millisecond
        letter = "mo"
    if (letter == "bd" or letter in _MONTHS) and clock.kind == "datetime":
        raise ValueError(
            f"freq must be a fixed length of time, for the times of day differ; got {text!r}; "
            "write dates alone, or give one such as 1h"
        )
    if letter == "bd":
        return Frequency("business day", count)
    if letter in _MONTHS:
        return Frequency("month", count * _MONTHS[letter], month_end)
    if letter not in _FIXED:
        raise ValueError(_unknown(text))
    return _fixed(count * _FIXED[letter], text, clock)


def _unknown(text: str) -> str:
    return (
        f"freq must be a count and a unit: 1h, 15m, 1d, 1bd (business days), 1w, 1mo, 1q or 1y; "
        f"got {text!r}; leave it out to have it inferred"
    )


def _fixed(size: int, text: str, clock: Clock) -> Frequency:
    if clock.kind == "datetime":
        return Frequency("microsecond", size)
    if size % DAY:
        raise ValueError(f"freq must be whole days, for the times are dates; got {text!r}")
    return Frequency("day", size // DAY)


def infer_frequency(differences: Ticks, times: Ticks, clock: Clock) -> Frequency:
    """The frequency that most neighbouring times have.

    Args:
        differences: ticks between neighbouring times of a series, all series together, each > 0.
        times: the times themselves, each once.
    """
    monthly = _monthly(times) if clock.kind == "date" else None
    if monthly is not None:
        return monthly
    values, counts = np.unique(differences, return_counts=True)
    usual = int(values[counts.argmax()])
    if clock.kind != "date":
        return Frequency("integer" if clock.kind == "integer" else "microsecond", usual)
    weekdays = (times + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    if usual == 1 and times.size >= 10 and (weekdays < 5).all() and values[-1] >= 3:
        return Frequency("business day", 1)
    return Frequency("day", usual)


def _months(days: Ticks) -> Ticks:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _monthly(days: Ticks) -> Frequency | None:
    """Months where every time is on the same day of its month, or on its last day."""
    dates = days.astype("datetime64[D]")
    within = (dates - dates.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    ends = ((dates + 1).astype("datetime64[M]") > dates.astype("datetime64[M]")).all()
    months = np.unique(dates.astype("datetime64[M]").astype(np.int64))
    if months.size < 2 or not (ends or np.unique(within).size == 1):
        return None
    steps, counts = np.unique(np.diff(months), return_counts=True)
    return Frequency("month", int(steps[counts.argmax()]), month_end=bool(ends))
