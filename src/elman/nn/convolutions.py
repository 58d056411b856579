"""A stack of causal convolutions: a network that sees a fixed number of steps."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.nn.causal import CausalConv1d

WIDTH = 3  # steps that one convolution joins


class CausalStack(nn.Module):
    """Dilated convolutions, each twice as wide as the one before, with residual connections.

    The output of a step depends on the last `reach` steps, itself among them, and on none after.
    After Bai, Kolter and Koltun, "An empirical evaluation of generic convolutional and recurrent
    networks for sequence modeling" (2018), with one convolution a level.

    Args:
        input_size: I.
        hidden_size: H, channels of each level.
        steps: what it is to reach back at least; it says how many levels there are.
        dropout: share of a level's output dropped in training.

    Example:
        >>> layer = CausalStack(3, 8, steps=20)
        >>> layer(torch.zeros(2, 20, 3)).shape, layer.reach
        (torch.Size([2, 20, 8]), 31)
    """

    def __init__(self, input_size: int, hidden_size: int, steps: int, dropout: float = 0.0) -> None:
        super().__init__()
        if steps < 1:
            raise ValueError(f"steps must be 1 or more; got {steps}; say how far it is to see")
        # Levels 0 to n - 1 reach back 2 ** (n + 1) - 2 steps.
        levels = max(1, (steps // 2).bit_length())
        self.lift = nn.Linear(input_size, hidden_size)
        self.levels = nn.ModuleList(
            CausalConv1d(hidden_size, hidden_size, WIDTH, 2**k) for k in range(levels)
        )
        self.dropout = nn.Dropout(dropout)

    @property
    def reach(self) -> int:
        """Steps that an output depends on."""
        return 1 + (WIDTH - 1) * ((1 << len(self.levels)) - 1)

    def forward(self, x: Float[Tensor, "B T I"]) -> Float[Tensor, "B T H"]:
        """What stands before the first step is zero."""
        y: Tensor = self.lift(x)
        for level in self.levels:
            y = y + self.dropout(torch.relu(level(y)))
        return y
