"""Quantiles beside a forecast, and the loss that they and the forecast are trained by."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from elman.nn.baselines import zero_

if TYPE_CHECKING:
    from elman.nn.builder import Builder, Value

_DISTANCE = {"mae": "l1_loss", "huber": "huber_loss", "mse": "mse_loss"}


class Spread(nn.Module):
    """How far each quantile lies from the forecast, a segment at a time; ascending by construction.

    Quantiles below the middle lie below the forecast and those above it above, each beyond the one
    before by a distance that is never negative. One of 0.5 is the forecast itself.

    Args:
        size: units that it sees.
        segment: steps of a segment.
        quantiles: probabilities, ascending, above 0 and below 1.

    Example:
        >>> Spread(8, 6, (0.1, 0.5, 0.9))(torch.randn(2, 4, 8)).shape
        torch.Size([2, 4, 6, 3])
    """

    def __init__(self, size: int, segment: int, quantiles: tuple[float, ...]) -> None:
        super().__init__()
        if list(quantiles) != sorted(set(quantiles)) or not all(0 < q < 1 for q in quantiles):
            raise ValueError(
                f"quantiles must ascend, above 0 and below 1; got {quantiles}; sort them"
            )
        self.segment, self.count = segment, len(quantiles)
        self.below = sum(q < 0.5 for q in quantiles)
        self.middle = sum(q == 0.5 for q in quantiles)
        self.head = zero_(nn.Linear(size, segment * (self.count - self.middle)))

    def forward(self, decoded: Tensor) -> Tensor:
        """From what was decoded (B, segments, O) to distances (B, segments, S, Q)."""
        steps = nn.functional.softplus(self.head(decoded))
        steps = steps.reshape(*steps.shape[:-1], self.segment, -1)
        lower = -steps[..., : self.below].flip(-1).cumsum(-1).flip(-1)
        upper = steps[..., self.below :].cumsum(-1)
        return torch.cat([lower, upper.new_zeros(*upper.shape[:-1], self.middle), upper], -1)

    def lower(self, b: "Builder", decoded: "Value") -> "Value":
        """Distances (segments, S, Q) as operations of a program: the sums as a product."""
        steps = b.apply("softplus", b.lower(self.head, decoded, name="head"))
        ends = self.count - self.middle
        sums = torch.zeros(self.count, ends, dtype=self.head.weight.dtype)
        for k in range(self.below):
            sums[k, k : self.below] = -1.0
        for k in range(self.below, ends):
            sums[k + self.middle, self.below : k + 1] = 1.0
        return b.linear(
            b.reshape(steps, int(steps.shape[0]), self.segment, ends), sums, names=("sums", "")
        )


def objective(
    made: Tensor, y: Tensor, weight: Tensor, kind: str, quantiles: tuple[float, ...]
) -> Tensor:
    """The mean loss of forecasts (B, K), or with quantiles (B, K, 1 + Q), for the truth (B, K).

    The loss named `kind`, and the pinball loss of the quantiles; each row counts by its `weight`
    (B,).
    """
    distance = getattr(nn.functional, _DISTANCE[kind])
    value = made if made.dim() == 2 else made[..., 0]
    each: Tensor = distance(value, y, reduction="none")
    if made.dim() == 3:
        each = each + pinball(made[..., 1:], y, quantiles)
    return (each * weight[:, None]).mean()


def pinball(made: Tensor, y: Tensor, quantiles: tuple[float, ...]) -> Tensor:
    """The pinball loss (B, K) of quantiles (B, K, Q), averaged over them."""
    at = made.new_tensor(quantiles)
    off = y[..., None] - made
    return torch.maximum(at * off, (at - 1) * off).mean(-1)
