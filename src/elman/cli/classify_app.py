"""The arguments and the help of `elman train classify`."""

from pathlib import Path
from typing import Annotated, Any

from elman.cells import Cell
from elman.cli import classify_command
from elman.cli.classify_command import ClassifyRun
from elman.cli.config import fields
from elman.cli.flags import finished, with_flags
from elman.tasks.classify import DEFAULT_EPOCHS, FIT, LEAST_STEPS, ClassifySettings
from elman.train import FitSettings

_BUDGET = {
    "steps": "optimiser steps.",
    "epochs": "passes over the training part. The smallest of the budgets given counts. "
    f"[default: {DEFAULT_EPOCHS}, and {LEAST_STEPS} steps at least, without steps or minutes]",
    "minutes": "minutes of training the network. The steps they come to are fixed at the start and "
    "recorded; the feedforward baseline then does as many.",
}


def train(cells: tuple[type[Cell], ...]) -> Any:
    """`elman train classify`."""
    from cyclopts import Parameter

    @finished
    @with_flags(FitSettings, "Training", 4, FIT, _BUDGET)
    @with_flags(ClassifySettings, "Classification", 3)
    @with_flags(ClassifyRun, "Run", 2)
    def classify(
        file: Annotated[
            Path | None,
            Parameter(
                help="CSV, Parquet or JSON lines, a row for each example; or a folder with a "
                "folder of texts for each class."
            ),
        ] = None,
        /,
        **given: Any,
    ) -> None:
        """Learn to tell the class of a text, or of a sequence of numbers.

        Texts have a row each (--text, --label); sequences of numbers a row for
        each step (--id, --time, --label). Trains on 80 % of the examples, chooses
        by 10 %, tests on 10 %, compares with baselines, and writes a model,
        metrics and a report to a new folder.
        """
        own = {name: given.pop(name) for name in fields(ClassifyRun) if name in given}
        classify_command.train(file, ClassifyRun(**own), given, cells)

    return classify
