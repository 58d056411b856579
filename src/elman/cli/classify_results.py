"""What a run of a classifier writes and prints when it is done."""

from pathlib import Path

from elman.cli import run_folder
from elman.cli.console import command, say
from elman.cli.results import (
    HISTORY,
    print_verdict,
    say_written,
    settings_text,
    write_metrics,
    write_report,
)
from elman.tasks.classify import Classifier
from elman.tasks.classifying import page
from elman.tasks.classifying.fitted import TASK


def write_results(run: Path, model: Classifier) -> None:
    """Write the model, the metrics and the report."""
    fitted = model.fitted
    model.save(run / run_folder.MODEL)
    metrics = {
        "task": TASK,
        **fitted.evaluation.as_dict(),
        "temperature": fitted.temperature,
        "understood": dict(fitted.understood),
        "notes": list(fitted.notes),
    }
    write_metrics(run, metrics, fitted.result)
    title = f"{run.name}: {len(model.classes_)} classes, by {model.cell.__name__}"
    words = "\n".join(_next(run, model))
    history, toml = run / HISTORY, settings_text(run)
    data = run_folder.read_settings(run)["data"]
    files = {part: Path(data[part]).name for part in ("validation", "test") if part in data}
    html = page.build(title, model.settings, fitted, history, toml, words, files)
    write_report(run, html)


def say_results(run: Path, model: Classifier) -> None:
    """Print the verdict and the table, and say what to do next."""
    say()
    print_verdict(model.fitted.evaluation)
    for note in model.fitted.notes:
        say(f"note: {note}")
    say_written(run, _next(run, model))


def _next(run: Path, model: Classifier) -> list[str]:
    text = model.fitted.reader.lexicon is not None
    found = [command(["predict", run, "FILE"]) + "   the class of each example in a file"]
    found += [command(["predict", run, "--text", "..."]) + "   of one text"] if text else []
    return [*found, command(["evaluate", run, "--data", "FILE"]) + "   how well it does on a file"]
