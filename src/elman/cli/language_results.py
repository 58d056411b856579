"""What a run of a language model writes and prints when it is done."""

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
from elman.tasks.language import LanguageModel
from elman.tasks.texts import page
from elman.tasks.texts.page import Sample

TASK = "language"


def write_results(run: Path, model: LanguageModel) -> list[Sample]:
    """Write the model, the metrics and the report; returns the samples in it."""
    fitted = model.fitted
    model.save(run / run_folder.MODEL)
    written = page.samples(fitted, model.fit_settings.seed)
    metrics = {
        "task": TASK,
        **fitted.evaluation.as_dict(),
        "understood": dict(fitted.understood),
        "notes": list(fitted.notes),
        "samples": [dataclasses.asdict(sample) for sample in written],
    }
    write_metrics(run, metrics, fitted.result)
    title = f"{dict(fitted.understood)['text']}: {model.settings.tokens}, by {model.cell.__name__}"
    words = "\n".join(_next(run))
    history, toml = run / HISTORY, settings_text(run)
    html = page.build(title, model.settings, fitted, written, history, toml, words)
    write_report(run, html)
    return written


def say_results(run: Path, model: LanguageModel, written: list[Sample]) -> None:
    """Print the verdict, the table and a sample, and say what to do next."""
    say()
    print_verdict(model.fitted.evaluation)
    result("")
    middle = written[len(written) // 2]
    result(f"It writes, at temperature {middle.temperature:g}:\n")
    result("\n".join(f"  {line}" for line in middle.text[:400].split("\n")))
    say_written(run, _next(run))


def _next(run: Path) -> list[str]:
    return [
        command(["generate", run, "--prompt", "The "]) + "   go on from a prompt",
        command(["score", run, "FILE"]) + "   how surprising a text is",
        command(["evaluate", run, "--dynamic"]) + "   learning from the test as it goes",
    ]
