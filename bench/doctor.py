"""The doctor on networks made ill in many ways, and on healthy ones: hits, misses, false alarms.

    python bench/doctor.py            # prints the table; under five minutes on one core
    python bench/doctor.py --tune     # the same on the networks that thresholds were chosen on
    python bench/doctor.py --append   # and adds the table to bench/results/doctor.jsonl

A hit: an illness that the network was given is named. A false alarm: any illness in a healthy one.
Thresholds were chosen on seeds 0 and 1, 16 and 32 units, 60 steps; the table is of other seeds and
sizes (`TABLE`).
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from doctor_networks import HEALTHY, ILL, Network, Size
from timing import append, header

from elman.doctor import examine

TUNING = [(seed, Size(8, 60, 6, hidden)) for seed in (0, 1) for hidden in (16, 32)]
TABLE = [
    (seed, size) for seed in (101, 102, 103) for size in (Size(6, 44, 5, 12), Size(10, 80, 9, 40))
]


class Row(NamedTuple):
    """One kind of network: how many, how many were called what they are, and what else was said."""

    name: str
    wanted: str
    cases: int
    right: int
    also: dict[str, int]


def run(
    networks: dict[str, tuple[str, Callable[[Size], Network]]], draws: list[tuple[int, Size]]
) -> Iterator[Row]:
    """Examine every kind of network at every seed and size."""
    for name, (wanted, make) in networks.items():
        kinds = []
        for seed, size in draws:
            torch.manual_seed(seed)
            made = make(size)
            kinds.append(set(examine(made.model, made.batch, **made.options).kinds))
        allowed = set(wanted.split(" or ")) if wanted else set()
        right = sum(bool(found & allowed) if allowed else not found for found in kinds)
        also: dict[str, int] = {}
        for other in (kind for found in kinds for kind in sorted(found - allowed)):
            also[other] = also.get(other, 0) + 1
        yield Row(name, wanted, len(kinds), right, also)


def report(title: str, good: str, bad: str, rows: list[Row]) -> dict[str, Any]:
    """Print a table; returns its sums."""
    print(f"\n{title}\n\n{'network':44} {'illness':24} cases {good:>6} {bad:>12}  also said")
    for row in rows:
        others = ", ".join(f"{kind} {count}" for kind, count in row.also.items())
        wrong = row.cases - row.right
        print(
            f"{row.name:44} {row.wanted or '-':24} {row.cases:5} {row.right:6} {wrong:12}  {others}"
        )
    cases, right = sum(r.cases for r in rows), sum(r.right for r in rows)
    print(f"{'all':69} {cases:5} {right:6} {cases - right:12}", flush=True)
    return {"cases": cases, good: right, bad: cases - right, "rows": [r._asdict() for r in rows]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--tune", action="store_true", help="seeds and sizes of the tuning")
    parser.add_argument("--append", action="store_true", help="to bench/results/doctor.jsonl")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    draws = TUNING if asked.tune else TABLE
    print(header())
    print("seeds and (rows, steps, inputs, units):", *((s, tuple(size)) for s, size in draws))
    start = time.perf_counter()
    ill = report("Ill", "hits", "misses", list(run(ILL, draws)))
    healthy = report("Healthy", "silent", "false alarms", list(run(HEALTHY, draws)))
    seconds = time.perf_counter() - start
    print(f"\n{seconds:.0f} s")
    if asked.append:
        found = {"ill": ill, "healthy": healthy, "seconds": seconds, "tuning": asked.tune}
        print(f"added to {append('doctor', found)}")


if __name__ == "__main__":
    main()
