"""Logistic regression on bags of words and pairs, or on summary statistics: the baselines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.numbers import Scaling
from elman_runtime.bag import features_of, known_of

STRENGTHS = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03)
"""Weights of the L2 penalty that are tried, in examples: each warm-starts the next."""

_MOST_FEATURES = 500_000
_ROUNDS = 60  # iterations of L-BFGS for each strength

Loss = Callable[[Tensor, Tensor], Tensor]


class Rows(Protocol):
    """Features of N examples."""

    features: int

    def times(self, weight: Tensor) -> Tensor:
        """The product (N, C) with weights (F, C)."""
        ...


@dataclass(frozen=True)
class Sparse:
    """Examples that have a few of many features, each with the same value in a row."""

    index: Tensor
    offsets: Tensor
    values: Tensor
    features: int

    def times(self, weight: Tensor) -> Tensor:
        """The product (N, C) with weights (F, C)."""
        return nn.functional.embedding_bag(
            self.index, weight, self.offsets, mode="sum", per_sample_weights=self.values
        )


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

    def __init__(self, train: Sequence[Any], tokens: int) -> None:
        self._tokens = tokens
        keys = [features_of(ids, tokens) for ids in train]
        found, counts = np.unique(np.concatenate(keys), return_counts=True)
        if found.size > _MOST_FEATURES:
            found = np.sort(found[np.argsort(-counts, kind="stable")[:_MOST_FEATURES]])
        self.keys = found

    def rows(self, texts: Sequence[Any]) -> Sparse:
        """The features of texts, given as token numbers."""
        index, sizes = [], []
        for ids in texts:
            known = known_of(features_of(ids, self._tokens), self.keys)
            index.append(known)
            sizes.append(known.size)
        values = np.repeat(1 / np.sqrt(np.maximum(1, sizes)), sizes).astype(np.float32)
        offsets = np.cumsum([0, *sizes], dtype=np.int64)[:-1]
        flat = np.concatenate(index) if index else np.zeros(0, np.int64)
        return Sparse(
            torch.from_numpy(flat),
            torch.from_numpy(offsets),
            torch.from_numpy(values),
            max(1, self.keys.size),
        )


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
