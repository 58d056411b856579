"""What the runtime costs: imports, memory, and how long single steps take at worst.

    python bench/runtime.py                      # a million steps each on noise and on silence
    python bench/runtime.py --steps 100000 --append

Imports are timed in processes of their own, after NumPy or torch has been imported; memory is what
the process holds more than with NumPy alone, with a GRU-64 loaded and streamed. Latency is that of
`Stream.step(x, out=out)`, each step timed by itself, the garbage collector on; what an empty timing
takes is printed beside it. Needs Linux for the memory.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timing import append, header
from torch import nn

import elman
import elman_runtime

NAME = "runtime"
HIDDEN = 64
ROOT = Path(__file__).resolve().parent.parent
_RUNTIME = """
import json, sys, time
import numpy
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
before, start = held(), time.perf_counter()
import elman_runtime
plain = time.perf_counter() - start
from elman_runtime import Stream, load
imported = time.perf_counter() - start
stream = Stream(load(sys.argv[1]))
loaded = time.perf_counter() - start
stream.step(numpy.zeros(stream.inputs[0].shape, numpy.float32))
print(json.dumps([plain, imported, loaded, held() - before]))
"""
_ELMAN = """
import json, time
import torch
start = time.perf_counter()
import elman
print(json.dumps([time.perf_counter() - start]))
"""
_PARTS = (50.0, 99.0, 99.9)


def in_processes(code: str, times: int, *words: str) -> list[float]:
    """The median, over processes, of each number that `code` prints."""
    paths = f"{ROOT / 'src'}:{ROOT / 'runtime'}:{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "PYTHONPATH": paths}
    # What is installed is compiled once, and so is this after the first process.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command, rows = [sys.executable, "-c", code, *words], []
    for _ in range(times + 1):
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        rows.append(json.loads(done.stdout))
    return [statistics.median(column) for column in zip(*rows[1:], strict=True)]


def latency(stream: elman_runtime.Stream, x: np.ndarray[Any, Any], steps: int) -> dict[str, float]:
    """Microseconds of a step: p50, p99, p99.9, max and what an empty timing takes.

    Args:
        x: (N, I), fed again and again.
    """
    out, taken = np.empty(stream.outputs[0].shape, np.float32), np.empty(steps)
    rows, clock, step = list(x), time.perf_counter_ns, stream.step
    for k in range(min(steps, 1000)):
        step(rows[k % len(rows)], out=out)
    for k in range(steps):
        row = rows[k % len(rows)]
        start = clock()
        step(row, out=out)
        taken[k] = clock() - start
    empty = []
    for _ in range(1000):
        start = clock()
        empty.append(clock() - start)
    found = {
        f"p{part:g}": float(v) / 1e3
        for part, v in zip(_PARTS, np.percentile(taken, _PARTS), strict=True)
    }
    return {**found, "max": float(taken.max()) / 1e3, "timer": statistics.median(empty) / 1e3}


def measure(steps: int, times: int, hidden: int) -> dict[str, Any]:
    """All of it."""
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        layer = nn.GRU(hidden, hidden, batch_first=True).eval()
        elman.save(nn.Sequential(layer), path, quiet=True)
        plain, imported, loaded, held = in_processes(_RUNTIME, times, str(path))
        (torch_side,) = in_processes(_ELMAN, max(1, times // 2))
        inputs = {
            "noise": draw.standard_normal((997, hidden)).astype(np.float32),
            "silence": np.zeros((1, hidden), np.float32),
        }
        steps_of = {
            name: latency(elman_runtime.Stream(path), x, steps) for name, x in inputs.items()
        }
    return {
        "import elman_runtime": plain,
        "import with Stream": imported,
        "import, load, open": loaded,
        "bytes": held,
        "import elman": torch_side,
        "latency": steps_of,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=9, help="processes an import is timed in")
    parser.add_argument("--hidden", type=int, default=HIDDEN)
    parser.add_argument("--append", action="store_true", help=f"keep it in {NAME}.jsonl")
    given = parser.parse_args()
    print(header())
    found = measure(given.steps, given.times, given.hidden)
    model = f"and a GRU-{given.hidden} read and opened"
    for words, value, reach in (
        ("import elman_runtime, beyond NumPy", found["import elman_runtime"], ""),
        ("with Stream and load", found["import with Stream"], "(reach 40, stretch 15)"),
        (model, found["import, load, open"], ""),
        ("import elman, beyond torch", found["import elman"], "(reach 300, stretch 150)"),
    ):
        print(f"{words:36}{value * 1e3:7.1f} ms  {reach}".rstrip())
    held = found["bytes"] / 1e6
    print(f"{'memory with it, beyond NumPy':36}{held:7.1f} MB  (reach 20, stretch 8)")
    print(f"\n{given.steps:,} steps, us         p50     p99   p99.9        max   max / p50  timer")
    for name, row in found["latency"].items():
        print(
            f"  {name:18}{row['p50']:8.2f}{row['p99']:8.2f}{row['p99.9']:8.2f}{row['max']:11.1f}"
            f"{row['max'] / row['p50']:10.0f} x{row['timer']:7.2f}"
        )
    if given.append:
        append(NAME, {**vars(given), **found})


if __name__ == "__main__":
    main()
