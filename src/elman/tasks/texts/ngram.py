"""Counts of short runs of tokens: the baselines that need no training.

An n-gram model of order 5 is interpolated after Witten and Bell, "The zero-frequency problem"
(1991): with c(h) the times a history h of n - 1 tokens was seen, and d(h) the number of different
tokens that followed it,

    P_n(w | h) = (c(h w) + d(h) P_{n-1}(w | h')) / (c(h) + d(h)),

h' being h without its first token, and P_0 uniform. Runs are told apart by a 64-bit hash.
"""

from typing import Any

import numpy as np

from elman.data.corpus import Part
from elman.data.vocabulary import BOUNDARY, Tokens

ORDER = 5
MOST = 5_000_000
"""Tokens of the training part that are counted, the last ones: more take too much memory."""

Floats = np.ndarray[Any, np.dtype[np.float64]]
_Hashes = np.ndarray[Any, np.dtype[np.uint64]]
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


class Counts:
    """How often runs of up to `order` tokens occur in a part of a text."""

    def __init__(self, tokens: Tokens, part: Part, size: int, order: int = ORDER) -> None:
        self.size, self.order = size, order
        seen = np.asarray(tokens[max(part.start, part.stop - MOST) : part.stop])
        self._tables = [_Table(seen, n) for n in range(1, order + 1)]

    @property
    def runs(self) -> int:
        """How many different runs were seen, of all lengths."""
        return sum(table.runs for table in self._tables)

    def probability(self, tokens: Tokens, first: int, last: int) -> list[Floats]:
        """Of each token from `first` to `last` - 1, given those before it, by every order.

        Returns:
            order + 1 arrays (last - first,): uniform, unigram, bigram, ...
        """
        begin = max(0, first - self.order + 1)
        seen = np.asarray(tokens[begin:last])
        # A boundary is no token that is counted, so all others share what is to be had.
        found = [np.full(last - first, 1.0 / (self.size - 1))]
        for table in self._tables:
            found.append(table.mixed(seen, first - begin, found[-1]))
        return found


class _Table:
    """The runs of n tokens that were seen, and what their histories were followed by."""

    def __init__(self, seen: Tokens, n: int) -> None:
        self._n = n
        runs, histories = _hashed(seen, n), _hashed(seen, n - 1)[: max(0, seen.size - n + 1)]
        self._runs, first, self._counts = np.unique(runs, return_index=True, return_counts=True)
        self._histories, self._seen = np.unique(histories, return_counts=True)
        # A history is followed by as many different tokens as there are runs that begin with it.
        _, self._different = np.unique(histories[first], return_counts=True)

    @property
    def runs(self) -> int:
        """How many different runs of n tokens there are."""
        return int(self._runs.size)

    def mixed(self, seen: Tokens, start: int, below: Floats) -> Floats:
        """P_n of the tokens from `start` on, from P_{n-1} of them."""
        n = self._n
        runs = _padded(_hashed(seen, n), n - 1)[start:]
        histories = _padded(_hashed(seen, n - 1)[: max(0, seen.size - n + 1)], n - 1)[start:]
        count = _looked_up(self._runs, self._counts, runs)
        times = _looked_up(self._histories, self._seen, histories)
        different = _looked_up(self._histories, self._different, histories)
        total = times + different
        mixed: Floats = np.where(
            total > 0, (count + different * below) / np.maximum(total, 1), below
        )
        return mixed


def _hashed(tokens: Tokens, n: int) -> _Hashes:
    """The hash of each run of n tokens: (N - n + 1,)."""
    length = max(0, tokens.size - n + 1)
    found = np.full(length, np.uint64(n))
    for k in range(n):
        found = (found + tokens[k : k + length].astype(np.uint64) + np.uint64(1)) * _FACTOR
        found ^= found >> np.uint64(29)
    return found


def _padded(hashes: _Hashes, count: int) -> _Hashes:
    """With `count` hashes in front that no run has: of tokens without enough before them."""
    return np.concatenate([np.zeros(count, np.uint64), hashes])


def _looked_up(keys: _Hashes, values: Any, wanted: _Hashes) -> Floats:
    """The value of each wanted key; 0 where it is not there."""
    if not keys.size:
        return np.zeros(wanted.size)
    at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where(keys[at] == wanted, values[at], 0).astype(np.float64)


def unigram_logits(counts: Floats) -> Floats:
    """Logarithms of the frequencies of tokens, each counted half a time more: (V,)."""
    shares = (counts + 0.5) / (counts.sum() + 0.5 * counts.size)
    shares[BOUNDARY] = max(shares[BOUNDARY], 1e-6)
    found: Floats = np.log(shares)
    return found
