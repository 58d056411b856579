"""Settings that break a rule are refused, by name and with the repair."""

import dataclasses
import difflib
from typing import Any

from elman.data import DataError
from elman.tasks.forecasting.splits import Part, Shape, least_length
from elman.train import FitSettings

# name: lowest allowed
_COUNTS = {
    "h": 1,
    "hidden": 1,
    "layers": 1,
    "batch_size": 1,
    "season": 0,
    "window": 0,
    "segment": 0,
    "validation_windows": 0,
    "test_windows": 0,
}
_TEXTS = ("cell", "id_col", "time_col", "target_col", "freq")
_LOSSES = ("mae", "huber", "mse")
_MOST = 1_000_000


def check_settings(settings: Any) -> None:
    """Raises ValueError or TypeError for the first field that breaks its rule."""
    for name, least in _COUNTS.items():
        _check_count(name, getattr(settings, name), least)
    for name in _TEXTS:
        value = getattr(settings, name)
        if not isinstance(value, str):
            raise TypeError(f"{name} must be text; got {value!r}; put it in quotes")
    dropout = settings.dropout
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise ValueError(
            f"dropout must be at least 0 and below 1; got {dropout!r}; 0 switches it off"
        )
    if settings.loss not in _LOSSES:
        raise ValueError(
            f"loss must be one of {', '.join(_LOSSES)}; got {settings.loss!r}; choose one"
        )
    if settings.segment > settings.h or (settings.window and settings.segment > settings.window):
        raise ValueError(
            f"segment must not exceed h or window; got segment={settings.segment}, h={settings.h}, "
            f"window={settings.window}; lower it, or give 0 to have it chosen"
        )


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number; got {value!r}; give {least} or more")
    if not least <= value <= _MOST:
        chosen = "; 0 has it chosen" if least == 0 else ""
        raise ValueError(f"{name} must be {least} to {_MOST:,}; got {value}{chosen}")


def sort_out(
    given: dict[str, Any], own: type[Any], fitting: FitSettings
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Which of the settings given are the task's, and which are for `fit`.

    Raises TypeError for one that is neither, with the nearest that is.
    """
    mine = {field.name for field in dataclasses.fields(own)}
    theirs = {field.name for field in dataclasses.fields(fitting)}
    for name in given:
        if name not in mine | theirs:
            near = difflib.get_close_matches(name, sorted(mine | theirs), n=1)
            hint = (
                f"did you mean {near[0]!r}?"
                if near
                else f"known: {', '.join(sorted(mine | theirs))}"
            )
            raise TypeError(f"no setting is called {name!r}; {hint}")
    return (
        {name: value for name, value in given.items() if name in mine},
        {name: value for name, value in given.items() if name in theirs},
    )


def check_some(source: str, parts: list[Part], shape: Shape) -> None:
    """Raises DataError where no series is long enough to be evaluated."""
    if not parts:
        need = least_length(shape)
        raise DataError(
            f"{source}: series: one must have at least {need} steps to be evaluated with "
            f"h={shape.h}; got none that long; give more rows"
        )
