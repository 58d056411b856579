"""The verbs, their arguments and their help."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from elman import __version__
from elman.cells import Cell
from elman.cli import (
    cells_command,
    classify_app,
    compare_app,
    data_command,
    demo_command,
    doctor,
    export_command,
    forecast_command,
    language_app,
    stream_command,
    translate_app,
    use_app,
)
from elman.cli.config import fields
from elman.cli.data_command import Reading
from elman.cli.doctor_data import STEPS, Briefly
from elman.cli.flags import finished, with_flags
from elman.cli.forecast_command import RunSettings
from elman.tasks.forecast import DEFAULT_STEPS, FIT, ForecastSettings
from elman.train import FitSettings

if TYPE_CHECKING:
    from cyclopts import App

_HELP = """Recurrent neural networks: train one on your data, see how it compares, use it.

Start with:

elman demo forecast                      the whole job, on data that comes along
elman demo vanishing                     a lesson: why gradients vanish
elman data sales.csv                     what is understood of a table
elman train forecast sales.csv --h 28    train, compare, report
elman predict runs/forecast-sales-001    the next 28 values of each series
elman train language book.txt            a model of text
elman generate runs/language-book-001    text that it writes
elman train classify reviews.csv         classes of texts, or of sequences
elman train translate train.de train.en  from lines of text to lines of text
elman compare forecast sales.csv --h 28  is a recurrent network worth it?

With a run, which is the folder that training made, or its model file:

elman evaluate RUN                       how good it is, beside the baselines
elman doctor RUN                         what it remembers, what ails it
elman stream RUN < in.csv > out.csv      row by row, as they come
elman export RUN --onnx model.onnx       for other runtimes

Results go to standard output, the rest to standard error.
--debug shows where an error arose."""

_BUDGET = {
    "steps": f"optimiser steps. [default: {DEFAULT_STEPS}, without epochs or minutes]",
    "epochs": "passes over the training windows. The smallest of the budgets given counts.",
    "minutes": "minutes of training. The steps they come to are fixed at the start and recorded.",
}


def build_app(cells: tuple[type[Cell], ...]) -> "App":
    """The command line, with the user's own cells."""
    from cyclopts import App

    app = App(name="elman", version=__version__, help=_HELP, help_format="plaintext")
    train = App(name="train", help="Train a network on your data and compare it with baselines.")
    app.command(train)
    train.command(_train_forecast(cells), name="forecast")
    train.command(language_app.train(cells), name="language")
    train.command(translate_app.train(cells), name="translate")
    train.command(classify_app.train(cells), name="classify")
    app.command(use_app.predict(cells), name="predict")
    app.command(use_app.evaluate(cells), name="evaluate")
    app.command(language_app.generate(cells), name="generate")
    app.command(language_app.score(cells), name="score")
    app.command(stream_command.app(cells), name="stream")
    app.command(_doctor(cells), name="doctor")
    app.command(compare_app.app(cells))
    app.command(export_command.app(cells), name="export")
    app.command(_data(), name="data")
    app.command(_demo(), name="demo")
    app.command(_cells(cells), name="cells")
    return app


def _train_forecast(cells: tuple[type[Cell], ...]) -> Any:
    from cyclopts import Parameter

    @finished
    @with_flags(FitSettings, "Training", 4, FIT, _BUDGET)
    @with_flags(ForecastSettings, "Forecast", 3)
    @with_flags(RunSettings, "Run", 2)
    def forecast(
        file: Annotated[
            Path | None,
            Parameter(help="CSV or Parquet: a row for each series and time, in any order."),
        ] = None,
        /,
        **given: Any,
    ) -> None:
        """Forecast the next h values of one or many series.

        Says what it understood of the file, trains a network and the baselines
        beside it, prints a table of errors, and writes a model, metrics and a
        report to a new folder. A file may be gzipped.
        """
        own = {name: given.pop(name) for name in fields(RunSettings) if name in given}
        forecast_command.train(file, RunSettings(**own), given, cells)

    return forecast


def _doctor(cells: tuple[type[Cell], ...]) -> Any:
    from cyclopts import Parameter

    words = {"steps": f"steps of training. [default: {STEPS}]"}

    @finished
    @with_flags(Briefly, "With data", 3, words=words)
    @with_flags(doctor.Depth, "Examination", 2)
    def examine(
        run: Annotated[
            Path, Parameter(help="Folder of a run, or a model file; or a task, such as forecast.")
        ],
        data: Annotated[
            Path | None, Parameter(help="After a task: the data to train on a short while.")
        ] = None,
        /,
        *,
        output: Annotated[
            Path | None,
            Parameter(
                name=("--output", "-o"), help="File to write: .json, .html, .png, .svg or .pdf."
            ),
        ] = None,
        cell: Annotated[
            str,
            Parameter(
                help="Your own cell, my.py:MyCell; with data, the cell to train.",
                show_default=False,
            ),
        ] = "",
        **given: Any,
    ) -> None:
        """Say what a trained network remembers, whether its gradients are ill, and the repair.

        Give a run, or a task and data: then a network is trained on them a short
        while first. Exits with 0 if it is healthy and 1 if it is ill.
        """
        how = doctor.Depth(**{name: given.pop(name) for name in fields(doctor.Depth) & {*given}})
        briefly = Briefly(**given)
        if data is not None:
            doctor.check_data(str(run), data, briefly, how, output, cell, cells)
        elif briefly != Briefly():
            raise ValueError("--h, --hidden, --steps and --config need data; give TASK DATA")
        else:
            doctor.check(run, how, output, cell, cells)

    return examine


def _data() -> Any:
    from cyclopts import Parameter

    @finished
    @with_flags(Reading, "Columns", 2)
    def data(
        file: Annotated[Path, Parameter(help="CSV (.csv, .csv.gz) or Parquet.")],
        /,
        **given: Any,
    ) -> None:
        """Say what is understood of a table of series, and the command that trains on it.

        What is left out is found, where the file tells it. Of texts and of
        examples with classes `elman train language`, `classify` and `translate`
        say it before they train.
        """
        data_command.describe(file, Reading(**given))

    return data


def _demo() -> Any:
    from cyclopts import Parameter

    def demo(
        name: Annotated[
            str, Parameter(help="The demonstration; none lists them.", show_default=False)
        ] = "",
        /,
        *,
        runs: Annotated[Path, Parameter(help="Where the folder of the run is made.")] = Path(
            "runs"
        ),
    ) -> None:
        """Run a task on data that comes with elman, or a lesson. Without a name: list them."""
        demo_command.demo(name, runs)

    return demo


def _cells(own: tuple[type[Cell], ...]) -> Any:
    from cyclopts import Parameter

    def cells(
        name: Annotated[
            str, Parameter(help="A cell to show whole, or my.py:MyCell.", show_default=False)
        ] = "",
        /,
        *,
        hidden: Annotated[int, Parameter(help="Units to count for.")] = 128,
        inputs: Annotated[int, Parameter(help="Inputs to count for.")] = 128,
    ) -> None:
        """List the recurrences and what a step of each costs; with a name, show its tape."""
        cells_command.show(name, hidden, inputs, own)

    return cells
