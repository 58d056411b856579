"""Which examples train, which choose, which are reported on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elman.tasks.classifying.examples import Examples


@dataclass(frozen=True)
class Parts:
    """Indices of the examples of each part, in the order of the file."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def divide(found: Examples, shares: tuple[float, float], seed: int) -> Parts:
    """Random parts in which each class has its share.

    The same text, or the same numbers, are always in one part: what was learnt by heart proves
    nothing. A class with fewer than three different examples is only trained on.

    Args:
        shares: of the whole, for validation and for the test; 0 for none.
        seed: of the draw.
    """
    draw = np.random.Generator(np.random.Philox(key=[seed, 7]))
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for groups in _groups_by_class(found).values():
        order = draw.permutation(len(groups)).tolist()
        first, second = _sizes(len(groups), shares)
        for place, k in enumerate(order):
            which = 1 if place < first else 2 if place < first + second else 0
            parts[which].extend(groups[k])
    return Parts(*(tuple(sorted(part)) for part in parts))


def _groups_by_class(found: Examples) -> dict[tuple[str, ...], list[list[int]]]:
    """For each set of labels, the groups of equal examples whose first has it."""
    together: dict[object, list[int]] = {}
    for k, one in enumerate(found.inputs):
        key = " ".join(one.lower().split()) if isinstance(one, str) else one.tobytes()
        together.setdefault(key, []).append(k)
    classes: dict[tuple[str, ...], list[list[int]]] = {}
    for group in together.values():
        own = found.labels[group[0]] if found.labels else ()
        classes.setdefault(own, []).append(group)
    return _with_rare_together(classes)


def _with_rare_together(
    classes: dict[tuple[str, ...], list[list[int]]],
) -> dict[tuple[str, ...], list[list[int]]]:
    """Sets of several labels that are rare are divided as one."""
    common: dict[tuple[str, ...], list[list[int]]] = {}
    for labels, groups in sorted(classes.items()):
        rare = len(labels) != 1 and len(groups) < 10
        common.setdefault(("\0several",) if rare else labels, []).extend(groups)
    return common


def _sizes(count: int, shares: Sequence[float]) -> tuple[int, int]:
    """How many groups of a class go to validation and to the test: one at least, of three."""
    if count < 3:
        return 0, 0
    first, second = (max(1, round(count * share)) if share else 0 for share in shares)
    while first + second > count - 1:
        first, second = (first - 1, second) if first >= second else (first, second - 1)
    return first, second
