"""What a run of a translator writes and prints when it is done."""

import dataclasses
import json
import os
from pathlib import Path

from elman.cli import run_folder
from elman.cli.console import command, result, say
from elman.tasks.translate import Translator
from elman.tasks.translating import page
from elman.tasks.translating.fitted import TASK
from elman_runtime import files

_SHOWN = 3


def write_results(run: Path, model: Translator) -> None:
    """Write the model, the metrics and the report."""
    fitted = model.fitted
    model.save(run / run_folder.MODEL)
    assert fitted.result is not None
    metrics = {
        "task": TASK,
        **fitted.evaluation.as_dict(),
        "understood": dict(fitted.understood),
        "notes": list(fitted.notes),
        "samples": [dataclasses.asdict(sample) for sample in fitted.samples],
        "training": dataclasses.asdict(fitted.result) | {"history": "history.jsonl"},
    }
    text = json.dumps(metrics, indent=1, ensure_ascii=False, default=str)
    files.write_atomic(run / run_folder.METRICS, text.encode())
    toml = (run / run_folder.SETTINGS).read_text(encoding="utf-8")
    title = f"{dict(fitted.understood)['pairs']}: translation, by {model.cell.__name__}"
    words = "\n".join(_next(run))
    html = page.build(title, model.settings, fitted, run / "history.jsonl", toml, words)
    files.write_atomic(run / run_folder.REPORT, html.encode())


def say_results(run: Path, model: Translator) -> None:
    """Print the verdict, the table and some translations, and say what to do next."""
    fitted = model.fitted
    say()
    result(fitted.evaluation.verdict())
    result("")
    result(fitted.evaluation.table().text())
    for note in fitted.notes:
        result(f"note: {note}")
    for one in fitted.samples[:_SHOWN]:
        lines = (one.source, one.translation, one.reference)
        words = zip(("source", "translation", "reference"), lines, strict=True)
        result("\n" + "\n".join(f"  {name:<12} {line[:200]}" for name, line in words))
    say()
    names = [run_folder.MODEL, run_folder.METRICS, run_folder.REPORT]
    say(f"Wrote {run}{os.sep}: {', '.join(names)}")
    say("Next:")
    for line in _next(run):
        say(f"  {line}")


def _next(run: Path) -> list[str]:
    return [
        command(["predict", run, "FILE"]) + "   translate a file, line by line",
        command(["predict", run, "--n-best", "3"]) + "   several of each, from standard input",
        command(["evaluate", run, "--data", "PAIRS"]) + "   measure other pairs",
    ]
