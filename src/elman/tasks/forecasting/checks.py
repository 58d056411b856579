"""Settings that break a rule are refused, by name and with the repair."""

from collections.abc import Iterable
from typing import Any

from elman.data import DataError
from elman.tasks import shared
from elman.tasks.forecasting.splits import Part, Shape, least_length

# name: lowest allowed
_COUNTS = {
    "h": 1,
    "hidden": 1,
    "layers": 1,
    "batch_size": 1,
    "season": 0,
    "window": 0,
    "segment": 0,
    "ensemble": 1,
    "ets_series": 0,
    "validation_windows": 0,
    "test_windows": 0,
}
_TEXTS = ("cell", "id_col", "time_col", "target_col", "freq")
_CHOICES = {
    "loss": ("mae", "huber", "mse"),
    "per": ("mase", "scale", "owa"),
    "transform": ("auto", "none", "log"),
    "support": ("real", "nonnegative", "integer"),
}


def check_settings(settings: Any) -> None:
    """Raises ValueError or TypeError for the first field that breaks its rule."""
    for name, least in _COUNTS.items():
        shared.check_count(name, getattr(settings, name), least)
    for name in _TEXTS:
        value = getattr(settings, name)
        if not isinstance(value, str):
            raise TypeError(f"{name} must be text; got {value!r}; put it in quotes")
    shared.check_share("dropout", settings.dropout)
    for name, allowed in _CHOICES.items():
        value = getattr(settings, name)
        if value not in allowed:
            words = ", ".join(allowed)
            raise ValueError(f"{name} must be one of {words}; got {value!r}; choose one")
    shared.check_flag("refit", settings.refit)
    if settings.segment > settings.h or (settings.window and settings.segment > settings.window):
        raise ValueError(
            f"segment must not exceed h or window; got segment={settings.segment}, h={settings.h}, "
            f"window={settings.window}; lower it, or give 0 to have it chosen"
        )


def levels(given: object) -> tuple[float, ...]:
    """Levels of intervals in per cent, sorted, each once; None is none.

    Raises:
        TypeError, ValueError: one is no number above 0 and below 100.
    """
    each = () if given is None else given
    each = (each,) if isinstance(each, int | float) else each
    if isinstance(each, str) or not isinstance(each, Iterable):
        raise TypeError(f"level must be a list of per cents; got {given!r}; give [80, 95]")
    found = set()
    for one in each:
        if isinstance(one, bool) or not isinstance(one, int | float):
            raise TypeError(f"level must be numbers, in per cent; got {one!r}; give [80, 95]")
        if not 0 < one < 100:
            raise ValueError(f"level must be above 0 and below 100; got {one}; give [80, 95]")
        if one < 1:
            raise ValueError(f"level is in per cent; got {one}; did you mean {100 * one:g}?")
        found.add(int(one) if one == int(one) else float(one))
    return tuple(sorted(found))


def names(name: str, given: object) -> tuple[str, ...]:
    """Names of columns; None is none. Raises TypeError where it is no list of text."""
    each = () if given is None else given
    if isinstance(each, str) or not isinstance(each, Iterable):
        raise TypeError(f"{name} must be a list of columns; got {given!r}; give ['price']")
    found = tuple(each)
    if not all(isinstance(one, str) for one in found):
        raise TypeError(f"{name} must be names of columns; got {given!r}; give ['price']")
    return found


def count(name: str, value: object) -> int:
    """`value` as a number of steps or the like. Raises TypeError or ValueError where it is none."""
    shared.check_count(name, value, 1)
    assert isinstance(value, int)
    return value


def check_some(source: str, parts: list[Part], shape: Shape) -> None:
    """Raises DataError where no series is long enough to be evaluated."""
    if not parts:
        need = least_length(shape)
        raise DataError(
            f"{source}: series: one must have at least {need} steps to be evaluated with "
            f"h={shape.h}; got none that long; give more rows"
        )
