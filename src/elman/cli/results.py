"""What the results of all tasks have in common: the files of a run, and what is said at its end."""

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from elman.cli import run_folder
from elman.cli.console import result, say
from elman.train import FitResult
from elman_runtime import files

HISTORY = "history.jsonl"


def write_metrics(run: Path, metrics: dict[str, Any], training: FitResult | None) -> None:
    """Write metrics.json: those of the task, and what the training came to."""
    assert training is not None
    found = {f.name: getattr(training, f.name) for f in dataclasses.fields(training)}
    seen = training.examination
    found |= {"history": HISTORY, "examination": None if seen is None else seen.as_dict()}
    text = json.dumps(metrics | {"training": found}, indent=1, ensure_ascii=False, default=str)
    files.write_atomic(run / run_folder.METRICS, text.encode())


def settings_text(run: Path) -> str:
    """The settings of a run, as TOML."""
    return (run / run_folder.SETTINGS).read_text(encoding="utf-8")


def write_report(run: Path, html: str) -> None:
    """Write report.html."""
    files.write_atomic(run / run_folder.REPORT, html.encode())


def print_verdict(evaluation: Any) -> None:
    """Print the verdict and the table of an evaluation."""
    result(evaluation.verdict())
    result("")
    result(evaluation.table().text())


def say_written(run: Path, next_steps: Iterable[str], *more: str) -> None:
    """Say which files were written, `more` among them, and what to do next."""
    names = [run_folder.MODEL, run_folder.METRICS, run_folder.REPORT, *more]
    say()
    say(f"Wrote {run}{os.sep}: {', '.join(names)}")
    say("Next:")
    for line in next_steps:
        say(f"  {line}")
