"""From a sequence to one vector: its last step, or a pool of all."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.nn.sequence import as_lengths

__all__ = ["Last", "Pool"]


class _Over(nn.Module):
    """What the two share: they take what a recurrent layer returns."""

    def __init__(self, *, batch_first: bool = True) -> None:
        super().__init__()
        self.batch_first = batch_first

    def _sequence(self, y: Any) -> Tensor:
        """(B, T, F) of y, or of the pair (y, state) that a recurrent layer returns."""
        found = y[0] if isinstance(y, tuple) else y
        if not isinstance(found, Tensor) or found.dim() != 3:
            axes = "(batch, time, F)" if self.batch_first else "(time, batch, F)"
            came = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"y must be {axes}, or (y, state); got {came}")
        return found if self.batch_first else found.transpose(0, 1)

    def _value(self, builder: Any, y: Any) -> Any:
        builder.lies("batch first" if self.batch_first else "time first", self)
        return y[0] if type(y) is tuple else y

    def extra_repr(self) -> str:
        """What `print` shows."""
        return "" if self.batch_first else "batch_first=False"


class Last(_Over):
    """The last valid step of a sequence: what `y[:, -1]` means, right for unequal lengths too.

    Takes y (B, T, F), or the pair (y, state) that a recurrent layer returns, so that it can stand
    behind one in `nn.Sequential`. Of a layer in both directions it takes what stands at the last
    step, where the backward direction has seen one input: `Pool`, or `layer.last(state)`, has more.

    Args:
        batch_first: False where y is (T, B, F), as torch's layers return it unless told otherwise.

    Example:
        >>> import torch, elman
        >>> model = torch.nn.Sequential(
        ...     torch.nn.LSTM(3, 5, batch_first=True), elman.nn.Last(), torch.nn.Linear(5, 2)
        ... )
        >>> model(torch.zeros(4, 7, 3)).shape
        torch.Size([4, 2])
    """

    def forward(
        self, y: Any, lengths: Tensor | Sequence[int] | None = None
    ) -> Float[Tensor, "B F"]:
        """From (B, T, F) to (B, F); zeros for rows without steps."""
        x = self._sequence(y)
        valid = as_lengths(lengths, x)
        if not x.shape[1]:
            return x.new_zeros(x.shape[0], x.shape[2])
        if valid is None:
            return x[:, -1]
        at = (valid - 1).clamp(min=0)[:, None, None].expand(-1, 1, x.shape[2])
        return x.gather(1, at)[:, 0].masked_fill((valid == 0)[:, None], 0.0)

    def lower(self, builder: Any, y: Any) -> Any:
        """The same in a program; in one that judges after each step, each step."""
        return builder.last(self._value(builder, y))


class Pool(_Over):
    """The largest or the mean value of each feature over the valid steps of a sequence.

    Args:
        how: "max" or "mean".
        batch_first: False where y is (T, B, F).

    Example:
        >>> import torch
        >>> y = torch.tensor([[[1.0], [5.0], [3.0]]])
        >>> Pool("mean")(y), Pool("max")(y, lengths=[1])
        (tensor([[3.]]), tensor([[1.]]))
    """

    def __init__(self, how: str, *, batch_first: bool = True) -> None:
        super().__init__(batch_first=batch_first)
        if how not in ("max", "mean"):
            raise ValueError(f"how must be 'max' or 'mean', got {how!r}")
        self.how = how

    def forward(
        self, y: Any, lengths: Tensor | Sequence[int] | None = None
    ) -> Float[Tensor, "B F"]:
        """From (B, T, F), or (y, state), to (B, F); zeros for rows without steps."""
        x = self._sequence(y)
        steps = x.shape[1]
        whole = as_lengths(lengths, x)
        if whole is None:
            whole = torch.full((x.shape[0],), steps, device=x.device)
        beyond = (torch.arange(steps, device=x.device) >= whole[:, None])[..., None]
        count = whole[:, None]
        if self.how == "mean":
            return x.masked_fill(beyond, 0.0).sum(1) / count.clamp(min=1)
        if not steps:
            return x.new_zeros(x.shape[0], x.shape[2])
        return x.masked_fill(beyond, -torch.inf).amax(1).masked_fill(count == 0, 0.0)

    def lower(self, builder: Any, y: Any) -> Any:
        """The same in a program; in one that judges after each step, the pool so far."""
        return builder.pool(self._value(builder, y), self.how)

    def extra_repr(self) -> str:
        """What `print` shows."""
        return ", ".join(filter(None, [repr(self.how), super().extra_repr()]))
