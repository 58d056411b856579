"""The closed set of instructions, and what each computes.

Element by element over a row's units, but for `mean`, which needs the whole row. Comparisons give
1 or 0, and `where` takes whatever is not 0 for true. `project` and `unproject`, the products with
U, belong to the set too; they are run by whoever owns the weights.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SOFTPLUS_THRESHOLD = 20.0
"""From here on softplus is the identity, as in torch."""


class Op(NamedTuple):
    """How many operands an instruction has, and what it computes of them in NumPy."""

    arity: int
    compute: Callable[..., Any]


def _sigmoid(a: Array) -> Array:
    # Either branch keeps its relative accuracy, and neither overflows.
    small = np.exp(-np.abs(a))
    result: Array = np.where(a >= 0, 1, small) / (1 + small)
    return result


def _softplus(a: Array) -> Array:
    bounded = np.log1p(np.exp(np.minimum(a, SOFTPLUS_THRESHOLD)))
    return np.where(a > SOFTPLUS_THRESHOLD, a, bounded)


def _comparison(compare: Callable[..., Any]) -> Op:
    return Op(2, lambda a, b: compare(a, b).astype(np.result_type(a, b)))


OPS: dict[str, Op] = {
    "copy": Op(1, lambda a: a),
    "neg": Op(1, np.negative),
    "add": Op(2, np.add),
    "sub": Op(2, np.subtract),
    "mul": Op(2, np.multiply),
    "div": Op(2, np.divide),
    "maximum": Op(2, np.maximum),
    "minimum": Op(2, np.minimum),
    "gt": _comparison(np.greater),
    "ge": _comparison(np.greater_equal),
    "lt": _comparison(np.less),
    "le": _comparison(np.less_equal),
    "where": Op(3, lambda c, a, b: np.where(c != 0, a, b)),
    "abs": Op(1, np.abs),
    "relu": Op(1, lambda a: np.maximum(a, 0)),
    "sqrt": Op(1, np.sqrt),
    "exp": Op(1, np.exp),
    "expm1": Op(1, np.expm1),
    "log": Op(1, np.log),
    "sin": Op(1, np.sin),
    "cos": Op(1, np.cos),
    "tanh": Op(1, np.tanh),
    "sigmoid": Op(1, _sigmoid),
    "softplus": Op(1, _softplus),
    # The two steps that every derivative is full of, as one each: of a gradient and the result.
    "dsigmoid": Op(2, lambda g, y: g * (1 - y) * y),
    "dtanh": Op(2, lambda g, y: g * (1 - y * y)),
    "mean": Op(1, lambda a: np.mean(a, axis=-1, keepdims=True)),
}

CHEAP = frozenset(
    "copy neg add sub mul maximum minimum gt ge lt le where abs relu dsigmoid dtanh".split()  # noqa: SIM905
)
"""What costs no more than fetching its result from memory would."""
