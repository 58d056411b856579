"""`elman predict` and `evaluate` for forecasters."""

from dataclasses import dataclass
from pathlib import Path

from elman.cli import use
from elman.cli.console import csv_text, result, say, write
from elman.cli.use import Cells
from elman.tasks.forecast import Forecaster

TASK = "forecast"


def load(run: Path, cell: str, cells: Cells) -> Forecaster:
    """The forecaster of a run or a model file; `cell` names the user's own, if it has one."""
    return use.load(run, TASK, Forecaster.load, cell, cells)


@dataclass(frozen=True)
class Ahead:
    """What is forecast; None for all of what the model was trained with.

    - `h`: steps to forecast; by default those that it was trained for.
    - `level`: intervals in per cent, such as 80,95; none for none; by default as trained.
    - `ids`: series, with commas; all by default.
    - `futr_df`: file of the covariates that are known ahead.
    - `static_df`: file of the static covariates of new series.
    """

    h: int | None = None
    level: tuple[float, ...] | None = None
    ids: tuple[str, ...] = ()
    futr_df: Path | None = None
    static_df: Path | None = None


@dataclass(frozen=True)
class Measuring:
    """How a forecaster is measured.

    - `static_df`: file of the static covariates, if --data has none.
    - `per_series`: CSV file to write the errors of each series to.
    """

    static_df: Path | None = None
    per_series: Path | None = None


def predict(
    run: Path, data: Path | None, asked: Ahead, output: Path | None, cell: str, cells: Cells
) -> None:
    """Print or write the forecasts of each series, from the ends known or from new `data`."""
    forecaster = load(run, cell, cells)
    if asked.level is None and forecaster.fitted.calibration is None:
        say("This model was stored without intervals; train again to have them.")
    h, level, ids = asked.h, asked.level, asked.ids
    more = asked.futr_df, asked.static_df
    frame = forecaster.predict(data, *more, h=h, level=level, ids=ids, say=say)
    write(csv_text(frame), output)


def evaluate(run: Path, data: Path | None, how: Measuring, cell: str, cells: Cells) -> None:
    """Print the tables of errors."""
    forecaster = load(run, cell, cells)
    source = forecaster.fitted.understood["source"]
    if data is None:
        say(f"The table stored when it was trained on {source}; --data FILE measures again:")
    else:
        say(f"Measured now on {data}, by the model trained on {source}:")
    evaluation = forecaster.evaluate(data, how.static_df)
    for note in forecaster.fitted.notes if data is None else ():
        say(f"note: {note}")
    result(evaluation.verdict())
    for table in (evaluation.table(), evaluation.more(), evaluation.intervals()):
        if table.rows:
            result("")
            result(table.text())
    if how.per_series is not None:
        write(csv_text(evaluation.per_series_frame()), how.per_series)
