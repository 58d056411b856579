"""Logistic regression on bags of words and pairs, or on summary statistics: the baselines."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.mapped import Array, Arrays, Numbers
from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.held import Encoded, in_runs
from elman.tasks.classifying.numbers import Scaling
from elman_runtime.bag import places_of

STRENGTHS = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)
"""Weights of the L2 penalty that are tried, in examples: each warm-starts the next."""

_MOST_FEATURES = 500_000
_ROUNDS = 60  # iterations of L-BFGS for each strength
_BLOCK = 1 << 20  # words and pairs of texts that are looked at together
_SAMPLE = 1 << 12  # of keys in order, one in so many says where blocks are cut

Loss = Callable[[Tensor, Tensor], Tensor]


class Rows(Protocol):
    """Features of N examples."""

    @property
    def features(self) -> int:
        """How many there are."""
        ...

    def times(self, weight: Tensor) -> Tensor:
        """The product (N, C) with weights (F, C)."""
        ...


class Entries(NamedTuple):
    """The features of some examples: which, where each example's begin, and their values."""

    which: Tensor
    offsets: Tensor
    values: Tensor


@dataclass(frozen=True)
class Sparse:
    """Examples that have a few of many features, each with the same value in a row.

    Those of many examples are in several blocks, which lie in files.
    """

    blocks: tuple[Entries, ...]
    features: int

    def times(self, weight: Tensor) -> Tensor:
        """The product (N, C) with weights (F, C)."""
        bag = nn.functional.embedding_bag
        found = [
            bag(one.which, weight, one.offsets, mode="sum", per_sample_weights=one.values)
            for one in self.blocks
        ]
        return found[0] if len(found) == 1 else torch.cat(found)


@dataclass(frozen=True)
class Dense:
    """Examples that have all features: (N, F)."""

    matrix: Tensor
    features: int

    def times(self, weight: Tensor) -> Tensor:
        """The product (N, C) with weights (F, C)."""
        return self.matrix @ weight


@dataclass(frozen=True)
class Fit:
    """Weights (F, C), biases (C,), and the strength of the penalty that validation chose."""

    weight: Tensor
    bias: Tensor
    strength: float

    def logits(self, rows: Rows) -> Any:
        """Logits (N, C), float64."""
        return (rows.times(self.weight) + self.bias).double().numpy()


def logistic(
    train: Rows,
    y: Tensor,
    classes: int,
    loss: Loss,
    score: Callable[[Any], float],
    validation: Rows,
) -> Fit:
    """Logistic regression whose L2 penalty is chosen on validation.

    Args:
        y: what `loss(logits, y)` takes.
        score: of logits (N, C) on validation, to be minimised.
    """
    weight = torch.zeros(train.features, classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    best: tuple[float, Fit] | None = None
    for strength in STRENGTHS:
        _descend(train, y, weight, bias, strength, loss)
        fit = Fit(weight.detach().clone(), bias.detach().clone(), strength)
        found = score(fit.logits(validation))
        if best is None or found < best[0]:
            best = found, fit
    assert best is not None
    return best[1]


def _descend(
    rows: Rows, y: Tensor, weight: Tensor, bias: Tensor, strength: float, loss: Loss
) -> None:
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=_ROUNDS, tolerance_change=1e-7, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        penalty = 0.5 * strength / len(y) * weight.square().sum()
        found = loss(rows.times(weight) + bias, y) + penalty
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimizer.step(closure)  # type: ignore[no-untyped-call]


class Bag:
    """The words and pairs of neighbouring words that occur in the training texts.

    A text has each of those that occur in it once, and a length of 1.

    - `keys`: their numbers, sorted: (F,).
    """

    def __init__(self, train: Encoded, tokens: int) -> None:
        self._tokens = tokens
        runs = _Runs()
        for some, _ in self._blocks(train):
            runs.add(*np.unique(some, return_counts=True))
        found = counts = np.zeros(0, np.int64)
        for keys, more in runs.merged():
            found, counts = np.concatenate([found, keys]), np.concatenate([counts, more])
            if found.size > _MOST_FEATURES:
                kept = np.sort(np.argsort(-counts, kind="stable")[:_MOST_FEATURES])
                found, counts = found[kept], counts[kept]
        self.keys = found

    def _blocks(self, texts: Encoded) -> Iterator[tuple[Array, Array]]:
        """Words and pairs of some texts, and how many each has; at least once.

        A block ends with the text that makes it more than `_BLOCK`.
        """
        keys, sizes = np.zeros(0, np.int64), np.zeros(0, np.int64)
        for ids, lengths in in_runs(texts):
            more, each = features_of_texts(ids, lengths, self._tokens)
            keys, sizes = np.concatenate([keys, more]), np.concatenate([sizes, each])
            while (count := self._full(sizes)) < len(sizes):
                end = int(sizes[:count].sum())
                yield keys[:end], sizes[:count]
                keys, sizes = keys[end:], sizes[count:]
        yield keys, sizes

    @staticmethod
    def _full(sizes: Array) -> int:
        """How many texts fill a block; as many as there are where they are too few."""
        return int(np.searchsorted(np.cumsum(sizes), _BLOCK, "right")) + 1

    def rows(self, texts: Encoded) -> Sparse:
        """The features of texts, given as token numbers."""
        filed, last = Arrays(), None
        for keys, counts in self._blocks(texts):
            if last is not None:
                for one in last:
                    filed.append(one)
            place, known = places_of(keys, self.keys)
            of_text = np.repeat(np.arange(len(counts)), counts)
            sizes = np.bincount(of_text[known], minlength=len(counts))
            values = np.repeat(1 / np.sqrt(np.maximum(1, sizes)), sizes).astype(np.float32)
            offsets = np.cumsum(sizes) - sizes
            last = place[known], offsets, values
        assert last is not None
        arrays = [*filed.mapped(), *last]
        found = [
            Entries(*map(torch.from_numpy, arrays[k : k + 3])) for k in range(0, len(arrays), 3)
        ]
        return Sparse(tuple(found), max(1, self.keys.size))


def features_of_texts(ids: Array, lengths: Array, tokens: int) -> tuple[Array, Array]:
    """What `features_of` gives for each of several texts, one after another; and how many (N,).

    Args:
        ids: token numbers of all, (T,); lengths: how many each text has, (N,).
        tokens: how many there are.
    """
    span = tokens + tokens * tokens
    most = max(1, np.iinfo(np.int64).max // max(1, span))
    if len(lengths) > most:
        cut = int(lengths[:most].sum())
        halves = (ids[:cut], lengths[:most]), (ids[cut:], lengths[most:])
        found = [features_of_texts(*one, tokens) for one in halves]
        features, sizes = map(np.concatenate, zip(*found, strict=True))
        return features, sizes
    # A feature and its text as one number, so that they are put in order in one go.
    base = np.repeat(np.arange(len(lengths)) * span, lengths)
    inside = base[1:] == base[:-1]
    pairs = (base[:-1] + tokens + ids[:-1] * tokens + ids[1:])[inside]
    both = np.concatenate([base + ids, pairs])
    both.sort()
    once = np.ones(len(both), bool)
    once[1:] = both[1:] != both[:-1]
    text, features = np.divmod(both[once], max(1, span))
    return features, np.bincount(text, minlength=len(lengths))


class _Runs:
    """Keys in order and how often each occurs, of several blocks of texts; many lie in a file."""

    def __init__(self) -> None:
        self._keys, self._counts, self._ends = Numbers(), Numbers(), [0]

    def add(self, keys: Array, counts: Array) -> None:
        """Those of one more block."""
        self._keys.extend(keys)
        self._counts.extend(counts)
        self._ends.append(self._ends[-1] + keys.size)

    def merged(self) -> Iterator[tuple[Array, Array]]:
        """All in order, each once with its whole count, a block at a time."""
        keys, counts = self._keys.mapped(), self._counts.mapped()
        self._keys.close()
        self._counts.close()
        parts = list(pairwise(self._ends))
        sample = np.sort(np.concatenate([keys[a:b:_SAMPLE] for a, b in parts]))
        ends = [*sample[:: _BLOCK // _SAMPLE][1:].tolist(), np.iinfo(np.int64).max]
        begins = [a for a, _ in parts]
        for end in ends:
            stops = [
                a + int(np.searchsorted(keys[a:b], end))
                for a, (_, b) in zip(begins, parts, strict=True)
            ]
            some = [slice(a, b) for a, b in zip(begins, stops, strict=True)]
            own, at = np.unique(np.concatenate([keys[one] for one in some]), return_inverse=True)
            total = np.bincount(at, np.concatenate([counts[one] for one in some]), own.size)
            yield own, total.astype(np.int64)
            begins = stops


class Summary:
    """Statistics of sequences of numbers, standardised by the training part.

    Of each column: mean, deviation, least, largest, first, last, mean step, share that is missing;
    and the logarithm of the length.
    """

    def __init__(self, train: Examples, scaling: Scaling) -> None:
        self._scaling = scaling
        raw = self._raw(train)
        self._mean, self._std = raw.mean(0), raw.std(0)
        self._std[self._std < 1e-9] = 1.0

    def rows(self, found: Examples) -> Dense:
        """The features of sequences."""
        scaled = np.clip((self._raw(found) - self._mean) / self._std, -10, 10)
        matrix = torch.from_numpy(scaled.astype(np.float32))
        return Dense(matrix, matrix.shape[1])

    def _raw(self, found: Examples) -> Any:
        if not len(found):
            return np.zeros((0, len(self._mean)))
        scaled = [(one - self._scaling.mean) / self._scaling.std for one in found.inputs]
        return np.stack([_statistics(one) for one in scaled])


def _statistics(values: Any) -> Any:
    columns = []
    for one in values.T:
        there = one[~np.isnan(one)]
        if not there.size:
            columns += [0.0] * 7 + [1.0]
            continue
        step = np.abs(np.diff(there)).mean() if there.size > 1 else 0.0
        columns += [there.mean(), there.std(), there.min(), there.max(), there[0], there[-1], step]
        columns.append(1 - there.size / one.size)
    return np.asarray([*columns, np.log(max(1, len(values)))])
