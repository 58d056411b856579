"""`elman compare`: recurrent networks beside those without a recurrence, on a task and its data."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch

from elman.cells import Cell
from elman.cli import run_folder
from elman.cli.cell_files import find_cell
from elman.cli.console import result, say
from elman.compare import Comparison, compare
from elman.compare.settings import CompareSettings
from elman.tasks.comparing import contest_of
from elman_runtime import files

PICTURE = "picture.png"


@dataclasses.dataclass(frozen=True)
class CompareRun:
    """What is compared, and where the results go.

    - `cells`: recurrences, with commas; the others are matched to the first.
    - `cell`: cells of your own beside them, my.py:MyCell, with commas.
    - `runs`: where the folder of results is made.
    - `threads`: that torch uses.
    """

    cells: tuple[str, ...] = ("RNN", "LSTM", "GRU")
    cell: tuple[str, ...] = ()
    runs: Path = Path("runs")
    threads: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError for a number of threads below 1."""
        if self.threads < 1:
            raise ValueError(f"--threads: must be a whole number from 1 up; got {self.threads}")


def run(
    task: str, data: Path, asked: CompareRun, given: dict[str, Any], cells: tuple[type[Cell], ...]
) -> None:
    """Compare, print the verdict and the table, write JSON, page and picture to a new folder."""
    torch.set_num_threads(asked.threads)
    chosen = [find_cell(name, cells) for name in (*asked.cells, *asked.cell)]
    offered = contest_of(task)
    own = {f.name for f in dataclasses.fields(CompareSettings)}
    how = {name: given.pop(name) for name in list(given) if name in own}
    CompareSettings(**how)  # what breaks a rule is refused before the data are read
    contest = offered(data, **given)
    for line in contest.understood:
        say(line)
    say()
    found = compare(contest, data, chosen, say=say, progress=None, **how)
    folder = run_folder.new_run(asked.runs, f"compare-{task}", data.name)
    settings = {
        "data": {"path": str(data.resolve())},
        "compare": {"cells": [cell.__name__ for cell in chosen]}
        | dataclasses.asdict(found.settings),
        task: given_plainly(contest),
        "fit": dataclasses.asdict(contest.budget),
    }
    text = run_folder.write_settings(folder, settings)
    write(folder, found, text)
    say()
    result(found.text())
    say()
    say(f"Wrote {folder}{os.sep}: {run_folder.METRICS}, {run_folder.REPORT}, {PICTURE}")


def given_plainly(contest: Any) -> dict[str, Any]:
    """The task's settings as they were resolved, where the contest tells them."""
    own = getattr(contest, "own", None)
    return dataclasses.asdict(own) if dataclasses.is_dataclass(own) else {}  # type: ignore[arg-type]


def write(folder: Path, found: Comparison, settings: str) -> None:
    """JSON, HTML page and picture."""
    from elman.compare.pages import page

    files.write_atomic(folder / run_folder.METRICS, found.json().encode())
    files.write_atomic(folder / run_folder.REPORT, page(found, settings).html().encode())
    found.save_picture(folder / PICTURE)
