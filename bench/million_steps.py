"""One sequence of a million steps: time and memory of a `step` loop, for any cell.

    python bench/million_steps.py [--cell GRU] [--hidden 64] [--steps 1000000]

Prints a line for each tenth of the way: steps done, steps a second, memory held; a finished run is
appended to bench/results/million_steps.jsonl. Memory must not grow, whatever the cell: the state is
all that is carried.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from timing import append

from elman.nn import Recurrent


def held() -> float:
    """MiB of memory that this process holds (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


def walk(cell: str, hidden: int, steps: int) -> Iterator[tuple[int, float, float]]:
    """Steps done, steps a second and MiB held, ten times."""
    layer = Recurrent(cell, hidden, hidden).eval()
    x = torch.randn(1, hidden)
    inputs = {name: torch.ones(1) for name in layer.cell.inputs if name != "raw"}
    with torch.inference_mode():
        state = layer.initial_state(1)
        for part in range(10):
            start = time.perf_counter()
            for _ in range(steps // 10):
                _, state = layer.step(x, state, **inputs)
            rate = steps // 10 / (time.perf_counter() - start)
            yield (part + 1) * (steps // 10), rate, held()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cell", default="GRU")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1_000_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    found, rates = list[float](), list[float]()
    for done, rate, memory in walk(args.cell, args.hidden, args.steps):
        print(f"{done:>9,} steps  {rate:>8,.0f} steps/s  {memory:8.1f} MiB", flush=True)
        found.append(memory)
        rates.append(rate)
    print(f"{args.cell}: grew by {found[-1] - found[0]:.1f} MiB after the first tenth")
    append("million_steps", {**vars(args), "steps_per_second": rates, "mib": found})


if __name__ == "__main__":
    main()
