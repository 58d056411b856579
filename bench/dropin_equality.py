"""How far the drop-ins are from torch's own layers, in float64, by kind of configuration.

    python bench/dropin_equality.py --configurations 500

Each configuration compares outputs, final states and the gradients of input, weights and hx. The
difference allowed comes from `elman.testing.tolerance`; a configuration beyond it is printed, and
the exit code is 1.
"""

import argparse
import sys
from collections import defaultdict

import torch
from timing import header

from elman.testing.dropin_cases import Configuration, compare, configurations, facets
from elman.testing.tolerance import compare as measure


def worst(c: Configuration) -> tuple[float, float]:
    """The largest absolute difference, and the largest as a part of what is allowed."""
    found = compare(c)
    ratios = (measure(k.actual, k.expected, terms=c.terms, what=k.what).ratio for k in found)
    return max(k.difference for k in found), max(ratios)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--configurations", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    settings = parser.parse_args()
    torch.set_num_threads(1)
    kinds: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    beyond = 0
    for c in configurations(settings.configurations, settings.seed):
        difference = worst(c)
        for kind in [("all", ""), *facets(c)]:
            kinds[kind].append(difference)
        if not difference[1] <= 1:
            beyond += 1
            print(f"beyond the tolerance: {c}", file=sys.stderr)
    print(header().splitlines()[1].partition(";")[0])
    print(f"{'kind':29}configurations  worst difference  of the allowed")
    for (name, value), found in sorted(kinds.items(), key=lambda kind: kind[0]):
        absolute, part = (max(column) for column in zip(*found, strict=True))
        print(f"{name:14}{value:15}{len(found):14}{absolute:18.2g}{part:16.3f}")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
