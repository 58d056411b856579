"""Networks without a memory, to stand beside the recurrent ones."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LinearMap(nn.Linear):
    """A linear map that is trained at a tenth of the learning rate: it starts near its solution.

    Weights are stored ten times as large as they are used, as Adam's steps do not depend on the
    size of gradients.
    """

    RATE = 0.1

    def forward(self, input: Tensor) -> Tensor:
        """As nn.Linear does, with weight and bias times `RATE`."""
        return nn.functional.linear(input, self.weight * self.RATE, self.bias * self.RATE)

    def lower(self, builder: Any, x: Any) -> Any:
        """The map in a program, its weights as they are used."""
        weight, bias = (parameter.detach() * self.RATE for parameter in (self.weight, self.bias))
        return builder.linear(x, weight, bias)

    @torch.no_grad()
    def add_(self, weight: Tensor, bias: Tensor) -> None:
        """Add to the map, in place: `weight` (out, in) and `bias` (out,) as they are used."""
        self.weight.add_(weight / self.RATE)
        self.bias.add_(bias / self.RATE)


class NLinear(nn.Module):
    """One linear map from a window to a forecast.

    With windows that are shifted by their last value this is NLinear (Zeng et al., "Are
    transformers effective for time series forecasting?", 2023), a baseline that many larger
    networks do not reach. It starts at a naive forecast: zero is the last value.

    Example:
        >>> NLinear(48, 12)(torch.zeros(2, 48)).shape
        torch.Size([2, 12])
    """

    def __init__(self, window: int, h: int, season: int = 0) -> None:
        super().__init__()
        self.linear = naive_(LinearMap(window, h), season)

    def forward(self, x: Float[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        """From windows (B, L) to forecasts (B, K)."""
        out: Tensor = self.linear(x)
        return out

    def lower(self, builder: Any, x: Any) -> Any:
        """The same in a program."""
        return builder.lower(self.linear, x, name="linear")


class FeedForward(nn.Module):
    """The same linear map and, beside it, one hidden layer: what a recurrence has to beat.

    With `extra`, the hidden layer sees so many numbers E beside the window.
    """

    def __init__(
        self,
        window: int,
        h: int,
        hidden: int,
        dropout: float = 0.0,
        season: int = 0,
        extra: int = 0,
    ) -> None:
        super().__init__()
        self.linear = naive_(LinearMap(window, h), season)
        self.inner = nn.Linear(window + extra, hidden)
        self.dropout = nn.Dropout(dropout)
        self.outer = zero_(nn.Linear(hidden, h))

    def forward(
        self, x: Float[Tensor, "B L"], extra: Float[Tensor, "B E"] | None = None
    ) -> Float[Tensor, "B K"]:
        """From windows (B, L), and what stands beside them (B, E), to forecasts (B, K)."""
        seen = x if extra is None else torch.cat([x, extra], 1)
        out: Tensor = self.linear(x) + self.outer(self.dropout(torch.relu(self.inner(seen))))
        return out

    def lower(self, builder: Any, x: Any) -> Any:
        """The same in a program."""
        inner = builder.apply("relu", builder.lower(self.inner, x, name="inner"))
        linear = builder.lower(self.linear, x, name="linear")
        return builder.apply("add", linear, builder.lower(self.outer, inner, name="outer"))

    @staticmethod
    def hidden_for(parameters: int, window: int, h: int) -> int:
        """The hidden units with which it has about so many parameters, at least 1."""
        return max(1, round((parameters - (window + 1) * h - h) / (window + 1 + h)))


def zero_(linear: nn.Linear) -> nn.Linear:
    """Set weight and bias to zero, in place."""
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


def naive_(linear: LinearMap, season: int) -> LinearMap:
    """Set a map from a window to a forecast to a naive one, in place.

    0 gives zeros, which is the last value for windows that are shifted by it; above, forecast k is
    the value `season` steps before it, or as many seasons as it takes to lie within the window.
    """
    zero_(linear)
    window = linear.in_features
    weight = torch.zeros_like(linear.weight)
    for k in range(linear.out_features if season else 0):
        weight[k, window - season + k % season] = 1.0
    linear.add_(weight, torch.zeros_like(linear.bias))
    return linear
