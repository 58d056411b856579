"""Which examples train, which choose, which are reported on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data.lines import Array, digests
from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.held import LabelSet


@dataclass(frozen=True)
class Parts:
    """Numbers of the examples of each part, in the order of the file."""

    train: Array
    validation: Array
    test: Array


def divide(found: Examples, shares: tuple[float, float], seed: int) -> Parts:
    """Random parts in which each class has its share.

    The same text, or the same numbers, are always in one part: what was learnt by heart proves
    nothing. A class with fewer than three different examples is only trained on.

    Args:
        shares: of the whole, for validation and for the test; 0 for none.
        seed: of the draw.
    """
    draw = np.random.Generator(np.random.Philox(key=[seed, 7]))
    first, group = _groups(digests(map(_key, found.inputs)))
    part = np.zeros(len(first), np.uint8)
    for groups in _by_class(found, first):
        order = groups[draw.permutation(len(groups))]
        some, more = _sizes(len(groups), shares)
        part[order[:some]], part[order[some : some + more]] = 1, 2
    of_examples = part[group]
    kind = np.min_scalar_type(len(group))
    return Parts(*(np.flatnonzero(of_examples == k).astype(kind) for k in range(3)))


def _key(one: Any) -> bytes:
    """The same for equal examples, and for texts that differ in case and space alone."""
    if isinstance(one, str):
        return " ".join(one.lower().split()).encode("utf-8", "surrogatepass")
    found: bytes = one.tobytes()
    return found


def _groups(keys: Array) -> tuple[Array, Array]:
    """The first example of each group of equal keys, in order; and the group of each example."""
    # By hand, for np.unique holds twice as much at a time.
    order = np.argsort(keys, kind="stable").astype(np.min_scalar_type(len(keys)))
    keys = keys[order]
    begins = np.ones(len(keys), bool)
    begins[1:] = keys[1:] != keys[:-1]
    del keys
    first = order[begins]
    place = np.empty_like(first)
    place[np.argsort(first)] = np.arange(len(first), dtype=place.dtype)
    group = np.empty_like(order)
    # In order of their keys the groups are numbered from 1 up.
    group[order] = place[np.cumsum(begins, dtype=order.dtype) - 1]
    first.sort()
    return first, group


def _by_class(found: Examples, first: Array) -> list[Array]:
    """For each set of labels the groups whose first example has it; rare ones of several as one."""
    if found.labels is None:
        return [np.arange(len(first))]
    sets = found.labels.sets
    ranked = sorted(range(len(sets)), key=sets.__getitem__)
    own = found.labels.pick(first).codes
    order = np.argsort(own, kind="stable").astype(first.dtype)
    ends = np.cumsum(np.bincount(own, minlength=len(sets)))
    together = np.split(order, ends[:-1])
    common: dict[LabelSet, list[Array]] = {}
    for k in ranked:
        if len(together[k]):
            rare = len(sets[k]) != 1 and len(together[k]) < 10
            common.setdefault(("\0several",) if rare else sets[k], []).append(together[k])
    return [one[0] if len(one) == 1 else np.concatenate(one) for one in common.values()]


def _sizes(count: int, shares: Sequence[float]) -> tuple[int, int]:
    """How many groups of a class go to validation and to the test: one at least, of three."""
    if count < 3:
        return 0, 0
    first, second = (max(1, round(count * share)) if share else 0 for share in shares)
    while first + second > count - 1:
        first, second = (first - 1, second) if first >= second else (first, second - 1)
    return first, second
