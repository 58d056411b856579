"""Missing inputs, filled with values that decay towards their means."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman import init

__all__ = ["InputDecay"]


class Seen(NamedTuple):
    """The last value of each variable, and the time since."""

    last: Float[Tensor, "B D"]
    gap: Float[Tensor, "B D"]


class InputDecay(nn.Module):
    r"""The input of GRU-D: what is missing decays from the last value seen to the mean.

    .. math::
        \delta_t &= \text{time since each variable was last seen} \\
        \gamma_t &= \exp(-\max(0, w \odot \delta_t + b)) \\
        \hat x_t &= x_t \text{ where seen, else }
            \gamma_t \odot x_{last} + (1 - \gamma_t) \odot \bar x

    A step takes (B, D + 1): D values, NaN where missing, and the time since the row before. It
    gives (B, 2D + H): the filled values, 1 where a value was seen and 0 elsewhere, and V delta_t,
    the gap of each unit of the `GRUD` on top.

    Args:
        features: D.
        hidden_size: H of the layer on top.
        mean: (D,), what values decay to; default 0, right for standardised data.

    Source: Che et al., "Recurrent neural networks for multivariate time series with missing
    values", Scientific Reports 8 (2018), methods, "GRU-D".

    Example:
        >>> import torch
        >>> from elman.nn import InputDecay, Recurrent
        >>> front, layer = Recurrent(InputDecay(4, 16)), Recurrent("GRUD", 2 * 4, 16)
        >>> values = torch.randn(2, 7, 4).masked_fill(torch.rand(2, 7, 4) < 0.5, torch.nan)
        >>> z, _ = front(torch.cat([values, torch.rand(2, 7, 1)], -1), lengths=[7, 5])
        >>> y, state = layer(z[..., :8], dt=z[..., 8:], lengths=[7, 5])
        >>> y.shape
        torch.Size([2, 7, 16])
    """

    mean: Tensor

    def __init__(self, features: int, hidden_size: int, mean: Tensor | None = None) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("mean", torch.zeros(features) if mean is None else mean.clone())
        self.decay_w = nn.Parameter(torch.empty(features))
        self.decay_b = nn.Parameter(torch.zeros(features))
        self.weight_gap = nn.Parameter(torch.full((hidden_size, features), 1 / features))
        init.log_uniform(0.01, 1.0)(self.decay_w)

    def initial_state(self, batch: int) -> Seen:
        """Nothing seen: the means, and no time since."""
        last = self.mean.expand(batch, -1)
        return Seen(last, torch.zeros_like(last))

    def step(self, x: Float[Tensor, "B D1"], state: Seen) -> tuple[Float[Tensor, "B O"], Seen]:
        """One row of each series."""
        values, gap = x[:, : self.features], state.gap + x[:, self.features :]
        seen = ~values.isnan()
        keep = torch.exp(-torch.relu(self.decay_w * gap + self.decay_b))
        filled = torch.where(seen, values, keep * state.last + (1 - keep) * self.mean)
        y = torch.cat([filled, seen.to(x.dtype), gap @ self.weight_gap.T], -1)
        last = torch.where(seen, values, state.last)
        return y, Seen(last, gap.masked_fill(seen, 0.0))
