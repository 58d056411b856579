"""Kill a stream at random moments, start it again, and compare with one left alone.

    python bench/kill_stream.py                  100 kills of `python -m elman_runtime stream`
    python bench/kill_stream.py --verb elman     the same of `elman stream`, which imports torch
    python bench/kill_stream.py --kills 10

A GRU-32 reads a file of rows with `--state FILE --save-every 250 --resume`. Each pass begins anew
and is killed (SIGKILL) up to five times, at moments drawn from its whole time, start-up included;
then it runs to its end. A pass is good if its outputs, joined by the number of the row, are those
of the run left alone, bit for bit, rows written twice were written alike, and the state in the end
is the same. Passes are appended to bench/results/kill_stream.jsonl, and those that are there from
this commit and machine are not done again. Exit status 1 if any pass fails.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from contest import ROOT, commit, kept
from timing import append, machine
from torch import nn

import elman

NAME = "kill_stream"
ROWS, WIDTH, UNITS, SAVE_EVERY, KILLS_A_PASS = 10_000, 4, 32, 250, 5
VERBS = {"runtime": ["-m", "elman_runtime"], "elman": ["-m", "elman.cli"]}


class Place:
    """A folder with a model and its input."""

    def __init__(self, folder: Path, verb: str) -> None:
        self.folder, self.verb = folder, verb
        torch.manual_seed(0)
        gru, last = nn.GRU(WIDTH, UNITS, batch_first=True), elman.nn.Last()
        model = nn.Sequential(gru, last, nn.Linear(UNITS, 2)).eval()
        elman.save(model, folder / "model.safetensors", quiet=True)
        x = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
        lines = (",".join(map(str, row)) + "\n" for row in x)
        (folder / "in.csv").write_text("a,b,c,d\n" + "".join(lines))

    def start(self, state: Path, out: Path) -> "subprocess.Popen[bytes]":
        """The stream, reading from the start of the input."""
        words = ["stream", str(self.folder / "model.safetensors"), "--state", str(state)]
        words += ["--save-every", str(SAVE_EVERY), "--resume"]
        paths = f"{ROOT / 'src'}:{ROOT / 'runtime'}:{os.environ.get('PYTHONPATH', '')}"
        with (self.folder / "in.csv").open("rb") as source, out.open("wb") as sink:
            return subprocess.Popen(
                [sys.executable, *VERBS[self.verb], *words],
                stdin=source,
                stdout=sink,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            )


def rows_of(path: Path) -> list[tuple[int, str]]:
    """The rows of an output, without a line that the kill has cut."""
    lines = path.read_text().splitlines(keepends=True)
    whole = [line.strip() for line in lines if line.endswith("\n") and not line.startswith("row")]
    return [(int(row), values) for row, _, values in (line.partition(",") for line in whole)]


def one_pass(place: Place, number: int, seconds: float, alone: Path) -> dict[str, Any]:
    """Kill, start again, ..., run to the end; what came of it."""
    draw = random.Random(number)
    state, killed, begun = place.folder / f"{number}.state", list[float](), list[int]()
    found: dict[int, str] = {}
    again = different = 0
    while True:
        out = place.folder / f"{number}.csv"
        running = place.start(state, out)
        if len(killed) < KILLS_A_PASS:
            moment = draw.uniform(0, seconds)
            time.sleep(moment)
            running.kill()
        said = running.communicate()[1].decode()
        next_row = re.search(r"next comes row (\d+)", said)
        begun += [int(next_row[1])] if next_row else []  # killed before it could say so
        for row, values in rows_of(out):
            again += row in found
            different += found.setdefault(row, values) != values
        if running.returncode != -signal.SIGKILL:
            break
        killed.append(round(moment, 3))
    if running.returncode != 0:
        raise SystemExit(f"the stream failed: {said}")
    expected = dict(rows_of(alone.with_suffix(".csv")))
    same_state = state.read_bytes() == alone.read_bytes()
    missing = len(set(expected) - set(found))
    different += sum(found[row] != expected.get(row) for row in found)
    good = same_state and not missing and not different
    return {
        "killed": killed,
        "begun": begun,
        "again": again,
        "missing": missing,
        "different": different,
        "same_state": same_state,
        "good": good,
    }


def line(number: int, record: dict[str, Any]) -> str:
    """A row of the table."""
    killed = " ".join(f"{moment:.3f}" for moment in record["killed"])
    begun = " ".join(map(str, record["begun"]))
    verdict = "" if record["good"] else "  FAILED"
    return (
        f"{number:4} {killed:32} {begun:38} {record['again']:>6} {record['missing']:>5} "
        f"{record['different']:>7} {record['same_state']!s:>6}{verdict}"
    )


def main() -> int:
    """Print a row a pass until there are enough kills."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--verb", choices=VERBS, default="runtime")
    parser.add_argument("--no-record", action="store_true", help="neither append nor skip")
    given = parser.parse_args()
    here = machine()
    key = {
        "verb": given.verb,
        "rows": ROWS,
        "cpu": here["cpu"],
        "commit": commit(f"bench/{NAME}.py"),
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), given.verb)
        alone = place.folder / "alone.state"
        start = time.monotonic()
        running = place.start(alone, alone.with_suffix(".csv"))
        said = running.communicate()[1].decode()
        if running.returncode != 0:
            raise SystemExit(f"the stream left alone failed: {said}")
        seconds = time.monotonic() - start
        print(f"{here['cpu']}; left alone: {ROWS} rows in {seconds:.2f} s, with start-up")
        print("pass killed after s                   began at row                            again"
              "  lost differs  state")  # fmt: skip
        kills, failed, number = 0, 0, 0
        while kills < given.kills:
            known = None if given.no_record else kept(NAME, {**key, "pass": number})
            record = known or one_pass(place, number, seconds, alone)
            if known is None and not given.no_record:
                append(NAME, {**key, "pass": number, **record})
            print(line(number, record), flush=True)
            kills += len(record["killed"])
            failed += not record["good"]
            number += 1
    print(f"{kills} kills in {number} passes; {number - failed} end as the run left alone")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
