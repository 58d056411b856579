"""What a run of a language model writes and prints when it is done."""

import dataclasses
import json
import os
from pathlib import Path

from elman.cli import run_folder
from elman.cli.console import command, result, say
from elman.tasks.language import LanguageModel
from elman.tasks.texts import page
from elman.tasks.texts.page import Sample
from elman_runtime import files

TASK = "language"


def write_results(run: Path, model: LanguageModel) -> list[Sample]:
    """Write the model, the metrics and the report; returns the samples in it."""
    fitted = model.fitted
    model.save(run / run_folder.MODEL)
    assert fitted.result is not None
    written = page.samples(fitted, model.fit_settings.seed)
    metrics = {
        "task": TASK,
        **fitted.evaluation.as_dict(),
        "understood": dict(fitted.understood),
        "notes": list(fitted.notes),
        "samples": [dataclasses.asdict(sample) for sample in written],
        "training": dataclasses.asdict(fitted.result) | {"history": "history.jsonl"},
    }
    text = json.dumps(metrics, indent=1, ensure_ascii=False, default=str)
    files.write_atomic(run / run_folder.METRICS, text.encode())
    toml = (run / run_folder.SETTINGS).read_text(encoding="utf-8")
    title = f"{dict(fitted.understood)['text']}: {model.settings.tokens}, by {model.cell.__name__}"
    words = "\n".join(_next(run))
    history = run / "history.jsonl"
    html = page.build(title, model.settings, fitted, written, history, toml, words)
    files.write_atomic(run / run_folder.REPORT, html.encode())
    return written


def say_results(run: Path, model: LanguageModel, written: list[Sample]) -> None:
    """Print the verdict, the table and a sample, and say what to do next."""
    evaluation = model.fitted.evaluation
    say()
    result(evaluation.verdict())
    result("")
    result(evaluation.table().text())
    result("")
    middle = written[len(written) // 2]
    result(f"It writes, at temperature {middle.temperature:g}:\n")
    result("\n".join(f"  {line}" for line in middle.text[:400].split("\n")))
    say()
    names = [run_folder.MODEL, run_folder.METRICS, run_folder.REPORT]
    say(f"Wrote {run}{os.sep}: {', '.join(names)}")
    say("Next:")
    for line in _next(run):
        say(f"  {line}")


def _next(run: Path) -> list[str]:
    return [
        command(["generate", run, "--prompt", "The "]) + "   go on from a prompt",
        command(["score", run, "FILE"]) + "   how surprising a text is",
        command(["evaluate", run, "--dynamic"]) + "   learning from the test as it goes",
    ]
