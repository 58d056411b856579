"""The vocabulary: torch, NumPy and the standard library's mathematics say the same."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from elman import ops
from elman.testing import assert_close

UNARY = {
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v)),
    "tanh": math.tanh,
    "exp": math.exp,
    "expm1": math.expm1,
    "log": math.log,
    "sin": math.sin,
    "cos": math.cos,
    "softplus": lambda v: v if v > 20 else math.log1p(math.exp(v)),
    "relu": lambda v: max(v, 0.0),
    "sqrt": math.sqrt,
    "abs": abs,
}
BINARY = {"maximum": max, "minimum": min}
POSITIVE = {"log", "sqrt"}
VALUES = st.floats(-30, 30, allow_subnormal=False)


def test_every_function_is_tested() -> None:
    functions = {name for name in ops.__all__ if not isinstance(getattr(ops, name), type)}
    assert functions == UNARY.keys() | BINARY.keys() | {"mean", "named", "where"}


@pytest.mark.parametrize("name", UNARY)
@given(v=VALUES)
def test_one_argument(name, v) -> None:
    v = abs(v) + 0.01 if name in POSITIVE else v
    expected, function = UNARY[name](v), getattr(ops, name)
    for kind in (np.float64, np.array, lambda a: np.array([a])):
        assert_close(float(np.squeeze(function(kind(v)))), expected, terms=1, what=name)
    assert_close(float(function(v)), expected, terms=1, what=f"{name} of a Python number")
    tensor = torch.tensor([v], dtype=torch.float64)
    assert_close(function(tensor)[0].item(), expected, terms=1, what=f"{name} of a tensor")


@pytest.mark.parametrize("name", BINARY)
@given(a=VALUES, b=VALUES)
def test_two_arguments_of_any_mixture_with_numbers(name, a, b) -> None:
    expected, function = BINARY[name](a, b), getattr(ops, name)
    t = lambda v: torch.tensor([v], dtype=torch.float64)  # noqa: E731
    found = [function(a, b), function(np.array([a]), b), function(a, np.array([b]))]
    found += [function(t(a), b), function(a, t(b)), function(t(a), t(b))]
    assert [float(np.squeeze(np.asarray(f))) for f in found] == [expected] * len(found)


def test_numpy_keeps_single_precision() -> None:
    v = np.linspace(0.1, 30, 7, dtype=np.float32)
    for name in UNARY:
        assert getattr(ops, name)(v).dtype == np.float32, name
    for name in BINARY:
        assert getattr(ops, name)(v, 0.5).dtype == np.float32, name
    assert ops.where(v > 1, v, 0.0).dtype == np.float32
    assert ops.mean(v[None]).dtype == np.float32


# --- derivatives where there is a choice ---------------------------------------------------------


def derivative(function, at: float) -> float:
    v = torch.tensor([at], requires_grad=True)
    function(v).sum().backward()
    return v.grad.item()


def test_derivatives_at_zero_and_at_ties() -> None:
    assert derivative(ops.relu, 0.0) == 0
    assert derivative(ops.abs, 0.0) == 0
    for function in (ops.maximum, ops.minimum):
        assert derivative(lambda v, f=function: f(v, 1.0), 1.0) == 0.5
        assert derivative(lambda v, f=function: f(1.0, v), 1.0) == 0.5


def test_where_takes_the_derivative_of_the_side_chosen() -> None:
    assert derivative(lambda v: ops.where(v > 0, 2 * v, 5 * v), 1.0) == 2
    assert derivative(lambda v: ops.where(v > 0, 2 * v, 5 * v), 0.0) == 5


# --- extremes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", [100.0, 1e4])
def test_extremes_without_warnings(dtype, far) -> None:
    v = np.array([-far, far], dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ops.sigmoid(v)[1] == 1
        assert 0 <= ops.sigmoid(v)[0] < 1e-40
        assert ops.softplus(v)[1] == dtype(far)
        assert 0 <= ops.softplus(v)[0] < 1e-40
        assert list(ops.tanh(v)) == [-1, 1]
    for function in (ops.sigmoid, ops.softplus, ops.tanh):
        assert_close(function(v), function(torch.from_numpy(v)), terms=1, what="extremes")


def test_sigmoid_keeps_its_digits_on_the_far_left() -> None:
    assert ops.sigmoid(np.float64(-50.0)) == pytest.approx(math.exp(-50), rel=1e-14)


# --- where, mean, named --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"), [(1.5, -2.5), (True, False), (2, 3), (1, 2.5)], ids=lambda v: str(v)
)
def test_where_of_two_numbers(a, b) -> None:
    condition = [True, False]
    expected = [a, b]
    assert ops.where(torch.tensor(condition), a, b).tolist() == expected
    assert ops.where(np.array(condition), a, b).tolist() == expected


def test_where_of_a_tensor_and_a_number_keeps_the_dtype() -> None:
    t = torch.tensor([1.0, -1.0], dtype=torch.float64)
    found = ops.where(t > 0, t, 0)
    assert found.dtype == torch.float64
    assert found.tolist() == [1, 0]
    assert ops.where(t > 0, 0.5, t).tolist() == [0.5, -1]


def test_mean_is_over_the_units_of_a_row() -> None:
    v = np.array([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]])
    assert ops.mean(v).tolist() == [[3.0], [1.0]]
    assert ops.mean(torch.from_numpy(v)).tolist() == [[3.0], [1.0]]


def test_named_changes_nothing_and_wants_an_identifier() -> None:
    v = torch.ones(2)
    assert ops.named("forget", v) is v
    with pytest.raises(ValueError, match="must be an identifier, got 'a b'"):
        ops.named("a b", v)
