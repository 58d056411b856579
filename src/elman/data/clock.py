"""Times as whole ticks, and how to write them again.

A tick is a day for dates (and for datetimes that all have the same time of day), a microsecond
(since 1970, UTC where there is a zone) for other datetimes, and the number itself for integers.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import polars as pl

Ticks = np.ndarray[Any, np.dtype[np.int64]]
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Clock:
    """How times are written, so that forecasts are written the same way.

    - `kind`: what a tick is.
    - `format`: for `strftime`; empty for integers.
    - `zone`: "UTC", an offset such as "+02:00" or a name such as "Europe/Berlin"; None: no zone.
    - `text`: whether the column held text, rather than typed values.
    - `type`: of a typed column: "date", "ns", "us" or "ms" of datetimes, "Int32" or the like.
    - `offset`: time of day of every date, in microseconds.
    """

    kind: Literal["integer", "date", "datetime"]
    format: str = ""
    zone: str | None = None
    text: bool = True
    type: str = ""
    offset: int = 0

    def write(self, tick: int) -> str:
        """One time as text, in the form the column had."""
        if self.kind == "integer":
            return str(tick)
        moment = datetime(1970, 1, 1, tzinfo=UTC)
        if self.kind == "date":
            return (moment + timedelta(tick, 0, self.offset)).strftime(self.format)
        moment += timedelta(microseconds=tick)
        return moment.astimezone(_zone(self.zone)).strftime(self.format)

    def column(self, name: str, ticks: Ticks) -> "pl.Series":
        """A column of times: text where the input was text, typed as it was otherwise."""
        import polars as pl

        if self.text:
            times, where = np.unique(ticks, return_inverse=True)
            texts = pl.Series(name, [self.write(int(tick)) for tick in times], dtype=pl.String)
            return texts.gather(where.ravel())
        series = pl.Series(name, ticks, dtype=pl.Int64)
        if self.kind == "integer":
            return series.cast(getattr(pl, self.type or "Int64"))
        if self.type == "date":
            return series.cast(pl.Int32).cast(pl.Date)
        return self._datetimes(series)

    def _datetimes(self, series: "pl.Series") -> "pl.Series":
        import polars as pl

        days = self.kind == "date"
        micro = (series * DAY + self.offset if days else series).cast(pl.Datetime("us"))
        typed = micro.cast(pl.Datetime(self.type or "us"))  # type: ignore[arg-type]
        if self.zone is None:
            return typed
        if days:
            return typed.dt.replace_time_zone(self.zone, ambiguous="earliest")
        return typed.dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)


def by_days(ticks: Ticks, clock: Clock) -> tuple[Ticks, Clock] | None:
    """Datetimes as days, where all have the same time of day where they were written.

    So weekends, months and changes of the clock are counted as people do. None where they differ.
    """
    local = _local(ticks, clock)
    rest = local % DAY
    if clock.kind != "datetime" or (rest != rest[0]).any():
        return None
    plain = clock.text or rest[0]
    form = clock.format if plain else "%Y-%m-%d"
    return local // DAY, replace(clock, kind="date", format=form, offset=int(rest[0]))


def _local(ticks: Ticks, clock: Clock) -> Ticks:
    """Microseconds as the clock on the wall shows them."""
    import polars as pl

    zone = _zone(clock.zone)
    if isinstance(zone, timezone):
        east = zone.utcoffset(None) or timedelta()
        return ticks + (east // timedelta(microseconds=1))
    utc = pl.Series(ticks).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    wall = utc.dt.convert_time_zone(str(clock.zone)).dt.replace_time_zone(None)
    return wall.to_physical().to_numpy()


def _zone(name: str | None) -> tzinfo:
    if name in (None, "UTC"):
        return UTC
    if re.fullmatch(r"[+-]\d{2}:\d{2}", str(name)):
        sign = -1 if str(name)[0] == "-" else 1
        return timezone(sign * timedelta(hours=int(str(name)[1:3]), minutes=int(str(name)[4:])))
    from zoneinfo import ZoneInfo

    return ZoneInfo(str(name))
