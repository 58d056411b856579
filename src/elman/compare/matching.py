"""Sizes at which networks of different kinds have about as many parameters."""

from collections.abc import Callable

from torch import nn

_MOST = 1 << 16


def parameters(model: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(p.numel() for p in model.parameters())


def hidden_for(build: Callable[[int], nn.Module], wanted: int) -> int:
    """The hidden units, at least 1, with which a network's parameters are nearest to `wanted`.

    Args:
        build: from hidden units to a network; more units have more parameters.

    Example:
        >>> from torch import nn
        >>> hidden_for(lambda units: nn.Linear(9, units), 52)
        5
    """
    counts: dict[int, int] = {}

    def count(hidden: int) -> int:
        if hidden not in counts:
            counts[hidden] = parameters(build(hidden))
        return counts[hidden]

    high = 1
    while count(high) < wanted and high < _MOST:
        high *= 2
    low = max(1, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < wanted else (low, middle)
    return min((low, high), key=lambda hidden: (abs(count(hidden) - wanted), hidden))
