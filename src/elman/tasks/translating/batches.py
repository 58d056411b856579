"""Batches of pairs of about the same lengths."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from elman.data.lines import Rows
from elman.data.mapped import Array, by_kind, counted, counts_of, spans, zeros
from elman.data.vocabulary import BOUNDARY, Tokens
from elman_runtime import translating

Pair = tuple[Tokens, Tokens]
_JITTER = 2.0  # tokens by which lengths may be mixed up, so that batches differ between epochs


class Batch(NamedTuple):
    """Pairs, padded with the boundary.

    - `source`: (B, S), each row ended by a boundary; `lengths`: (B,), that one among them.
    - `before`: (B, T), a boundary and the target; `after`: (B, T), the target and a boundary.
    - `counted`: (B, T), where `after` is no padding.
    """

    source: Tensor
    lengths: Tensor
    before: Tensor
    after: Tensor
    counted: Tensor


class ByLength:
    """Micro-batches of pairs; an epoch has each pair once, batches in an order of its own.

    Pairs are sorted by length, not quite, cut into batches of equal size, and these are shuffled;
    all is drawn from (seed, epoch).
    """

    def __init__(self, pairs: Sequence[Pair] | Rows, size: int, seed: int) -> None:
        self._pairs, self._size, self._seed = pairs, min(size, len(pairs)), seed
        if isinstance(pairs, Rows):
            self._lengths = pairs.lengths
        else:
            self._lengths = np.asarray([[len(a), len(b)] for a, b in pairs], np.int32)
        self._epoch = -(-len(pairs) // self._size)
        self._known: tuple[int, Array, Array] = (-1, np.empty(0), np.empty(0))

    def __len__(self) -> int:
        return self._epoch

    def __getitem__(self, k: int) -> Batch:
        epoch, at = divmod(k, self._epoch)
        if self._known[0] != epoch:
            draw = np.random.Generator(np.random.Philox(key=[self._seed, 2], counter=epoch))
            order = _sorted(*self._keys(draw))
            self._known = (epoch, order, draw.permutation(self._epoch))
        _, order, turns = self._known
        first = int(turns[at]) * self._size
        return batch([self._pairs[i] for i in order[first : first + self._size].tolist()])

    def _keys(self, draw: np.random.Generator) -> tuple[Array, Array]:
        """What sources and targets are sorted by."""
        count = len(self._lengths)
        own, other = zeros(count, np.float64), zeros(count, np.int32)
        for one in spans(count):
            some = self._lengths[one]
            lengths = some + draw.uniform(0, _JITTER, some.shape)
            own[one] = lengths[:, 0]
            other[one] = np.ceil(lengths[:, 1])
        return own, other


def _sorted(own: Array, other: Array) -> Array:
    """`np.lexsort((own, other))`, but in files; only what has one value of `other` is held."""
    counts = counts_of((other[one] for one in spans(len(other))), int(other.max()) + 1)
    kinds = ((numbers, other[numbers]) for numbers in counted(len(other)))
    order = by_kind(kinds, counts, np.min_scalar_type(len(other)))
    for first, last in pairwise([0, *np.cumsum(counts).tolist()]):
        some = order[first:last]
        order[first:last] = some[np.argsort(own[some], kind="stable")]
    return order


def batch(pairs: Sequence[tuple[Tokens, ...]]) -> Batch:
    """Pairs side by side."""
    source, lengths = padded([[*a, BOUNDARY] for a, _ in pairs])
    before, counts = padded([[BOUNDARY, *b] for _, b in pairs])
    after, _ = padded([[*b, BOUNDARY] for _, b in pairs])
    counted = torch.arange(before.shape[1]) < counts[:, None]
    return Batch(source, lengths, before, after, counted)


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Rows of tokens side by side (B, T), and their lengths (B,)."""
    found, lengths = translating.padded(rows)
    return torch.from_numpy(found), torch.from_numpy(lengths)
