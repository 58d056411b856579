"""What the commands that use a trained model share: which task it is of, and its loading."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from elman.cells import Cell
from elman.cli import run_folder
from elman.cli.cell_files import find_cell
from elman.cli.config import fields
from elman.cli.console import command
from elman.tasks.shared import model_path
from elman_runtime import ModelFileError, model_file

Cells = tuple[type[Cell], ...]
Model = TypeVar("Model")

MODELS = {
    "forecast": ("a forecaster", "forecasters"),
    "language": ("a language model", "language models"),
    "classify": ("a classifier", "classifiers"),
    "translate": ("a translator", "translators"),
}
"""What a model of each task is called, one and many."""


def task_of(run: Path) -> str | None:
    """The task of a run or a model file; None where that cannot be told."""
    path = model_path(run)
    if run.is_dir() and not path.exists() and (run / run_folder.SETTINGS).exists():
        return next((task for task in run_folder.read_settings(run) if task in MODELS), None)
    try:
        found = model_file.describe(path).meta.get("task")
    except (OSError, ModelFileError):
        return None
    return found if isinstance(found, str) else None


def check_flags(
    run: Path, task: str | None, given: Iterable[str], own: Mapping[Any, type[Any]]
) -> None:
    """Flags of other tasks are refused.

    Args:
        run: the run or the model file.
        task: its task.
        given: the flags.
        own: the dataclass that has the flags of each task.

    Raises:
        ValueError: a flag was given that the task does not have.
    """
    for name in given:
        theirs = [other for other, settings in own.items() if name in fields(settings)]
        if (task or "forecast") not in theirs:  # what cannot be told, loading explains
            flag = name.replace("_", "-")
            whose = " and ".join(MODELS[other][1] for other in theirs)
            what = MODELS[task][0] if task in MODELS else "another model"
            raise ValueError(f"--{flag} is for {whose}; got {what}: {run}; leave it out")


def load(
    run: Path, task: str, read: Callable[[Path, Cells], Model], cell: str, cells: Cells
) -> Model:
    """The model of a run or a model file.

    Args:
        run: the folder of a run, or a model file.
        task: what the model is for.
        read: the loading of its class.
        cell: names the user's own cell, if it has one.
        cells: the user's own that are known by name.

    Raises:
        ValueError: the run was not finished; says how to go on with it.
    """
    own = (find_cell(cell, cells), *cells) if cell else cells
    if run.is_dir() and not model_path(run).exists():
        again = command(["train", task, "--resume", run])
        raise ValueError(
            f"{run}: a run has a {run_folder.MODEL}; got none; finish it with: {again}"
        )
    return read(run, own)
