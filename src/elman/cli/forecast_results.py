"""What a run writes and prints when it is done."""

import dataclasses
from pathlib import Path

from elman.cli import run_folder
from elman.cli.console import command, csv_text, result, say
from elman.cli.results import (
    HISTORY,
    print_verdict,
    say_written,
    settings_text,
    write_metrics,
    write_report,
)
from elman.data import Panel
from elman.tasks.forecast import Forecaster
from elman.tasks.forecasting import page
from elman.tasks.forecasting.crossed import Crossed
from elman.tasks.forecasting.crossing import Cutoffs
from elman_runtime import files

TASK = "forecast"
CROSSED_FILE = "cross_validation.csv"


def cross(run: Path, forecaster: Forecaster, panel: Panel, cutoffs: Cutoffs) -> Crossed:
    """Cross-validate, and write the forecasts to the run's folder."""
    say()
    frame = forecaster.cross_validation(panel, **dataclasses.asdict(cutoffs), say=say)
    files.write_atomic(run / CROSSED_FILE, csv_text(frame).encode())
    return Crossed.of(frame, forecaster.fitted, cutoffs)


def write_results(
    run: Path, forecaster: Forecaster, panel: Panel, crossed: Crossed | None = None
) -> None:
    """Write the model, the metrics and the report."""
    fitted = forecaster.fitted
    forecaster.save(run / run_folder.MODEL)
    metrics = {"task": TASK, **fitted.evaluation.as_dict(), "understood": fitted.understood}
    metrics["notes"] = list(fitted.notes)
    if crossed is not None:
        metrics["cross_validation"] = crossed.as_dict()
    write_metrics(run, metrics, fitted.result)
    name = forecaster.cell.__name__
    title = f"{panel.names.value}: the next {fitted.shape.h} steps, by {name}"
    history, settings = run / HISTORY, settings_text(run)
    words = "\n".join(_next(run))
    html = page.build(title, name, fitted, panel, history, settings, words, crossed)
    write_report(run, html)


def say_results(run: Path, forecaster: Forecaster, crossed: Crossed | None = None) -> None:
    """Print the verdict and the tables, and say what to do next."""
    evaluation = forecaster.fitted.evaluation
    say()
    print_verdict(evaluation)
    if evaluation.levels:
        result("")
        result(evaluation.intervals().text())
    if crossed is not None:
        result("")
        result(crossed.table().text())
    say_written(run, _next(run), *([] if crossed is None else [CROSSED_FILE]))


def _next(run: Path) -> list[str]:
    return [
        command(["predict", run]) + " " * len("--data NEW.csv ") + "   the forecast, as CSV",
        command(["predict", run, "--data", "NEW.csv"]) + "   the same, from newer rows",
    ]
