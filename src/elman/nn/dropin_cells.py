"""`torch.nn.RNNCell`, `LSTMCell` and `GRUCell` with a choice of engine: one step at a time."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman import cells
from elman.cells import Cell
from elman.engine import Call, Weights, forced_engine, run
from elman.nn.sequence import check_kind

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]

State = Tensor | tuple[Tensor, Tensor]

ATEN: dict[type[Cell], Callable[..., Any]] = {
    cells.RNN: torch.rnn_tanh_cell,
    cells.RNNReLU: torch.rnn_relu_cell,
    cells.GRU: torch.gru_cell,
    cells.LSTM: torch.lstm_cell,
}


class DropInCell(nn.RNNCellBase):
    """What the three share. Overrides nothing of torch's but `forward`."""

    @property
    def cell(self) -> type[Cell]:
        """The recurrence that this layer runs."""
        raise TypeError(f"{type(self).__name__} names no cell")

    def forward(self, input: Float[Tensor, "... I"], hx: State | None = None) -> Any:
        """One step.

        Args:
            input: (B, I), or (I,) for a single row.
            hx: the state before, (B, H) or (H,), zeros where it is None; a pair (h, c) for an LSTM.

        Returns:
            The state after, in the form of hx.
        """
        one = input.dim() == 1
        x, state = self._prepare(input, hx)
        lstm = self.cell is cells.LSTM
        new: Any
        if forced_engine() in (None, "torch"):
            given = state if lstm else state[0]
            found = ATEN[self.cell](
                x, given, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
            )
            new = found if lstm else (found,)
        else:
            new = run(self._call(x, state)).state
        new = tuple(s[0] for s in new) if one else tuple(new)
        return new if lstm else new[0]

    def first_call(self, input: Float[Tensor, "... I"], hx: State | None = None) -> Call:
        """What `forward` with these arguments asks of an engine, as a sequence of one step."""
        return self._call(*self._prepare(input, hx))

    def _call(self, x: Tensor, state: tuple[Tensor, ...]) -> Call:
        weights = Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return Call(self.cell, x[:, None], self.cell.State(*state), weights)

    def _prepare(self, input: Tensor, hx: Any) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Input (B, I) and state (B, H) each, checked."""
        if input.dim() not in (1, 2) or input.shape[-1] != self.input_size:
            raise ValueError(
                f"input must be (batch, input_size={self.input_size}) or ({self.input_size},), "
                f"got {tuple(input.shape)}"
            )
        check_kind("input", input, self.weight_ih)
        rows = input.shape[:-1]
        x = input if rows else input[None]
        names = self.cell.state
        if hx is None:
            return x, (x.new_zeros(x.shape[0], self.hidden_size),) * len(names)
        given = hx if len(names) > 1 else (hx,)
        if not isinstance(given, tuple | list) or len(given) != len(names):
            raise TypeError(f"hx must be a pair (h, c) of tensors, got {type(given).__name__}")
        wanted = (*rows, self.hidden_size)
        for name, leaf in zip(names, given, strict=True):
            if leaf.shape != wanted:
                raise ValueError(f"hx: {name} must be {wanted}, got {tuple(leaf.shape)}")
        return x, tuple(given) if rows else tuple(leaf[None] for leaf in given)


class RNNCell(DropInCell, nn.RNNCell):
    """One step of an Elman network: `torch.nn.RNNCell`, in the engine of choice.

    Arguments, initialisation, names and numbers are those of `torch.nn.RNNCell`.

    Example:
        >>> import torch, elman
        >>> elman.nn.RNNCell(3, 5, nonlinearity="relu")(torch.randn(2, 3)).shape
        torch.Size([2, 5])
    """

    @property
    def cell(self) -> type[Cell]:
        """`elman.cells.RNN` or `RNNReLU`."""
        known = {"tanh": cells.RNN, "relu": cells.RNNReLU}
        if self.nonlinearity not in known:
            raise ValueError(f"nonlinearity: must be 'tanh' or 'relu', got {self.nonlinearity!r}")
        return known[self.nonlinearity]


class LSTMCell(DropInCell, nn.LSTMCell):
    """One step of an LSTM: `torch.nn.LSTMCell`, in the engine of choice.

    Arguments, initialisation, names and numbers are those of `torch.nn.LSTMCell`.

    Example:
        >>> import torch, elman
        >>> h, c = elman.nn.LSTMCell(3, 5)(torch.randn(2, 3))
        >>> h.shape, c.shape
        (torch.Size([2, 5]), torch.Size([2, 5]))
    """

    @property
    def cell(self) -> type[Cell]:
        """`elman.cells.LSTM`."""
        return cells.LSTM


class GRUCell(DropInCell, nn.GRUCell):
    """One step of a GRU: `torch.nn.GRUCell`, in the engine of choice.

    Arguments, initialisation, names and numbers are those of `torch.nn.GRUCell`.

    Example:
        >>> import torch, elman
        >>> elman.nn.GRUCell(3, 5)(torch.randn(3), torch.zeros(5)).shape
        torch.Size([5])
    """

    @property
    def cell(self) -> type[Cell]:
        """`elman.cells.GRU`."""
        return cells.GRU
