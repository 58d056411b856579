"""Tasks that need a long memory, for networks that should have one and for those that should not.

    python bench/memory.py adding               # T = 600
    python bench/memory.py adding --length 5000
    python bench/memory.py copying              # 500 steps between
    python bench/memory.py sequential           # MNIST, a pixel a step
    python bench/memory.py permuted
    python bench/memory.py --picture            # how far each remembers as it begins
    python bench/memory.py --kept               # the finished runs of all tables; nothing is run
    python bench/memory.py adding --only "MinGRU, length" --seeds 3

Each network trains until it does the task on validation, or for `--minutes`; then the test is read
once. Beside them stand the constant answer and a feedforward network over the last 100 steps, as
large as the first network. A finished run is added to bench/results/memory.jsonl and not repeated
on the same commit, so that a pass can be interrupted; `--again` repeats it. MNIST lies in
../shared/data beside the repository, or where `--data` says.
"""

import argparse
import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timing
import torch
from forecast_runs import DATA, run_once
from memory_models import NETWORKS, Constant, LastSteps, Reader, Spec
from memory_tasks import GOALS, TEST, VALIDATION, Draws, Task, adding, copying, mnist
from timing import header
from torch import nn

from elman.train import FitSettings, TrainingDiverged, fit

MINUTES = {"adding": 5.0, "copying": 5.0, "sequential": 30.0, "permuted": 30.0}
PUBLISHED = {
    "adding": "IndRNN's authors solve more than 5,000 steps; saying the mean gives .1767",
    "copying": "nothing published at this length",
    "sequential": "published wrong rows: coRNN .006, overnight",
    "permuted": "published wrong rows: coRNN .0266, overnight",
}
HEAD = f"{'network':24} {'weights':>8}  {'test: mean (worst)':22} {'did it':>7} {'minutes':>8}"
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "memory.svg"


class Reached(Exception):
    """The task is done on validation; what carries the weights that did it."""


def trained(
    model: nn.Module, task: Task, seed: int, minutes: float, lr: float, shown: bool
) -> dict[str, Any]:
    """Train until the task is done or time is over. The model ends with the best weights."""
    settings = FitSettings(
        minutes=minutes, lr=lr, warmup=50, weight_decay=0.0, ema=0.99,
        evaluate_every=1500 if task.name.endswith("MNIST") else 100, seed=seed,
    )  # fmt: skip
    begun, best, lines = time.monotonic(), {}, []

    def metric(model: nn.Module) -> dict[str, float]:
        score = task.score(model, VALIDATION)
        if score <= task.stop:
            best.update(copy.deepcopy(model.state_dict()))
            raise Reached(score)
        return {task.score_name: score}

    try:
        result = fit(
            model, Draws(task, seed), task.loss, metric, settings, progress=shown,
            on_log=lines.append,
        )  # fmt: skip
        found = {"reached": False, "validation": result.best.get(task.score_name)}
    except Reached as reached:
        model.load_state_dict(best)
        found = {"reached": True, "validation": reached.args[0]}
    except TrainingDiverged:
        found = {"reached": False, "validation": None}
    steps = max([line["step"] for line in lines], default=0)
    return {**found, "steps": steps, "seconds": round(time.monotonic() - begun, 1)}


def one_run(
    task: Task, make: Callable[[], nn.Module], seed: int, minutes: float, lr: float, shown: bool
) -> dict[str, Any]:
    """The record of a network: what it came to on validation, and on the test, read once."""
    torch.manual_seed(seed)
    model = make()
    parameters = sum(p.numel() for p in model.parameters())
    found = trained(model, task, seed, minutes, lr, shown)
    model.eval()
    return {"parameters": parameters, **found, "test": task.score(model, TEST)}


def makers(
    task: Task, networks: dict[str, Spec]
) -> dict[str, tuple[Callable[[], nn.Module], float]]:
    """How to make each network, and its learning rate; those that are not recurrent last."""
    made: dict[str, tuple[Callable[[], nn.Module], float]] = {
        name: (lambda spec=spec: Reader(spec, task), spec.lr) for name, spec in networks.items()
    }
    first = next(iter(networks.values()))
    size = sum(p.numel() for p in Reader(first, task).parameters())
    made[f"feedforward, last {LastSteps.STEPS}"] = (lambda: LastSteps(task, size), 1e-3)
    made["constant"] = (lambda: Constant(task), 1e-2)
    return made


def table(task: Task, given: argparse.Namespace) -> None:
    """Run what is missing, and print a row for each network."""
    kind = given.table
    minutes = given.minutes or MINUTES[kind]
    print(f"{task.name}: {task.score_name} on the test, at most {minutes:g} min of training")
    print(HEAD)
    for name, (make, lr) in makers(task, NETWORKS[kind]).items():
        if given.only and name not in given.only:
            continue
        spent = minutes if name != "constant" else min(minutes, 0.5)
        runs = []
        for seed in range(given.first, given.first + given.seeds):
            key = {"task": task.name, "network": name, "seed": seed, "limit": spent}
            key |= {"spec": repr(NETWORKS[kind].get(name)), "threads": torch.get_num_threads()}
            run = lambda: one_run(task, make, seed, spent, lr, given.progress)  # noqa: B023, E731
            runs.append(run_once(key, run, given.again, "memory"))
        print(_row(name, runs), flush=True)


def kept_runs() -> None:
    """A row for each network, task and limit of time: its runs on the last commit it ran on."""
    found: dict[str, dict[tuple[str, float], dict[int, dict[str, Any]]]] = {}
    for line in (timing.RESULTS / "memory.jsonl").read_text().splitlines():
        one = json.loads(line)
        runs = found.setdefault(one["task"], {}).setdefault((one["network"], one["limit"]), {})
        if any(other["commit"] != one["commit"] for other in runs.values()):
            runs.clear()
        runs[one["seed"]] = one
    for task, rows in found.items():
        print(f"\n{task}\n{HEAD}  at most")
        for (name, limit), runs in rows.items():
            print(f"{_row(name, list(runs.values()))} {limit:8g}")


def _row(name: str, runs: list[dict[str, Any]]) -> str:
    tests = [one["test"] for one in runs]
    did = sum(test <= GOALS[runs[0]["task"].split()[0]] for test in tests)
    figures = f"{np.mean(tests):.5f} ({max(tests):.5f})"
    minutes = np.mean([one["seconds"] for one in runs]) / 60
    return (
        f"{name:24} {runs[0]['parameters']:8}  {figures:22} {did:3} of {len(runs)} {minutes:8.1f}"
    )


def picture(path: Path) -> None:
    """How far each network of the adding problem remembers before it has learnt anything."""
    from elman.doctor import examine
    from elman.doctor.picture import memory
    from elman.report import plots

    task = adding(600)
    found: dict[str, Any] = {}
    shown = ("RNN", "LSTM", "GRU", "CoRNN", "GRU, length", "MinGRU, length")
    specs = {name: NETWORKS["adding"][name] for name in shown}
    specs["LRU, length"] = NETWORKS["copying"]["LRU, length"]
    for name, spec in specs.items():
        torch.manual_seed(0)
        layer = Reader(spec, task).body
        seen = examine(layer, task.batch(0, 0, 4)[0], rows=4, steps=600)
        found[name] = next(iter(seen.layers.values())).memory
        print(f"{name:20} reach {found[name].reach:4} of 600 steps", flush=True)
    drawn, (ax,) = plots.figure(height=3.6)
    memory(ax, found)
    drawn.savefig(path, facecolor="white", metadata={"Date": None})
    print(f"drawn: {path}")


def main() -> None:
    """Run one table, or draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("table", nargs="?", choices=list(PUBLISHED))
    parser.add_argument("--picture", action="store_true")
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--length", type=int, help="steps; 600 of adding, 500 of copying")
    parser.add_argument("--only", nargs="+", metavar="NETWORK")
    parser.add_argument("--minutes", type=float, help="of training, for each run")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args()
    if given.picture:
        picture(PICTURE)
    if given.kept:
        kept_runs()
    if given.table is None:
        return
    print(header(), flush=True)
    table(_task(given), given)
    print(f"Beside it: {PUBLISHED[given.table]}.")


def _task(given: argparse.Namespace) -> Task:
    if given.table == "adding":
        return adding(given.length or 600)
    if given.table == "copying":
        return copying(given.length or 500)
    return mnist(given.data / "mnist", given.table == "permuted")


if __name__ == "__main__":
    main()
