"""What a run of a translator writes and prints when it is done."""

import dataclasses
from pathlib import Path

from elman.cli import run_folder
from elman.cli.console import command, result, say
from elman.cli.results import (
    HISTORY,
    print_verdict,
    say_written,
    settings_text,
    write_metrics,
    write_report,
)
from elman.tasks.translate import Translator
from elman.tasks.translating import page
from elman.tasks.translating.fitted import TASK

_SHOWN = 3


def write_results(run: Path, model: Translator) -> None:
    """Write the model, the metrics and the report."""
    fitted = model.fitted
    model.save(run / run_folder.MODEL)
    metrics = {
        "task": TASK,
        **fitted.evaluation.as_dict(),
        "understood": dict(fitted.understood),
        "notes": list(fitted.notes),
        "samples": [dataclasses.asdict(sample) for sample in fitted.samples],
    }
    write_metrics(run, metrics, fitted.result)
    title = f"{dict(fitted.understood)['pairs']}: translation, by {model.cell.__name__}"
    words = "\n".join(_next(run))
    history, toml = run / HISTORY, settings_text(run)
    html = page.build(title, model.settings, fitted, history, toml, words)
    write_report(run, html)


def say_results(run: Path, model: Translator) -> None:
    """Print the verdict, the table and some translations, and say what to do next."""
    fitted = model.fitted
    say()
    print_verdict(fitted.evaluation)
    for note in fitted.notes:
        result(f"note: {note}")
    for one in fitted.samples[:_SHOWN]:
        lines = (one.source, one.translation, one.reference)
        words = zip(("source", "translation", "reference"), lines, strict=True)
        result("\n" + "\n".join(f"  {name:<12} {line[:200]}" for name, line in words))
    say_written(run, _next(run))


def _next(run: Path) -> list[str]:
    return [
        command(["predict", run, "FILE"]) + "   translate a file, line by line",
        command(["predict", run, "--n-best", "3"]) + "   several of each, from standard input",
        command(["evaluate", run, "--data", "PAIRS"]) + "   measure other pairs",
    ]
