"""A value that is computed when it is used, in every place where a value may stand."""

import operator

import numpy as np
import pytest
import torch

from elman import ops


class Late(ops.Deferred):
    def __init__(self, value) -> None:
        self.value = value
        self.asked = 0

    def resolve(self):
        self.asked += 1
        return self.value


KINDS = {
    "torch": lambda v: torch.tensor(v, dtype=torch.float64),
    "numpy": np.array,
}
OPERATORS = ["add", "sub", "mul", "truediv", "gt", "ge", "lt", "le"]


def same(found, expected) -> None:
    assert type(found) is type(expected)
    assert found.tolist() == expected.tolist()
    assert found.dtype == expected.dtype


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OPERATORS)
def test_operators_on_either_side(kind, name) -> None:
    function = getattr(operator, name)
    a, b = KINDS[kind]([1.0, 2.0, 3.0]), KINDS[kind]([2.0, 2.0, 2.0])
    same(function(Late(a), b), function(a, b))
    same(function(a, Late(b)), function(a, b))
    same(function(Late(a), Late(b)), function(a, b))
    same(function(Late(a), 2.0), function(a, 2.0))
    same(function(2.0, Late(b)), function(2.0, b))


def test_a_scalar_of_numpy_on_the_left() -> None:
    same(np.float64(2) * Late(np.array([1.0, 3.0])), np.array([2.0, 6.0]))


@pytest.mark.parametrize("kind", KINDS)
def test_functions_and_negation(kind) -> None:
    v = KINDS[kind]([0.5, 1.5])
    same(-Late(v), -v)
    for name in ("sigmoid", "tanh", "exp", "expm1", "log", "sin", "cos", "softplus"):
        same(getattr(ops, name)(Late(v)), getattr(ops, name)(v))
    for name in ("relu", "sqrt", "abs", "mean"):
        same(getattr(ops, name)(Late(v)), getattr(ops, name)(v))
    for name in ("maximum", "minimum"):
        function = getattr(ops, name)
        same(function(Late(v), 1.0), function(v, 1.0))
        same(function(1.0, Late(v)), function(1.0, v))
    same(ops.where(Late(v > 1), Late(v), Late(-v)), ops.where(v > 1, v, -v))
    same(ops.named("v", Late(v)), v)


def test_nothing_is_computed_until_it_is_used() -> None:
    late = Late(torch.ones(2))
    assert late.asked == 0
    _ = late + 1
    assert late.asked == 1


def test_a_subclass_must_say_how() -> None:
    with pytest.raises(TypeError, match=r"Deferred does not define resolve\(\)"):
        ops.tanh(ops.Deferred())
