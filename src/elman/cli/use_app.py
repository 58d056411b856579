"""The arguments and the help of `elman predict` and `elman evaluate`, whatever the task."""

from pathlib import Path
from typing import Annotated, Any

from elman.cells import Cell
from elman.cli import classify_use, forecast_use, language_use, translate_use, use
from elman.cli.console import command
from elman.cli.flags import finished, with_flags

RUN = "Folder of a run, or a model file."
CELL = "Your own cell, if it has one: my.py:MyCell."


def predict(cells: tuple[type[Cell], ...]) -> Any:
    """`elman predict`."""
    from cyclopts import Parameter

    @finished
    @with_flags(translate_use.Wanted, "Translators", 3)
    @with_flags(forecast_use.Ahead, "Forecasters", 2)
    def predict(
        run: Annotated[Path, Parameter(help=RUN)],
        file: Annotated[
            Path | None, Parameter(help="Classifiers: examples to judge. Translators: lines.")
        ] = None,
        /,
        *,
        text: Annotated[str | None, Parameter(help="Classify or translate this text.")] = None,
        data: Annotated[
            Path | None,
            Parameter(
                help="Forecasters: new rows of known or new series; by default the series go on "
                "from where training saw them end. Others: the same as FILE."
            ),
        ] = None,
        output: Annotated[
            Path | None,
            Parameter(name=("--output", "-o"), help="File to write; by default standard output."),
        ] = None,
        cell: Annotated[str, Parameter(help=CELL, show_default=False)] = "",
        **given: Any,
    ) -> None:
        """Print forecasts, the class of each example, or translations.

        A forecast is a row of CSV: name, time, `elman` and its intervals. So is
        a class: row, label, and the probability of each class. Classifiers of
        texts and translators take FILE, --text, or a text on each line of
        standard input.
        """
        found = use.task_of(run)
        own = {"forecast": forecast_use.Ahead, "translate": translate_use.Wanted}
        use.check_flags(run, found, given, own)
        _check_examples(run, found, file, text)
        if found == "translate":
            wanted = translate_use.Wanted(**given)
            translate_use.predict(run, file or data, text, wanted, output, cell, cells)
        elif found == "classify":
            classify_use.predict(run, file or data, text, output, cell, cells)
        else:
            forecast_use.predict(run, data, forecast_use.Ahead(**given), output, cell, cells)

    return predict


def _check_examples(run: Path, task: str | None, file: Path | None, text: str | None) -> None:
    """Raises ValueError for what the task does not predict from."""
    if task == "language":
        what = "predict is for forecasters, classifiers and translators; got a language model"
        raise ValueError(f"{run}: {what}; write with it: {command(['generate', run])}")
    if task not in ("classify", "translate") and (file is not None or text is not None):
        raise ValueError(
            f"{run}: FILE and --text are for classifiers and translators; give --data FILE"
        )


def evaluate(cells: tuple[type[Cell], ...]) -> Any:
    """`elman evaluate`."""
    from cyclopts import Parameter

    @finished
    @with_flags(translate_use.Measuring, "Translators", 4)
    @with_flags(language_use.Measuring, "Language models", 3)
    @with_flags(forecast_use.Measuring, "Forecasters", 2)
    def evaluate(
        run: Annotated[Path, Parameter(help=RUN)],
        /,
        *,
        data: Annotated[
            Path | None,
            Parameter(
                help="What to measure on: a table whose end is forecast, a text, examples with "
                "labels, or pairs. By default the table stored in training is shown."
            ),
        ] = None,
        cell: Annotated[str, Parameter(help=CELL, show_default=False)] = "",
        **given: Any,
    ) -> None:
        """Print the table of errors or scores, beside those of the baselines."""
        found = use.task_of(run)
        own = {
            "forecast": forecast_use.Measuring,
            "language": language_use.Measuring,
            "translate": translate_use.Measuring,
        }
        use.check_flags(run, found, given, own)
        if found == "translate":
            how = translate_use.Measuring(**given)
            translate_use.evaluate(run, data, how, cell, cells)
        elif found == "classify":
            classify_use.evaluate(run, data, cell, cells)
        elif found == "language":
            language_use.evaluate(run, data, language_use.Measuring(**given), cell, cells)
        else:
            forecast_use.evaluate(run, data, forecast_use.Measuring(**given), cell, cells)

    return evaluate
