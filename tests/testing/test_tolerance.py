"""The one tolerance table."""

import math

import numpy as np
import pytest
import torch

from elman.testing import allowed, assert_close
from elman.testing.tolerance import ABSOLUTE, compare


@pytest.mark.parametrize("dtype", list(ABSOLUTE))
def test_what_is_allowed_is_absolute_plus_rounding_of_the_largest(dtype) -> None:
    reference = torch.tensor([0.5, -4.0], dtype=dtype)
    eps = torch.finfo(dtype).eps
    assert allowed(reference, terms=9) == pytest.approx(ABSOLUTE[dtype] + eps * 4 * 3)


@pytest.mark.parametrize("dtype", list(ABSOLUTE))
def test_just_within_and_just_beyond(dtype) -> None:
    e = torch.ones(1, dtype=dtype)
    limit = allowed(e, terms=4)
    assert assert_close(e.double() + 0.9 * limit, e, terms=4).ratio == pytest.approx(0.9, rel=0.02)
    with pytest.raises(AssertionError):
        assert_close(e.double() + 1.1 * limit, e, terms=4)


def test_the_error_says_what_where_both_values_and_how_far() -> None:
    a = torch.zeros(2, 3, dtype=torch.float64)
    b = a.clone()
    b[1, 2] = 0.25
    with pytest.raises(
        AssertionError, match=r"gradient of x\[1, 2\]: got 0.0, expected 0.25: "
    ) as e:
        assert_close(a, b, terms=1, what="gradient of x")
    assert "times the allowed difference of 1.4e-14" in str(e.value)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([math.nan], [math.nan]),
        ([math.nan], [1.0]),
        ([1.0], [math.nan]),
        ([math.inf], [-math.inf]),
        ([1.0], [math.inf]),
        ([1], [2]),
        ([True], [False]),
    ],
)
def test_never_close(actual, expected) -> None:
    with pytest.raises(AssertionError):
        assert_close(torch.tensor(actual), torch.tensor(expected), terms=10**6)


def test_equal_infinities_and_empty_tensors_are_close() -> None:
    assert assert_close([math.inf, 1.0], [math.inf, 1.0], terms=1).ratio == 0
    assert assert_close(torch.ones(0, 3), torch.ones(0, 3), terms=1).ratio == 0


def test_shapes_must_be_the_same_even_where_they_would_broadcast() -> None:
    with pytest.raises(AssertionError, match=r"y: got shape \(3, 1\), expected \(3,\)"):
        assert_close(torch.ones(3, 1), torch.ones(3), terms=1, what="y")


def test_the_coarser_of_two_dtypes_decides_and_numpy_will_do() -> None:
    exact = np.array([1 / 3])
    assert assert_close(exact.astype(np.float32), exact, terms=1).ratio <= 1
    with pytest.raises(AssertionError):
        assert_close(exact.astype(np.float32).astype(np.float64), exact, terms=1)


def test_the_worst_of_several_is_named() -> None:
    worst = compare([1.0, 1.1, 1.05], [1.0, 1.0, 1.0], terms=1, what="y")
    assert worst.where == (1,)


def test_terms_must_be_positive() -> None:
    with pytest.raises(ValueError, match="terms must be at least 1, got 0"):
        assert_close(1.0, 1.0, terms=0)
