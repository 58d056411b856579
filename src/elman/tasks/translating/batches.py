"""Batches of pairs of about the same lengths."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from elman.data.lines import Rows
from elman.data.vocabulary import BOUNDARY, Tokens
from elman_runtime import translating

Pair = tuple[Tokens, Tokens]
Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int32]]
_BLOCK = 1 << 16
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
        own, other = self._keys(draw)
        cuts = np.arange(self._size, len(own), self._size)
        found = np.split(np.lexsort((own, other)), cuts)
        return [found[i] for i in draw.permutation(len(found))]

    def _keys(self, draw: np.random.Generator) -> tuple[Floats, Ints]:
        """What sources and targets are sorted by; drawn in blocks, so that little is held."""
        own, other = np.empty(len(self._lengths)), np.empty(len(self._lengths), np.int32)
        for start in range(0, len(own), _BLOCK):
            some = self._lengths[start : start + _BLOCK]
            lengths = some + draw.uniform(0, _JITTER, some.shape)
            own[start : start + _BLOCK] = lengths[:, 0]
            other[start : start + _BLOCK] = np.ceil(lengths[:, 1])
        return own, other


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
