"""Kill a training run at random moments, resume it, and compare with one left alone.

    python bench/kill.py                    20 moments, each process a fresh Python
    python bench/kill.py --moments 4 --fork each process a fork of this one: quicker

A small GRU trains with carried state, dropout, batch statistics, gradient accumulation and
averaged weights. Each moment: the run is killed (SIGKILL), resumed, killed again, and resumed to
the end. A row passes if the final weights, the best metrics and the history (times left out) are
those of the run left alone, bit for bit, and no micro-batch was skipped, repeated or different.
Exit status 1 if any row fails.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from elman.train import FitSettings, fit

RESULTS = Path(__file__).parent / "results" / "kill.jsonl"
MACHINE = f"{platform.machine()}, torch {torch.__version__}, 1 thread"
ROWS, TIME, INPUTS, UNITS, EPOCH = 8, 12, 3, 16, 20
SETTINGS = FitSettings(
    epochs=20,
    lr=3e-3,
    accumulate=2,
    ema=0.98,
    evaluate_every=25,
    checkpoint_every=4,
    log_every=3,
    keep_checkpoints=2,
)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(INPUTS, UNITS, num_layers=2, dropout=0.3, batch_first=True)
        self.norm = nn.BatchNorm1d(UNITS)
        self.out = nn.Linear(UNITS, 1)

    def forward(self, x: Tensor, h: Tensor | None) -> tuple[Tensor, Tensor]:
        y, h = self.rnn(x, h)
        return self.out(self.norm(y.transpose(1, 2)).transpose(1, 2)), h


class Batches:
    def __len__(self) -> int:
        return EPOCH

    def __getitem__(self, k: int) -> tuple[int, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1000 + k)
        x = torch.randn(ROWS, TIME, INPUTS, generator=generator)
        return k, x, x.cumsum(1).mean(-1, keepdim=True).tanh()


def train(run_dir: Path) -> None:
    """One process's part: train from where the folder stands, note each micro-batch."""
    torch.set_num_threads(1)
    log = os.open(run_dir / f"seen-{time.time_ns()}.log", os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def loss(model: nn.Module, batch: Any, carry: Any) -> tuple[Tensor, Any]:
        k, x, target = batch
        state = None if carry is None else carry["state"]
        digest = hashlib.sha256(x.numpy().tobytes()).hexdigest()[:8]
        os.write(log, f"{k} {digest} {'start' if carry is None else carry['next']}\n".encode())
        y, state = model(x, state)
        return (y - target).square().mean(), {"state": state, "next": k + 1}

    def metric(model: nn.Module) -> dict[str, float]:
        _, x, target = Batches()[10**6]
        return {"mse": float((model(x, None)[0] - target).square().mean())}

    torch.manual_seed(0)
    model = Net()
    resume = any(run_dir.glob("checkpoints/step-*")) or (run_dir / "history.jsonl").exists()
    result = fit(model, Batches(), loss, metric, SETTINGS, run_dir, resume=resume)
    weights = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        weights.update(name.encode() + tensor.numpy().tobytes())
    end = {"weights": weights.hexdigest(), "best": result.best, "steps": result.steps}
    (run_dir / "end.json").write_text(json.dumps(end))


class Process:
    """A process that trains in `run_dir`."""

    def __init__(self, run_dir: Path, fork: bool) -> None:
        self.run_dir, self.logs = run_dir, set(run_dir.glob("seen-*"))
        self.pid = os.fork() if fork else self._spawn()
        if self.pid == 0:
            try:
                train(run_dir)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(1)
            os._exit(0)

    def _spawn(self) -> int:
        return subprocess.Popen([sys.executable, __file__, "--worker", str(self.run_dir)]).pid

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill_after(self, seconds: float) -> int:
        """Kill it `seconds` after it has begun; its exit status."""
        limit = time.monotonic() + 60
        while set(self.run_dir.glob("seen-*")) == self.logs and time.monotonic() < limit:
            time.sleep(0.001)
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGKILL)
        return self.wait()


def history(run_dir: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run_dir / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def seen(run_dir: Path) -> list[list[str]]:
    """What each process noted, in order; a line cut by the kill is left out."""
    logs = sorted(run_dir.glob("seen-*.log"))
    return [
        [line.strip() for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        for log in logs
    ]


def parts(logs: list[list[str]]) -> tuple[list[str], list[int], list[int]]:
    """The micro-batches that count; the step each process reached; the step each resumed from.

    Where a process begins at k, what the ones before did from k on was never stored.
    """
    counted: list[str] = []
    reached, resumed = [], []
    for log in logs:
        if log:
            first = int(log[0].split()[0])
            counted = [line for line in counted if int(line.split()[0]) < first] + log
            resumed.append(first // SETTINGS.accumulate)
        reached.append(len(counted) // SETTINGS.accumulate)
    return counted, reached, resumed


def row(run_dir: Path, moments: list[float], alone: Path, fork: bool) -> tuple[str, bool]:
    for moment in moments:
        if Process(run_dir, fork).kill_after(moment) == 0:
            break  # it had ended before
    if not (run_dir / "end.json").exists() and Process(run_dir, fork).wait() != 0:
        return "the resumed run failed", False
    counted, reached, resumed = parts(seen(run_dir))
    expected = seen(alone)[0]
    ends = [json.loads((folder / "end.json").read_text()) for folder in (run_dir, alone)]
    same_weights, same_rest = ends[0]["weights"] == ends[1]["weights"], ends[0] == ends[1]
    same_history = history(run_dir) == history(alone)
    missing = len(set(expected) - set(counted))
    repeated = len(counted) - len(set(counted))
    good = same_weights and same_rest and same_history and counted == expected
    killed = ", ".join(f"{m:.3f} at {r}" for m, r in zip(moments, reached, strict=False))
    return (
        f"{killed:32} {', '.join(map(str, resumed[1:])):>12} {same_weights!s:>8} "
        f"{same_history!s:>8} {missing:>8} {repeated:>9}"
    ), good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fork", action="store_true")
    parser.add_argument("--no-record", action="store_true", help=f"do not append to {RESULTS}")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        train(options.worker)
        return 0
    if options.fork:  # what torch imports late is imported before the forks
        torch.optim.AdamW([torch.nn.Parameter(torch.ones(1))]).zero_grad()
    with tempfile.TemporaryDirectory() as folder:
        failed = table(Path(folder), options.moments, options.seed, options.fork)
    print(f"{options.moments - failed} of {options.moments} end as the run left alone")
    if not options.no_record:
        record({"moments": options.moments, "seed": options.seed, "failed": failed})
    return 1 if failed else 0


def table(folder: Path, moments: int, seed: int, fork: bool) -> int:
    """Print a row a moment; how many failed."""
    alone = folder / "alone"
    alone.mkdir()
    if Process(alone, fork).wait() != 0:
        raise SystemExit("the run left alone failed")
    first = min(alone.glob("seen-*.log"))
    length = (alone / "end.json").stat().st_mtime - int(first.stem[5:]) / 1e9
    steps = json.loads((alone / "end.json").read_text())["steps"]
    print(f"{MACHINE}; left alone: {steps} steps in {length:.2f} s")
    print("   killed after s at step          resumed from  weights  history  skipped  repeated")
    draw = random.Random(seed)
    failed = 0
    for number in range(moments):
        run_dir = folder / f"run-{number}"
        run_dir.mkdir()
        start = draw.uniform(0, length)
        text, good = row(run_dir, [start, draw.uniform(0, length - start)], alone, fork)
        print(f"{number:2} {text}{'' if good else '  FAILED'}", flush=True)
        failed += not good
    return failed


def record(result: dict[str, Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with RESULTS.open("a") as file:
        file.write(json.dumps({"time": when, "machine": MACHINE, **result}) + "\n")


if __name__ == "__main__":
    sys.exit(main())
