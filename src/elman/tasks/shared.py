"""What the estimators of all tasks share."""

import dataclasses
import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elman.report import Section
from elman.train import FitResult, FitSettings

MODEL = "model.safetensors"
"""The model's name in the folder of a run."""

_MOST = 1_000_000

Say = Callable[[str], None]
"""Takes each sentence that an estimator has to say on its way."""


def silent(text: str) -> None:
    """Says nothing: what Python does unless asked."""


def model_path(path: str | os.PathLike[str]) -> Path:
    """The model file of a run: a folder stands for the file in it."""
    given = Path(path)
    return given / MODEL if given.is_dir() else given


def examined(result: FitResult | None) -> tuple[Section, ...]:
    """What the doctor said last while a model was trained, for its page; nothing if not asked."""
    found = None if result is None else result.examination
    return () if found is None else (found.section(),)


def check_count(name: str, value: object, least: int) -> None:
    """Raises TypeError or ValueError for what is no whole number from `least` to a million."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number; got {value!r}; give {least} or more")
    if not least <= value <= _MOST:
        raise ValueError(f"{name} must be {least} to {_MOST:,}; got {value}; change it")


def check_share(name: str, value: object) -> None:
    """Raises ValueError for what is no number from 0 to below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1; got {value!r}; 0 switches it off")


def check_flag(name: str, value: object) -> None:
    """Raises TypeError for what is neither True nor False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False; got {value!r}; give one of them")


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
