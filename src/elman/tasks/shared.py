"""What the estimators of all tasks share."""

import dataclasses
import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from elman.train import FitSettings

MODEL = "model.safetensors"
"""The model's name in the folder of a run."""

Say = Callable[[str], None]
"""Takes each sentence that an estimator has to say on its way."""


def silent(text: str) -> None:
    """Says nothing: what Python does unless asked."""


def model_path(path: str | os.PathLike[str]) -> Path:
    """The model file of a run: a folder stands for the file in it."""
    given = Path(path)
    return given / MODEL if given.is_dir() else given


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
