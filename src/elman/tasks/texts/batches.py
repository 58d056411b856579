"""Batches of a running text: rows side by side, each going on where it was."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from elman.data.corpus import Part
from elman.data.vocabulary import Tokens


class Batch(NamedTuple):
    """Tokens (B, T), and the one after each (B, T)."""

    x: Tensor
    y: Tensor


class Stretches:
    """Micro-batches of a part; an epoch reads it once, row after row.

    The part is a ring: each epoch begins at another token, drawn from (seed, epoch), and the B rows
    lie evenly on the ring, so that batches are cut elsewhere each time. Where a part is too short
    for the rows asked for, there are fewer, or shorter ones.
    """

    def __init__(self, tokens: Tokens, part: Part, rows: int, length: int, seed: int) -> None:
        self._tokens, self._part, self._seed = tokens, part, seed
        self.length = max(1, min(length, len(part) // 2))
        self.rows = max(1, min(rows, len(part) // (2 * self.length)))
        self._epoch = max(1, len(part) // (self.rows * self.length))

    def __len__(self) -> int:
        return self._epoch

    def __getitem__(self, k: int) -> Batch:
        epoch, at = divmod(k, self._epoch)
        size = len(self._part)
        draw = np.random.Generator(np.random.Philox(key=[self._seed, 1], counter=epoch))
        begin = int(draw.integers(size)) + at * self.length
        starts = begin + np.arange(self.rows) * size // self.rows
        index = (starts[:, None] + np.arange(self.length + 1)) % size + self._part.start
        found = torch.from_numpy(self._tokens[index].astype(np.int64))
        return Batch(found[:, :-1], found[:, 1:])


def frequencies(tokens: Tokens, part: Part, size: int, block: int = 1 << 22) -> Any:
    """How often each token occurs in a part: (V,), float64."""
    counts = np.zeros(size)
    for start in range(part.start, part.stop, block):
        counts += np.bincount(tokens[start : min(start + block, part.stop)], minlength=size)
    return counts
