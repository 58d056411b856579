"""`elman predict`, `evaluate` and `data` for the task `forecast`."""

import dataclasses
from pathlib import Path

from elman.cells import Cell
from elman.cli import run_folder
from elman.cli.cell_files import find_cell
from elman.cli.console import command, csv_text, result, say
from elman.tasks.forecast import Forecaster
from elman.tasks.shared import model_path
from elman_runtime import files

TASK = "forecast"
Cells = tuple[type[Cell], ...]


def load(run: Path, cell: str, cells: Cells) -> Forecaster:
    """The forecaster of a run or a model file; `cell` names the user's own, if it has one."""
    own = (find_cell(cell, cells), *cells) if cell else cells
    path = model_path(run)
    if run.is_dir() and not path.exists():
        again = command(["train", TASK, "--resume", run])
        raise ValueError(
            f"{run}: a run has a {run_folder.MODEL}; got none; finish it with: {again}"
        )
    return Forecaster.load(path, own)


@dataclasses.dataclass(frozen=True)
class Ahead:
    """What `elman predict` was given: see the flags of the same names."""

    data: Path | None = None
    futr_df: Path | None = None
    static_df: Path | None = None
    h: int | None = None
    level: tuple[float, ...] | None = None
    ids: tuple[str, ...] = ()


def predict(run: Path, asked: Ahead, output: Path | None, cell: str, cells: Cells) -> None:
    """Print or write the forecasts of each series."""
    forecaster = load(run, cell, cells)
    level = asked.level
    if level is None and forecaster.fitted.calibration is None:
        say("This model was stored without intervals; train again to have them.")
    frame = forecaster.predict(
        asked.data, asked.futr_df, asked.static_df, h=asked.h, level=level, ids=asked.ids, say=say
    )
    write(csv_text(frame), output)


def write(text: str, output: Path | None) -> None:
    """Print a table, or write it to a file."""
    if output is None:
        result(text.rstrip("\n"))
    else:
        files.write_atomic(output, text.encode())
        say(f"Wrote {output}: {text.count(chr(10)) - 1:,} rows")


def evaluate(
    run: Path,
    data: Path | None,
    static_df: Path | None,
    per_series: Path | None,
    cell: str,
    cells: Cells,
) -> None:
    """Print the tables of errors."""
    forecaster = load(run, cell, cells)
    source = forecaster.fitted.understood["source"]
    if data is None:
        say(f"The table stored when it was trained on {source}; --data FILE measures again:")
    else:
        say(f"Measured now on {data}, by the model trained on {source}:")
    evaluation = forecaster.evaluate(data, static_df)
    for note in forecaster.fitted.notes if data is None else ():
        say(f"note: {note}")
    result(evaluation.verdict())
    for table in (evaluation.table(), evaluation.more(), evaluation.intervals()):
        if table.rows:
            result("")
            result(table.text())
    if per_series is not None:
        write(csv_text(evaluation.per_series_frame()), per_series)
