"""The arguments and the help of `elman compare`."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from elman.cells import Cell
from elman.cli import compare_command
from elman.cli.compare_command import CompareRun
from elman.cli.config import fields
from elman.cli.flags import Command, finished, with_flags
from elman.compare.settings import CompareSettings
from elman.tasks.comparing import Contest, contests
from elman.train import FitSettings

if TYPE_CHECKING:
    from cyclopts import App

_HELP = """Compare recurrent cells with what has no recurrence, on your data.

A feedforward network on the same window, a causal convolution and naive
baselines stand beside the cells; all networks have about as many parameters
and the same budget of training and tuning."""

_WRITES = """Prints whether a recurrent network is worth it and a table, and writes
JSON, a page and a picture to a new folder."""


def app(cells: tuple[type[Cell], ...]) -> "App":
    """`elman compare`, with a command for each task that offers a contest."""
    from cyclopts import App

    found = App(name="compare", help=_HELP)
    for task, contest in contests().items():
        words = f"Compare cells on what `elman train {task}` learns.\n\n{_WRITES}"
        found.command(_compare(task, contest, cells), name=task, help=words)
    return found


def _compare(task: str, contest: type[Contest], cells: tuple[type[Cell], ...]) -> Any:
    from cyclopts import Parameter

    @finished
    @with_flags(FitSettings, "Training", 4, contest.fitting, _budget(task))
    @with_flags(CompareSettings, "Comparison", 2)
    @with_flags(CompareRun, "Run", 1)
    @_without("cell", *contest.fixed)
    @with_flags(contest.settings, "Task", 3)
    def compare(
        data: Annotated[Path, Parameter(help="The file, as `elman train` takes it.")],
        /,
        **given: Any,
    ) -> None:
        own = {name: given.pop(name) for name in fields(CompareRun) if name in given}
        compare_command.run(task, data, CompareRun(**own), given, cells)

    return compare


def _budget(task: str) -> dict[str, str]:
    usual = f"by default as many as `elman train {task}` takes"
    return {"steps": f"optimiser steps; {usual}, without epochs or minutes."}


def _without(*names: str) -> Callable[[Command], Command]:
    """Drop flags: what a comparison does not take, and `--cell`, for which `--cells` stands."""

    def drop(command: Command) -> Command:
        signature = inspect.signature(command)
        kept = [one for one in signature.parameters.values() if one.name not in names]
        command.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
        return command

    return drop
