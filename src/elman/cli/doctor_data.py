"""`elman doctor TASK DATA`: train a short while on the data, and examine what came of it."""

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from elman import doctor
from elman.cells import Cell
from elman.cli.cell_files import find_cell
from elman.cli.config import fields, read_config
from elman.cli.console import say
from elman.tasks.comparing import Contest, contest_of
from elman.train import FitSettings
from elman.train.optimizer import build_optimizer

STEPS = 200
"""Of training, unless told otherwise: enough to see where it goes."""


_DATA = {"path", "files", "sha256", "asked", "start", "static_df", "futr_df"}


@dataclasses.dataclass(frozen=True)
class Briefly:
    """How a network is trained before it is examined; None where the task's defaults hold.

    - `h`: steps to forecast.
    - `hidden`: units.
    - `steps`: of training.
    - `config`: further settings, from a TOML file such as that of a run.
    """

    h: int | None = None
    hidden: int | None = None
    steps: int | None = None
    config: Path | None = None

    def settings(self, task: str, contest: type[Contest]) -> dict[str, Any]:
        """Settings of the task and of training; what is given here counts more than the file."""
        found: dict[str, Any] = {}
        if self.config is not None:
            known = {task: fields(contest.settings), "fit": fields(FitSettings), "data": _DATA}
            tables = read_config(self.config, known)
            found = tables.get(task, {}) | tables.get("fit", {})
        found = {name: value for name, value in found.items() if name not in contest.fixed}
        given = {"h": self.h, "hidden": self.hidden}
        found |= {name: value for name, value in given.items() if value is not None}
        if self.steps is not None or not {"steps", "epochs", "minutes"} & found.keys():
            found["steps"] = self.steps or STEPS
        return found


def trained(
    task: str, data: Path, briefly: Briefly, cell: str, cells: tuple[type[Cell], ...]
) -> Callable[..., doctor.Examination]:
    """Train a network on the data; returns what examines it, given `memory` and `deep`.

    Raises:
        ValueError: there is no such task, cell or setting.
        elman.data.DataError: the data cannot be used.
    """
    offered = contest_of(task)
    settings = briefly.settings(task, offered)
    named = cell or settings.pop("cell", "") or _default_cell(offered)
    settings.pop("cell", None)
    kind = find_cell(named, cells)
    contest = offered(data, **settings)
    for line in contest.understood:
        say(line)
    fitting = contest.budget
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(fitting.seed)
        model = contest.network(kind, *contest.sizes)
    say(f"Training {kind.__name__}, {fitting.steps or 'some'} steps")
    with tempfile.TemporaryDirectory() as folder:
        result = contest.fit(model, fitting, run_dir=Path(folder) / "run", progress=True)
        assert result.history is not None
        history = result.history.read_text(encoding="utf-8").splitlines()
    say("Examined on a batch of the training data.")
    lines = [json.loads(line) for line in history]
    more: dict[str, Any] = {"history": lines, "clip_norm": fitting.clip_norm}
    if fitting.optimizer != "sgd":
        more["optimizer"] = build_optimizer(model, fitting)

    def examine(**options: Any) -> doctor.Examination:
        return doctor.examine(model, contest.batch(), contest.loss, **more, **options)

    return examine


def _default_cell(contest: type[Contest]) -> str:
    found = {field.name: field.default for field in dataclasses.fields(contest.settings)}
    return str(found["cell"])
