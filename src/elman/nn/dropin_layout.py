"""How the drop-ins' arguments lie: torch's layouts outside, batch-major (B, T, I) inside."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence

from elman.nn.sequence import as_lengths, clear


class Padded:
    """A tensor: (T, B, I), or (B, T, I) where `batch_first`, or (T, I) for one sequence."""

    def __init__(
        self,
        input: Tensor,
        batch_first: bool,
        lengths: Tensor | Sequence[int] | None = None,
    ) -> None:
        self.batched = input.dim() == 3
        self.state_axes = 3 if self.batched else 2
        self.time_first = self.batched and not batch_first
        whole = self._turn(input if self.batched else input[None])
        self.lengths = as_lengths(lengths, whole)
        x = clear(whole, self.lengths)
        # Time comes first in memory, and so it does in that of the output, as torch's layers do.
        self.x = x.transpose(0, 1).contiguous().transpose(0, 1)

    def _turn(self, y: Tensor) -> Tensor:
        return y.transpose(0, 1) if self.time_first else y

    def dropout(self, y: Tensor, p: float) -> Tensor:
        """Dropout as torch draws it: over (T, B, O) in that order, whatever the layout outside."""
        return dropout(y.transpose(0, 1).contiguous(), p).transpose(0, 1)

    def output(self, y: Tensor) -> Tensor:
        """(B, T, O) in the layout that came."""
        return self._turn(y) if self.batched else y[0]

    def state_in(self, s: Tensor) -> Tensor:
        """A state that was passed in, as (L*D, B, H)."""
        return s if self.batched else s.unsqueeze(1)

    def state_out(self, s: Tensor) -> Tensor:
        """The same way back."""
        return s if self.batched else s.squeeze(1)


class Packed:
    """A `PackedSequence`: its rows, longest first, become rows with lengths."""

    state_axes = 3

    def __init__(self, input: PackedSequence) -> None:
        data, sizes, self.order, self.back = input
        self.sizes = sizes
        steps, batch = len(sizes), int(sizes[0])
        within = torch.arange(batch) < sizes[:, None]  # (T, B), on the CPU as `sizes` is
        self.lengths = within.sum(0).to(data.device)
        # Where each row of `data` lies in (T, B, I), seen as T*B rows.
        self.places = within.flatten().nonzero()[:, 0].to(data.device)
        self.shape = (steps, batch)
        self.x = self._pad(data)

    def _pad(self, data: Tensor) -> Tensor:
        steps, batch = self.shape
        room = data.new_zeros(steps * batch, data.shape[1])
        return room.index_copy(0, self.places, data).view(steps, batch, -1).transpose(0, 1)

    def _pack(self, y: Tensor) -> Tensor:
        return y.transpose(0, 1).flatten(0, 1).index_select(0, self.places)

    def dropout(self, y: Tensor, p: float) -> Tensor:
        """Dropout as torch draws it: over the packed data."""
        return self._pad(dropout(self._pack(y), p))

    def output(self, y: Tensor) -> PackedSequence:
        """(B, T, O) packed as the input was."""
        return PackedSequence(self._pack(y), self.sizes, self.order, self.back)

    def state_in(self, s: Tensor) -> Tensor:
        """A state in the caller's order of rows, in the order of the packed ones."""
        return s if self.order is None else s.index_select(1, self.order)

    def state_out(self, s: Tensor) -> Tensor:
        """The same way back."""
        return s if self.back is None else s.index_select(1, self.back)


def arrange(
    input: Any,
    batch_first: bool,
    input_size: int,
    lengths: Tensor | Sequence[int] | None,
    reset: Tensor | None,
) -> Padded | Packed:
    """The layout of an input, its shape checked."""
    if isinstance(input, PackedSequence):
        if lengths is not None or reset is not None:
            name = "reset" if lengths is None else "lengths"
            raise ValueError(
                f"{name}: goes with a tensor, and the input is a PackedSequence, which has lengths "
                "of its own; pass the padded tensor with lengths= (and reset=) instead"
            )
        _check_shape("input.data", input.data, 2, "rows", input_size)
        return Packed(input)
    axes = 2 if input.dim() == 2 else 3
    before = "time" if axes == 2 else "batch, time" if batch_first else "time, batch"
    _check_shape("input", input, axes, before, input_size)
    return Padded(input, batch_first, lengths)


def _check_shape(name: str, x: Tensor, axes: int, before: str, size: int) -> None:
    if x.dim() != axes or x.shape[-1] != size:
        raise ValueError(f"{name} must be ({before}, input_size={size}), got {tuple(x.shape)}")
