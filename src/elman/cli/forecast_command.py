"""What the verbs do for the task `forecast`."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

from elman.cells import Cell
from elman.cli import run_folder
from elman.cli.cell_files import find_cell
from elman.cli.console import command, result, say
from elman.cli.interrupted import Interrupted
from elman.data import Panel, read_panel
from elman.tasks.forecast import Forecaster, ForecastSettings, budgeted, examples
from elman.tasks.forecasting import page
from elman.tasks.forecasting.resolve import resolve
from elman.tasks.forecasting.store import model_path
from elman.train import FitSettings
from elman_runtime import files

TASK = "forecast"
Cells = tuple[type[Cell], ...]

# What the table tells where the user does not.
_INFERRED = ("id_col", "time_col", "target_col", "freq", "season")
# What may change when a run goes on.
_CHANGEABLE = ("steps", "epochs", "minutes", "patience", "cell")


def train(
    file: Path | None, runs: Path, resume: Path | None, given: dict[str, Any], cells: Cells
) -> None:
    """Train a new run, or go on with one."""
    if resume is not None:
        _resume(file, resume, given, cells)
        return
    if file is None or "h" not in given:
        missing = "FILE" if file is None else "--h"
        raise ValueError(
            f"{missing} must be given; got none; for instance: "
            "elman train forecast sales.csv --h 28"
        )
    cell = find_cell(given.pop("cell", "GRU"), cells)
    forecaster = Forecaster(given.pop("h"), cell, **given)
    panel = forecaster.read(file)
    _say_understood(panel)
    shape, _, short = examples(panel, forecaster.settings)
    if short:
        few = ", ".join(short[:5]) + (f" and {len(short) - 5} more" if len(short) > 5 else "")
        say(f"  warning   too short to train or be tested on: {few}")
    settings = resolve(forecaster.settings, panel, shape)
    fitting = budgeted(forecaster.fit_settings)
    run = run_folder.new_run(runs, TASK, file.name)
    asked = [name for name in _INFERRED if getattr(forecaster.settings, name)]
    data = {"path": str(file.resolve()), "sha256": panel.sha256, "asked": asked}
    sections = {"data": data, TASK: _plain(settings), "fit": _plain(fitting)}
    run_folder.write_settings(run, sections)
    _fit(run, _forecaster(cell, sections), panel, resume=False)


def _resume(file: Path | None, run: Path, given: dict[str, Any], cells: Cells) -> None:
    sections = run_folder.read_settings(run)
    _check_resumable(run, sections, given)
    cell = find_cell(given.pop("cell", sections[TASK]["cell"]), cells)
    sections["fit"] |= given
    forecaster = _forecaster(cell, sections)
    # What was inferred is inferred again, so that the same is said of it.
    asked = {name: sections[TASK][name] for name in sections["data"]["asked"]}
    panel = read_panel(file or sections["data"]["path"], **asked)
    if panel.sha256 != sections["data"]["sha256"]:
        raise ValueError(
            f"{file or sections['data']['path']}: a run goes on with the data it began with; got a "
            "file that has changed since; put the old one back, or start a new run"
        )
    run_folder.write_settings(run, sections)
    _fit(run, forecaster, panel, resume=True)


def _check_resumable(run: Path, sections: dict[str, Any], given: dict[str, Any]) -> None:
    if not {"data", TASK, "fit"} <= sections.keys():
        path = run / run_folder.SETTINGS
        raise ValueError(f"{path}: must have [data], [{TASK}] and [fit]; start a new run")
    fixed = sorted(given.keys() - set(_CHANGEABLE))
    if fixed:
        flag = fixed[0].replace("_", "-")
        raise ValueError(
            f"--{flag} is fixed by the run that goes on; only --steps, --epochs, --minutes and "
            "--patience may change; leave it out, or start a new run"
        )


def _forecaster(cell: type[Cell], sections: dict[str, Any]) -> Forecaster:
    fields = {name: value for name, value in sections[TASK].items() if name not in ("h", "cell")}
    # What TOML leaves out was None, whatever the default is.
    empty = {f.name: None for f in dataclasses.fields(FitSettings) if f.name not in sections["fit"]}
    return Forecaster(sections[TASK]["h"], cell, **fields, **empty, **sections["fit"])


def _fit(run: Path, forecaster: Forecaster, panel: Panel, *, resume: bool) -> None:
    again = command(["train", TASK, "--resume", run])
    say()
    say(f"{'Going on with' if resume else 'Training in'} {run} (Ctrl-C stops; --resume goes on)")
    try:
        forecaster.fit(panel, run_dir=run, resume=resume, progress=True, say=say)
    except KeyboardInterrupt as error:
        what = str(error).split(";")[0] or "stopped"
        raise Interrupted(f"elman: {what}. Go on with:\n  {again}") from None
    _write_results(run, forecaster, panel)
    _say_results(run, forecaster)


def _write_results(run: Path, forecaster: Forecaster, panel: Panel) -> None:
    fitted = forecaster.fitted
    forecaster.save(run / run_folder.MODEL)
    assert fitted.result is not None
    metrics = {"task": TASK, **fitted.evaluation.as_dict(), "understood": fitted.understood}
    training = dataclasses.asdict(fitted.result) | {"history": "history.jsonl"}
    text = json.dumps(metrics | {"training": training}, indent=1, ensure_ascii=False, default=str)
    files.write_atomic(run / run_folder.METRICS, text.encode())
    settings = (run / run_folder.SETTINGS).read_text(encoding="utf-8")
    name = forecaster.cell.__name__
    title = f"{panel.names.target}: the next {fitted.shape.h} steps, by {name}"
    history = run / "history.jsonl"
    html = page.build(title, name, fitted, panel, history, settings, "\n".join(_next(run)))
    files.write_atomic(run / run_folder.REPORT, html.encode())


def _say_results(run: Path, forecaster: Forecaster) -> None:
    evaluation = forecaster.fitted.evaluation
    say()
    result(evaluation.verdict())
    result("")
    result(evaluation.table().text())
    say()
    say(f"Wrote {run}{os.sep}: {run_folder.MODEL}, {run_folder.METRICS}, {run_folder.REPORT}")
    say("Next:")
    for line in _next(run):
        say(f"  {line}")


def _next(run: Path) -> list[str]:
    return [
        command(["predict", run]) + "                the forecast, as CSV",
        command(["predict", run, "--data", "NEW.csv"]) + "   the same, from newer rows",
    ]


def _plain(settings: ForecastSettings | FitSettings) -> dict[str, Any]:
    return dataclasses.asdict(settings)


def _say_understood(panel: Panel) -> None:
    for line in panel.understood.lines():
        say(line)


def _load(run: Path, cell: str, cells: Cells) -> Forecaster:
    own = (find_cell(cell, cells), *cells) if cell else cells
    path = model_path(run)
    if run.is_dir() and not path.exists():
        again = command(["train", TASK, "--resume", run])
        raise ValueError(
            f"{run}: a run has a {run_folder.MODEL}; got none; finish it with: {again}"
        )
    return Forecaster.load(path, own)


def predict(run: Path, data: Path | None, output: Path | None, cell: str, cells: Cells) -> None:
    """Print or write the forecasts of each series."""
    frame = _load(run, cell, cells).predict(data, say=say)
    text = frame.write_csv()
    if output is None:
        result(text.rstrip("\n"))
    else:
        files.write_atomic(output, text.encode())
        say(f"Wrote {output}: {frame.height:,} rows")


def evaluate(run: Path, data: Path | None, cell: str, cells: Cells) -> None:
    """Print the table of errors."""
    forecaster = _load(run, cell, cells)
    if data is None:
        say(f"As measured when it was trained on {forecaster.fitted.understood['source']}:")
    evaluation = forecaster.evaluate(data)
    result(evaluation.verdict())
    result("")
    result(evaluation.table().text())


def describe(file: Path, names: dict[str, str]) -> None:
    """Print what is understood of a file, and the command to train on it."""
    panel = read_panel(file, **names)  # type: ignore[arg-type]
    result("\n".join(panel.understood.lines()))
    flags = [w for n, v in names.items() if v for w in (f"--{n.replace('_', '-')}", v)]
    h = panel.season if panel.season > 1 else 12
    result(f"\nTrain on it:\n  {command(['train', TASK, file, '--h', str(h), *flags])}")
