"""The arguments and the help of the verbs for language models."""

from pathlib import Path
from typing import Annotated, Any

from elman.cells import Cell
from elman.cli import language_command, language_use
from elman.cli.config import fields
from elman.cli.flags import finished, with_flags
from elman.cli.language_use import Scoring, Writing
from elman.cli.training import Run
from elman.tasks.language import DEFAULT_STEPS, FIT, LanguageSettings
from elman.train import FitSettings

_BUDGET = {
    "steps": f"optimiser steps. [default: {DEFAULT_STEPS}, without epochs or minutes]",
    "epochs": "passes over the training part. The smallest of the budgets given counts.",
    "minutes": "minutes of training the network. The steps they come to are fixed at the start and "
    "recorded; the feedforward baseline then does as many.",
}
_RUN = "Folder of a run, or a model file."
_CELL = "Your own cell, if it has one: my.py:MyCell."


def train(cells: tuple[type[Cell], ...]) -> Any:
    """`elman train language`."""
    from cyclopts import Parameter

    @finished
    @with_flags(FitSettings, "Training", 4, FIT, _BUDGET)
    @with_flags(LanguageSettings, "Language", 3)
    @with_flags(Run, "Run", 2)
    def language(
        *files: Annotated[Path, Parameter(help="Plain text of any size; each is a document.")],
        **given: Any,
    ) -> None:
        """Learn to predict text, one character, byte or subword after another.

        Trains on the first 80 % of the text, chooses by the next 10 %, tests on
        the last 10 %, compares with baselines, and writes a model, metrics and a
        report with samples to a new folder. A file may be gzipped.
        """
        own = {name: given.pop(name) for name in fields(Run) if name in given}
        language_command.train(files, Run(**own), given, cells)

    return language


def generate(cells: tuple[type[Cell], ...]) -> Any:
    """`elman generate`."""
    from cyclopts import Parameter

    def generate(
        run: Annotated[Path, Parameter(help=_RUN)],
        /,
        *,
        prompt: Annotated[
            list[str] | None,
            Parameter(help="What to go on from; several with a flag each.", negative=""),
        ] = None,
        prompts: Annotated[
            Path | None, Parameter(help="File of prompts, one a line, written side by side.")
        ] = None,
        length: Annotated[int, Parameter(help="Tokens to write at most.")] = 500,
        temperature: Annotated[
            float,
            Parameter(help="Below 1 the likely becomes likelier; 0 takes the likeliest always."),
        ] = 0.8,
        top_k: Annotated[int, Parameter(help="Only the k likeliest tokens; 0 for all.")] = 0,
        top_p: Annotated[
            float, Parameter(help="Only the likeliest tokens whose probabilities come to p.")
        ] = 1.0,
        min_p: Annotated[
            float, Parameter(help="Only tokens at least this share as likely as the likeliest.")
        ] = 0.0,
        seed: Annotated[int, Parameter(help="Of the draws: the same seed, the same text.")] = 0,
        stop: Annotated[
            list[str] | None,
            Parameter(help="End before this text; several with a flag each.", negative=""),
        ] = None,
        cell: Annotated[str, Parameter(help=_CELL, show_default=False)] = "",
    ) -> None:
        """Write text with a language model, and print it as it is written.

        Several prompts are written side by side, and printed when all are done.
        """
        words = (tuple(prompt or ()), prompts, length, temperature, top_k, top_p, min_p, seed)
        language_use.generate(run, Writing(*words, tuple(stop or ())), cell, cells)

    return generate


def score(cells: tuple[type[Cell], ...]) -> Any:
    """`elman score`."""
    from cyclopts import Parameter

    def score(
        run: Annotated[Path, Parameter(help=_RUN)],
        file: Annotated[
            Path | None, Parameter(help="Text to score; standard input by default.")
        ] = None,
        /,
        *,
        text: Annotated[str | None, Parameter(help="Score this text instead of a file.")] = None,
        each: Annotated[
            bool,
            Parameter(
                help="Print CSV: a row for each token, its log-probability and surprise.",
                negative="",
                show_default=False,
            ),
        ] = False,
        picture: Annotated[
            Path | None, Parameter(help="HTML file to write: the text coloured by surprise.")
        ] = None,
        encoding: Annotated[str, Parameter(help="Of the file.")] = "utf-8",
        cell: Annotated[str, Parameter(help=_CELL, show_default=False)] = "",
    ) -> None:
        """Say how likely a text is to a language model, and what in it surprises.

        Prints the log-probability, bits a character and perplexity of the whole.
        """
        language_use.score(run, file, Scoring(text, each, picture, encoding), cell, cells)

    return score
