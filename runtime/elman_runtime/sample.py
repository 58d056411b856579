"""From logits to a token: temperature, top-k, top-p, min-p, and draws that a seed decides.

NumPy alone. A draw depends on (seed, row, position) and on nothing else: not on how many rows are
written at once, nor on what was drawn before, so a text can be continued from its middle.
"""

import math
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np

__all__ = ["GREEDY", "Sampling", "choose", "probabilities", "uniform"]

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]
Doubles: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

_MOST = 2**63


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn. Each rule narrows what the one before has left.

    - `temperature`: logits are divided by it; below 1 the likely becomes likelier; 0 takes the
      likeliest token always.
    - `top_k`: only the k likeliest tokens; 0 for all.
    - `top_p`: only the likeliest tokens whose probabilities come to p, above 0 to 1.
    - `min_p`: only tokens at least this share as likely as the likeliest, 0 to 1.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError naming the field, the rule, what came and the repair."""
        for field in fields(self):
            _check_number(field.name, getattr(self, field.name))
        if self.temperature < 0:
            raise ValueError(
                f"temperature must be 0 or more; got {self.temperature}; 0 takes the likeliest"
            )
        if self.top_k != int(self.top_k) or self.top_k < 0:
            raise ValueError(
                f"top_k must be a whole number from 0 up; got {self.top_k}; 0 leaves all tokens"
            )
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0, to 1; got {self.top_p}; 1 leaves all tokens")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p must be 0 to 1; got {self.min_p}; 0 leaves all tokens")


def _check_number(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number; got {value!r}; give one")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite; got {value}; give a number")


GREEDY = Sampling(temperature=0.0)
"""The likeliest token, always: such texts soon repeat themselves."""


def probabilities(logits: Floats, sampling: Sampling) -> Doubles:
    """The probabilities (V,) of the tokens, float64, after every rule; they sum to 1.

    Args:
        logits: (V,), up to a constant; -inf rules a token out.

    Raises:
        ValueError: no token is left, or a logit is NaN or +inf.

    >>> probabilities(np.log([0.5, 0.3, 0.2]), Sampling(top_k=2)).round(3)
    array([0.625, 0.375, 0.   ])
    """
    scores = np.asarray(logits, np.float64)
    if scores.ndim != 1 or not scores.size:
        raise ValueError(f"logits must be (V,) with V from 1 up; got {scores.shape}; give one row")
    largest = scores.max()
    if not np.isfinite(largest):
        raise ValueError(
            f"logits must be numbers or -inf, not all of them; got a largest of {largest}; the "
            "network diverged, or every token was ruled out"
        )
    if sampling.temperature == 0:
        chosen: Doubles = (np.arange(scores.size) == scores.argmax()).astype(np.float64)
        return chosen
    with np.errstate(over="ignore"):  # a tiny temperature: all but the likeliest become 0
        weights: Doubles = np.exp((scores - largest) / sampling.temperature)
    return _narrowed(weights / weights.sum(), sampling)


def _narrowed(p: Doubles, sampling: Sampling) -> Doubles:
    """What top-k, top-p and min-p leave of probabilities, made to sum to 1 again."""
    top_k = int(sampling.top_k) if sampling.top_k < p.size else 0
    if not top_k and sampling.top_p == 1 and sampling.min_p == 0:
        return p
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    if top_k:
        ranked[top_k:] = 0.0
        ranked /= ranked.sum()
    if sampling.top_p < 1:
        before = np.cumsum(ranked) - ranked  # the likeliest always stays
        ranked[before >= sampling.top_p] = 0.0
        ranked /= ranked.sum()
    ranked[ranked < sampling.min_p * ranked[0]] = 0.0
    found = np.empty_like(p)
    found[order] = ranked / ranked.sum()
    return found


def uniform(seed: int, row: int, position: int) -> float:
    """The draw of a place, from 0 to below 1: Philox keyed by (seed, row), counted by position.

    Raises:
        ValueError: a number is negative or 2**63 or more.

    >>> uniform(0, 0, 5) == uniform(0, 0, 5) != uniform(0, 1, 5)
    True
    """
    for name, value in (("seed", seed), ("row", row), ("position", position)):
        if not 0 <= value < _MOST:
            raise ValueError(f"{name} must be 0 or more, below 2**63; got {value}; change it")
    key = np.array([seed, row], np.uint64)
    draw = int(np.random.Philox(key=key, counter=position).random_raw())
    return (draw >> 11) * 2.0**-53


def choose(
    logits: Floats, sampling: Sampling, *, seed: int = 0, row: int = 0, position: int = 0
) -> int:
    """The token drawn from logits (V,) at a place: a pure function of its arguments.

    Args:
        row: which of several texts written at once.
        position: which token of the text, from 0.

    Raises:
        ValueError: as `probabilities` and `uniform` say.

    >>> choose(np.log([0.5, 0.3, 0.2]), GREEDY)
    0
    """
    p = probabilities(logits, sampling)
    ends = np.cumsum(p)
    # Within the last end, so that rounding can lead neither past it nor to a token ruled out.
    draw = uniform(seed, row, position) * ends[-1]
    return int(np.searchsorted(ends, min(draw, np.nextafter(ends[-1], 0)), side="right"))
