"""How far two computations of the same thing may differ: one table, by dtype.

An entry that is a sum of K rounded terms, in whatever order, is off by about eps * sqrt(K) times
the size of what was summed. That size is taken from the largest entry of the reference: where
large terms cancel, a small entry keeps their error. So

    allowed = absolute + eps * max |reference| * sqrt(K)

with `absolute` for tensors that are themselves all rounding error (a gradient that is exactly zero
in theory): 64 eps where functions of about 2 ulp are chained over some tens of steps, 4 eps for the
half precisions, which store rounded values but are summed in float32.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

__all__ = ["ABSOLUTE", "Difference", "allowed", "assert_close", "compare"]

ABSOLUTE: dict[torch.dtype, float] = {
    torch.float64: 64 * torch.finfo(torch.float64).eps,
    torch.float32: 64 * torch.finfo(torch.float32).eps,
    torch.float16: 4 * torch.finfo(torch.float16).eps,
    torch.bfloat16: 4 * torch.finfo(torch.bfloat16).eps,
}


class Difference(NamedTuple):
    """The worst entry of a comparison."""

    what: str
    where: tuple[int, ...]
    actual: float
    expected: float
    allowed: float
    ratio: float
    """Difference / allowed: up to 1 is close; infinite where a number is missing."""

    def __str__(self) -> str:
        index = ", ".join(map(str, self.where))
        return (
            f"{self.what}[{index}]: got {self.actual!r}, expected {self.expected!r}: "
            f"{self.ratio:.3g} times the allowed difference of {self.allowed:.2g}"
        )


def allowed(reference: Any, *, terms: int, dtype: torch.dtype | None = None) -> float:
    """The largest difference from `reference` that sums of `terms` terms in `dtype` explain.

    Args:
        reference: tensor, array or number.
        terms: K, how many terms the longest sum has, over all steps that feed one another.
        dtype: of the less precise computation; default: the reference's own.
    """
    values = torch.as_tensor(reference).detach()
    return _allowed(_array(values), terms, dtype or values.dtype)


def _allowed(reference: Array, terms: int, dtype: torch.dtype) -> float:
    if terms < 1:
        raise ValueError(f"terms must be at least 1, got {terms}")
    if dtype not in ABSOLUTE:
        return 0.0
    largest = float(np.abs(reference).max(initial=0.0, where=np.isfinite(reference)))
    return ABSOLUTE[dtype] + torch.finfo(dtype).eps * largest * math.sqrt(terms)


def _array(t: Tensor) -> Array:
    return t.double().numpy(force=True)


def compare(actual: Any, expected: Any, *, terms: int, what: str) -> Difference:
    """The worst difference between two tensors, arrays or numbers of the same shape.

    Integers and booleans must be equal. NaN is close to nothing, infinity to itself alone.

    Raises:
        AssertionError: the shapes differ.
    """
    a, e = torch.as_tensor(actual), torch.as_tensor(expected)
    if a.shape != e.shape:
        raise AssertionError(f"{what}: got shape {tuple(a.shape)}, expected {tuple(e.shape)}")
    kind = _coarser(a.dtype, e.dtype)
    got, wanted = _array(a), _array(e)
    limit = _allowed(wanted, terms, kind)
    if not got.size:
        return Difference(what, (), 0.0, 0.0, limit, 0.0)
    ratios = _ratios(got, wanted, limit)
    where = np.unravel_index(int(ratios.argmax()), ratios.shape)
    at = tuple(map(int, where))
    return Difference(what, at, float(got[at]), float(wanted[at]), limit, float(ratios[at]))


def assert_close(actual: Any, expected: Any, *, terms: int, what: str = "value") -> Difference:
    """Refuse a difference that rounding does not explain; returns the worst one.

    Args:
        actual, expected: tensors, arrays or numbers of one shape; `expected` is the reference.
        terms: K, how many terms the longest sum has, over all steps that feed one another.
        what: the name that the error gives to them.

    Raises:
        AssertionError: says what and where, both values, and how many times the allowed
            difference theirs is.

    Example:
        >>> import torch
        >>> from elman.testing import assert_close
        >>> assert_close(torch.ones(3), torch.tensor([1.0, 1.0, 1.5]), terms=1, what="y")
        Traceback (most recent call last):
        AssertionError: y[2]: got 1.0, expected 1.5: 6.4e+04 times the allowed difference of 7.8e-06
    """
    worst = compare(actual, expected, terms=terms, what=what)
    if not worst.ratio <= 1:
        raise AssertionError(str(worst))
    return worst


def _coarser(a: torch.dtype, b: torch.dtype) -> torch.dtype:
    """The less precise of two floating dtypes; the floating one where only one is."""
    floating = [kind for kind in (a, b) if kind.is_floating_point]
    return max(floating, key=lambda kind: torch.finfo(kind).eps) if floating else a


def _ratios(actual: Array, expected: Array, limit: float) -> Array:
    # The same infinity is no difference, though infinity less infinity is no number.
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = np.where(actual == expected, 0.0, np.abs(actual - expected) / np.float64(limit))
    return np.where(np.isnan(ratios), math.inf, ratios)
