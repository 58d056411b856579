"""The arguments and the help of `elman train translate`."""

from pathlib import Path
from typing import Annotated, Any

from elman.cells import Cell
from elman.cli import translate_command
from elman.cli.config import fields
from elman.cli.flags import finished, with_flags
from elman.cli.translate_command import TranslateRun
from elman.tasks.translate import DEFAULT_EPOCHS, FIT, TranslateSettings
from elman.train import FitSettings

_BUDGET = {
    "steps": f"optimiser steps. [default: {DEFAULT_EPOCHS} epochs, without steps or minutes]",
    "epochs": "passes over the training pairs. The smallest of the budgets given counts.",
    "minutes": "minutes of training the network. The steps they come to are fixed at the start and "
    "recorded; the feedforward baseline then does as many.",
}


def train(cells: tuple[type[Cell], ...]) -> Any:
    """`elman train translate`."""
    from cyclopts import Parameter

    @finished
    @with_flags(FitSettings, "Training", 4, FIT, _BUDGET)
    @with_flags(TranslateSettings, "Translation", 3)
    @with_flags(TranslateRun, "Run", 2)
    def translate(
        *files: Annotated[
            Path,
            Parameter(
                help="A table with a tab in each line, or two files whose lines are aligned."
            ),
        ],
        **given: Any,
    ) -> None:
        """Learn to translate, or any other way from lines of text to lines of text.

        Learns subwords of both languages, trains an encoder and a decoder with
        attention, compares with baselines by BLEU, and writes a model, metrics and
        a report to a new folder. A file may be gzipped.
        """
        own = {name: given.pop(name) for name in fields(TranslateRun) if name in given}
        translate_command.train(files, TranslateRun(**own), given, cells)

    return translate
