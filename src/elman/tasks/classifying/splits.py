"""Which examples train, which choose, which are reported on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase
from typing import Any

import numpy as np

from elman.data.lines import Lines, digests
from elman.data.mapped import (
    Array,
    by_kind,
    counted,
    counts_of,
    shuffled,
    spans,
    where,
    zeros,
)
from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.held import LabelSet

_BUCKET = 16  # keys that are sorted together are about two to the power of this


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
    first = _firsts(digests(_keys(found.inputs)))
    part = zeros(len(first), np.uint8)
    for groups in _by_class(found, first):
        order = shuffled(len(groups), draw)
        some, more = _sizes(len(groups), shares)
        for kind, chosen in (1, order[:some]), (2, order[some : some + more]):
            for one in spans(len(chosen)):
                part[groups[chosen[one]]] = kind
    for one in spans(len(part)):
        part[one] = part[first[one]]
    return Parts(*(where(part, kind) for kind in range(3)))


def _keys(inputs: Sequence[Any]) -> Iterator[bytes]:
    """Of each example, the same for equal ones."""
    if isinstance(inputs, Lines):
        return (_plain(raw) for some in inputs.raw_blocks() for raw in some)
    return map(_key, inputs)


def _key(one: Any) -> bytes:
    """The same for equal examples, and for texts that differ in case and space alone."""
    if isinstance(one, str):
        return " ".join(one.lower().split()).encode("utf-8", "surrogatepass")
    found: bytes = one.tobytes()
    return found


# Letters made small, and what is a space in a text but not among bytes.
_SMALL = bytes.maketrans(
    ascii_uppercase.encode() + b"\x1c\x1d\x1e\x1f", ascii_lowercase.encode() + b"    "
)


def _plain(raw: bytes) -> bytes:
    """The key of a text in UTF-8; that of ASCII without making a text of it."""
    if raw.isascii():
        return b" ".join(raw.translate(_SMALL).split())
    return _key(raw.decode("utf-8", "surrogatepass"))


def _firsts(keys: Array) -> Array:
    """Of each example the first one that has the same key: (N,).

    They are sorted a bucket of keys at a time: equal keys are in the same one.
    """
    bits = max(1, (len(keys) >> _BUCKET).bit_length())
    high = np.uint64(64 - bits)

    def kinds() -> Iterator[tuple[Array, Array]]:
        return ((rows, (keys[rows] >> high).astype(np.int64)) for rows in counted(len(keys)))

    counts = counts_of((own for _, own in kinds()), 1 << bits)
    order = by_kind(kinds(), counts, np.min_scalar_type(len(keys)))
    first = zeros(len(keys), order.dtype)
    for start, stop in pairwise([0, *np.cumsum(counts).tolist()]):
        rows = order[start:stop]
        own = keys[rows]
        ranked = np.argsort(own, kind="stable")
        own, rows = own[ranked], rows[ranked]
        begins = np.ones(len(own), bool)
        begins[1:] = own[1:] != own[:-1]
        first[rows] = rows[begins][np.cumsum(begins) - 1]
    return first


def _by_class(found: Examples, first: Array) -> list[Array]:
    """The firsts of groups for each set of labels that they have; rare ones of several as one."""
    labels = found.labels
    sets: tuple[LabelSet, ...] = ((),) if labels is None else labels.sets
    codes = np.broadcast_to(np.uint8(0), len(first)) if labels is None else labels.codes

    def kinds() -> Iterator[tuple[Array, Array]]:
        for one in spans(len(first)):
            rows = np.arange(one.start, one.stop)
            rows = rows[first[one] == rows]
            yield rows, codes[rows]

    counts = counts_of((own for _, own in kinds()), len(sets))
    order = by_kind(kinds(), counts, first.dtype)
    together = np.split(order, np.cumsum(counts)[:-1])
    common: dict[LabelSet, list[Array]] = {}
    for k in sorted(range(len(sets)), key=sets.__getitem__):
        if len(together[k]):
            rare = labels is not None and len(sets[k]) != 1 and len(together[k]) < 10
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
