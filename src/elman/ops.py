"""The vocabulary of a cell's `update`.

Every function takes torch tensors, NumPy arrays or Python numbers, element by element, and returns
the kind it was given; `+ - * /` and comparisons are the operators of the values themselves.
What else should go through them subclasses `Symbolic`.
Derivatives at ties and at zero are torch's: `maximum` and `minimum` give one half to each side of
a tie, `relu` and `abs` have derivative zero at zero.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "Deferred",
    "Symbolic",
    "abs",
    "cos",
    "exp",
    "expm1",
    "log",
    "maximum",
    "mean",
    "minimum",
    "named",
    "relu",
    "sigmoid",
    "sin",
    "softplus",
    "sqrt",
    "tanh",
    "where",
]

# torch.nn.functional.softplus is linear from here on; the NumPy twin must turn at the same place.
SOFTPLUS_THRESHOLD = 20.0


class Deferred:
    """A value that is computed when it is first used, such as `u.n` in a cell.

    Subclasses define `resolve`, which returns the tensor or array. Operators and the functions of
    this module resolve what they are given.
    """

    # Else `array + deferred` would be an array of objects, each entry resolving by itself.
    __array_ufunc__ = None

    @classmethod
    def __torch_function__(cls, function: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        # torch.compile knows no reflected operators: `tensor + deferred` reaches it this way alone.
        return function(*map(_resolve, args), **(kwargs or {}))

    def resolve(self) -> Any:
        """The value itself."""
        raise TypeError(f"{type(self).__name__} does not define resolve()")


class Symbolic:
    """A value that stands for others: it takes every operation of this module itself.

    Subclasses define `elman_op`, and the operators of Python.
    """

    # Else `number_of_numpy * symbol` would be an array of objects.
    __array_ufunc__ = None

    def elman_op(self, name: str, *values: Any) -> Any:
        """The function `name` of this module, of `values`; at least one of them is symbolic."""
        raise TypeError(f"{type(self).__name__} does not define {name} of {len(values)} values")


def _symbolic(name: str, *values: Any) -> Any:
    """What the first symbol among `values` makes of them, or None where there is none."""
    for value in values:
        if isinstance(value, Symbolic):
            return value.elman_op(name, *values)
    return None


def _resolve(value: Any) -> Any:
    return value.resolve() if isinstance(value, Deferred) else value


def _install_operators() -> None:
    for name in ("add", "sub", "mul", "truediv", "gt", "ge", "lt", "le"):
        function = getattr(operator, name)

        def forward(self: Any, other: Any, function: Any = function) -> Any:
            return function(_resolve(self), _resolve(other))

        def backward(self: Any, other: Any, function: Any = function) -> Any:
            return function(_resolve(other), _resolve(self))

        setattr(Deferred, f"__{name}__", forward)
        setattr(Deferred, f"__r{name}__", backward)
    setattr(Deferred, "__neg__", lambda self: -_resolve(self))  # noqa: B010


_install_operators()


def _unary(
    name: str, value: Any, on_torch: Callable[[Tensor], Tensor], on_numpy: Callable[..., Any]
) -> Any:
    value = _resolve(value)
    if isinstance(value, Tensor):
        return on_torch(value)
    return value.elman_op(name, value) if isinstance(value, Symbolic) else on_numpy(value)


def _as_tensors(*values: Any) -> tuple[Tensor, ...] | None:
    """All as tensors like the first tensor among them, or None where there is none."""
    like = next((v for v in values if isinstance(v, Tensor)), None)
    if like is None:
        return None
    return tuple(
        v
        if isinstance(v, Tensor)
        else torch.as_tensor(
            v, dtype=None if isinstance(v, bool) else like.dtype, device=like.device
        )
        for v in values
    )


def _binary(
    name: str,
    a: Any,
    b: Any,
    on_torch: Callable[[Tensor, Tensor], Tensor],
    on_numpy: Callable[..., Any],
) -> Any:
    a, b = _resolve(a), _resolve(b)
    tensors = _as_tensors(a, b)
    if tensors:
        return on_torch(*tensors)
    symbol = _symbolic(name, a, b)
    return on_numpy(a, b) if symbol is None else symbol


def sigmoid(v: Any) -> Any:
    """1 / (1 + exp(-v))."""
    return _unary("sigmoid", v, torch.sigmoid, lambda a: np.exp(-np.logaddexp(0, -a)))


def tanh(v: Any) -> Any:
    """Hyperbolic tangent."""
    return _unary("tanh", v, torch.tanh, np.tanh)


def exp(v: Any) -> Any:
    """e to the power v."""
    return _unary("exp", v, torch.exp, np.exp)


def expm1(v: Any) -> Any:
    """exp(v) - 1, accurate near zero."""
    return _unary("expm1", v, torch.expm1, np.expm1)


def log(v: Any) -> Any:
    """Natural logarithm."""
    return _unary("log", v, torch.log, np.log)


def sin(v: Any) -> Any:
    """Sine of an angle in radians."""
    return _unary("sin", v, torch.sin, np.sin)


def cos(v: Any) -> Any:
    """Cosine of an angle in radians."""
    return _unary("cos", v, torch.cos, np.cos)


def softplus(v: Any) -> Any:
    """log(1 + exp(v)); v itself above 20, as torch has it."""
    return _unary("softplus", v, torch.nn.functional.softplus, _softplus_numpy)


def _softplus_numpy(v: Any) -> Any:
    bounded = np.log1p(np.exp(np.minimum(v, SOFTPLUS_THRESHOLD)))
    return np.where(v > SOFTPLUS_THRESHOLD, v, bounded)


def relu(v: Any) -> Any:
    """max(v, 0)."""
    return _unary("relu", v, torch.relu, lambda a: np.maximum(a, 0))


def sqrt(v: Any) -> Any:
    """Square root."""
    return _unary("sqrt", v, torch.sqrt, np.sqrt)


def abs(v: Any) -> Any:
    """Absolute value."""
    return _unary("abs", v, torch.abs, np.abs)


def maximum(a: Any, b: Any) -> Any:
    """The larger of two values."""
    return _binary("maximum", a, b, torch.maximum, np.maximum)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two values."""
    return _binary("minimum", a, b, torch.minimum, np.minimum)


def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where `condition` holds, `b` elsewhere."""
    condition, a, b = _resolve(condition), _resolve(a), _resolve(b)
    if isinstance(condition, Tensor) and not isinstance(a, Tensor) and not isinstance(b, Tensor):
        return torch.where(condition, a, b)
    tensors = _as_tensors(a, b)
    if tensors:
        return torch.where(condition, *tensors)
    symbol = _symbolic("where", condition, a, b)
    return np.where(condition, a, b) if symbol is None else symbol


def mean(v: Any) -> Any:
    """Mean over a row's units: (B, H) becomes (B, 1)."""
    return _unary(
        "mean", v, lambda t: t.mean(-1, keepdim=True), lambda a: np.mean(a, axis=-1, keepdims=True)
    )


def named(name: str, v: Any) -> Any:
    """`v`, unchanged, under a name of its own."""
    if not name.isidentifier():
        raise ValueError(f"named(): the name must be an identifier, got {name!r}")
    v = _resolve(v)
    return v.elman_op("named", name, v) if isinstance(v, Symbolic) else v
