"""Batches of pairs of about the same lengths."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

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

    def __init__(self, pairs: Sequence[Pair], size: int, seed: int) -> None:
        self._pairs, self._size, self._seed = pairs, min(size, len(pairs)), seed
        self._lengths = np.asarray([[len(a), len(b)] for a, b in pairs], np.float64)
        self._epoch = -(-len(pairs) // self._size)
        self._known: tuple[int, list[np.ndarray[tuple[int], np.dtype[np.int64]]]] = (-1, [])

    def __len__(self) -> int:
        return self._epoch

    def __getitem__(self, k: int) -> Batch:
        epoch, at = divmod(k, self._epoch)
        if self._known[0] != epoch:
            self._known = (epoch, self._cut(epoch))
        return batch([self._pairs[i] for i in self._known[1][at].tolist()])

    def _cut(self, epoch: int) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
        draw = np.random.Generator(np.random.Philox(key=[self._seed, 2], counter=epoch))
        lengths = self._lengths + draw.uniform(0, _JITTER, self._lengths.shape)
        cuts = np.arange(self._size, len(lengths), self._size)
        found = np.split(np.lexsort((lengths[:, 0], np.ceil(lengths[:, 1]))), cuts)
        return [found[i] for i in draw.permutation(len(found))]


def batch(pairs: Sequence[Pair]) -> Batch:
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
