"""What a run of a classifier writes and prints when it is done."""

import dataclasses
import json
import os
from pathlib import Path

from elman.cli import run_folder
from elman.cli.console import command, result, say
from elman.tasks.classify import Classifier
from elman.tasks.classifying import page
from elman.tasks.classifying.fitted import TASK
from elman_runtime import files


def write_results(run: Path, model: Classifier) -> None:
    """Write the model, the metrics and the report."""
    fitted = model.fitted
    model.save(run / run_folder.MODEL)
    assert fitted.result is not None
    metrics = {
        "task": TASK,
        **fitted.evaluation.as_dict(),
        "temperature": fitted.temperature,
        "understood": dict(fitted.understood),
        "notes": list(fitted.notes),
        "training": dataclasses.asdict(fitted.result) | {"history": "history.jsonl"},
    }
    text = json.dumps(metrics, indent=1, ensure_ascii=False, default=str)
    files.write_atomic(run / run_folder.METRICS, text.encode())
    toml = (run / run_folder.SETTINGS).read_text(encoding="utf-8")
    title = f"{run.name}: {len(model.classes_)} classes, by {model.cell.__name__}"
    words = "\n".join(_next(run, model))
    html = page.build(title, model.settings, fitted, run / "history.jsonl", toml, words)
    files.write_atomic(run / run_folder.REPORT, html.encode())


def say_results(run: Path, model: Classifier) -> None:
    """Print the verdict and the table, and say what to do next."""
    evaluation = model.fitted.evaluation
    say()
    result(evaluation.verdict())
    result("")
    result(evaluation.table().text())
    say()
    names = [run_folder.MODEL, run_folder.METRICS, run_folder.REPORT]
    say(f"Wrote {run}{os.sep}: {', '.join(names)}")
    say("Next:")
    for line in _next(run, model):
        say(f"  {line}")


def _next(run: Path, model: Classifier) -> list[str]:
    text = model.fitted.reader.lexicon is not None
    found = [command(["predict", run, "FILE"]) + "   the class of each example in a file"]
    found += [command(["predict", run, "--text", "..."]) + "   of one text"] if text else []
    return [*found, command(["evaluate", run, "--data", "FILE"]) + "   how well it does on a file"]
