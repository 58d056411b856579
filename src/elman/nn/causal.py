"""A convolution over time that looks at the past alone."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.nn.options import positive

__all__ = ["CausalConv1d"]


class CausalConv1d(nn.Module):
    r"""A convolution over the last steps: nothing later enters.

    .. math::
        y_t = b + \sum_{k=0}^{K-1} w_k \, x_{t - (K - 1 - k) d}, \quad x_t = 0 \text{ for } t < 0

    Weights lie as in `torch.nn.Conv1d`, which gives the same behind (K - 1) d zeros; sequences lie
    as in every layer here, (B, T, I). Its state is the last (K - 1) d inputs.

    Args:
        input_size: I.
        output_size: O.
        kernel_size: K, taps.
        dilation: d, steps between taps.
        bias: whether b is added.

    Example:
        >>> import torch
        >>> layer = CausalConv1d(3, 5, kernel_size=4, dilation=2)
        >>> x = torch.randn(2, 7, 3)
        >>> y, state = layer.step(x[:, 0], layer.initial_state(2))
        >>> layer(x).shape, torch.allclose(layer(x)[:, 0], y, atol=1e-6)
        (torch.Size([2, 7, 5]), True)
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        kernel_size: int,
        dilation: int = 1,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.input_size = positive("input_size", input_size)
        self.kernel_size = positive("kernel_size", kernel_size)
        self.dilation = positive("dilation", dilation)
        shape = (positive("output_size", output_size), input_size, kernel_size)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        kind = {"device": device, "dtype": dtype}
        self.bias = nn.Parameter(torch.empty(output_size, **kind)) if bias else None  # type: ignore[arg-type]
        self.reset_parameters()

    @property
    def past(self) -> int:
        """How many inputs before a step it looks at: (K - 1) d."""
        return (self.kernel_size - 1) * self.dilation

    def reset_parameters(self) -> None:
        """Initialise anew, as torch.nn.Conv1d does."""
        bound = 1 / math.sqrt(self.input_size * self.kernel_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def initial_state(self, batch: int) -> Float[Tensor, "B K I"]:
        """Zeros for the inputs before the first (B, (K - 1) d, I)."""
        return self.weight.new_zeros(batch, self.past, self.input_size)

    def forward(self, x: Float[Tensor, "B T I"]) -> Float[Tensor, "B T O"]:
        """All steps: (B, T, I) -> (B, T, O)."""
        if x.dim() != 3 or x.shape[2] != self.input_size:
            raise ValueError(
                f"x must be (batch, time, input_size={self.input_size}), got {tuple(x.shape)}"
            )
        return self._convolve(torch.cat([self.initial_state(x.shape[0]), x], 1))

    def step(
        self, x: Float[Tensor, "B I"], state: Float[Tensor, "B K I"]
    ) -> tuple[Float[Tensor, "B O"], Float[Tensor, "B K I"]]:
        """One step: x (B, I) and the inputs before it to y (B, O) and the inputs now."""
        whole = torch.cat([state, x[:, None]], 1)
        return self._convolve(whole)[:, 0], whole[:, 1:]

    def _convolve(self, whole: Tensor) -> Tensor:
        if whole.shape[1] <= self.past:
            return whole.new_zeros(whole.shape[0], 0, self.weight.shape[0])
        turned = whole.transpose(1, 2)
        found = nn.functional.conv1d(turned, self.weight, self.bias, dilation=self.dilation)
        return found.transpose(1, 2)

    def lower(self, builder: Any, x: Any) -> Any:
        """The same in a program."""
        builder.lies("batch first", self)
        return builder.conv(x, self.weight, self.bias, self.dilation)

    def extra_repr(self) -> str:
        """What `print` shows."""
        out, into, taps = self.weight.shape
        return f"{into}, {out}, kernel_size={taps}, dilation={self.dilation}"
