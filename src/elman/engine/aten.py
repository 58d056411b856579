"""The torch engine: ATen's own LSTM, GRU and RNN, which are oneDNN's on a CPU and cuDNN's on CUDA.

Lengths need no packing. Outputs and h are masked and gathered. LSTM's c, which ATen returns for
the last step alone, is frozen from a row's end on: one more column of the input, 1 on padding, has
weight -1e4 into the input gate and +1e4 into the forget gate, so that c = 1 * c + 0 * g, exactly.
"""

from typing import Any, cast

import torch
from torch import Tensor

from elman.cells import GRU, LSTM, RNN, Cell, RNNReLU
from elman.engine.call import Call, Result, Weights, carried

FROZEN = 1e4
"""sigmoid(1e4) is 1 and sigmoid(-1e4) is 0 in every floating dtype, half precision included."""

CELLS: dict[type[Cell], Any] = {
    RNN: torch.rnn_tanh,
    RNNReLU: torch.rnn_relu,
    GRU: torch.gru,
    LSTM: torch.lstm,
}

STEPS: dict[type[Cell], Any] = {
    RNN: torch.rnn_tanh_cell,
    RNNReLU: torch.rnn_relu_cell,
    GRU: torch.gru_cell,
    LSTM: torch.lstm_cell,
}
"""The same for one step, without what a loop over time needs."""


def run(call: Call) -> Result:
    """Outputs and final state of one of the four cells that ATen has."""
    x = _flip(call, call.x) if call.reverse else call.x
    weights, valid = call.weights, call.valid
    if valid is not None and call.cell is LSTM:
        x, weights = _with_padding_column(x, valid, weights)
    output, final = _aten(call.cell, x, call.state, weights)
    if valid is not None:
        output = output.masked_fill(~valid[..., None], 0.0)
        final = (_gather_last(call, output), *final[1:])
    if call.reverse:
        output = _flip(call, output)
    end = call.cell.State(*final)
    states = carried(call, call.cell.State(output), end) if call.states else None
    return Result(output, end, states)


def _aten(cell: type[Cell], x: Tensor, state: Any, w: Weights) -> tuple[Tensor, tuple[Tensor, ...]]:
    if is_step(x, w):
        final = step(cell, x[:, 0], state, w.dense())
        return final[0][:, None], final
    first = tuple(s.unsqueeze(0) for s in state)
    # Dropout is 0, so only cuDNN reads `train`, for its reserve.
    train = torch.is_grad_enabled()
    output, final = stack(cell, x, first, w.dense(), bias=w.bias_ih is not None, train=train)
    return output, tuple(t.squeeze(0) for t in final)


def step(cell: type[Cell], x: Tensor, state: Any, weights: list[Tensor]) -> tuple[Tensor, ...]:
    """The new state, whose first tensor is the output, of one step: x (B, I)."""
    found = STEPS[cell](x, state if cell is LSTM else state[0], *weights)
    return tuple(found) if cell is LSTM else (found,)


def is_step(x: Tensor, w: Weights) -> bool:
    """Whether this is one step of what ATen has a step of, without a graph."""
    plain = x.shape[1] == 1 and x.device.type == "cpu" and w.weight_hr is None
    return plain and not torch.is_grad_enabled() and not torch.compiler.is_compiling()


def stack(
    cell: type[Cell],
    x: Tensor,
    first: tuple[Tensor, ...],
    weights: list[Tensor],
    *,
    bias: bool,
    train: bool,
    layers: int = 1,
    dropout: float = 0.0,
    bidirectional: bool = False,
    batch_first: bool = True,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """ATen's layers, one or several: states (L*D, B, H), weights in torch's order."""
    states = tuple(s.contiguous() for s in first)
    if torch.compiler.is_compiling() and cell is LSTM:
        x = _with_gradient(x, weights[0])
    output, *final = CELLS[cell](
        x,
        states if cell is LSTM else states[0],
        weights,
        bias,
        layers,
        dropout,
        train,
        bidirectional,
        batch_first,
    )
    return output, tuple(final)


def packed_stack(
    cell: type[Cell],
    data: Tensor,
    batch_sizes: Tensor,
    first: tuple[Tensor, ...],
    weights: list[Tensor],
    *,
    bias: bool,
    train: bool,
    layers: int,
    dropout: float,
    bidirectional: bool,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same over the data of a PackedSequence."""
    states = first if cell is LSTM else first[0]
    output, *final = CELLS[cell](
        data, batch_sizes, states, weights, bias, layers, dropout, train, bidirectional
    )
    return output, tuple(final)


def _with_gradient(x: Tensor, weight_ih: Tensor) -> Tensor:
    """x as something that needs a gradient where the weights do: no columns of a weight are added.

    Without it, oneDNN's LSTM saves an undefined tensor, and torch.compile fails (torch 2.13).
    """
    if x.requires_grad or not weight_ih.requires_grad or not torch.is_grad_enabled():
        return x
    return torch.cat([x, weight_ih[0, :0].expand(*x.shape[:-1], 0)], -1)


def _with_padding_column(x: Tensor, valid: Tensor, w: Weights) -> tuple[Tensor, Weights]:
    padding = (~valid).to(x.dtype)[..., None]
    hidden = w.weight_ih.shape[0] // 4
    column = w.weight_ih.new_tensor([-FROZEN, FROZEN, 0.0, 0.0]).repeat_interleave(hidden)
    wide = torch.cat([w.weight_ih, column[:, None]], 1)
    return torch.cat([x, padding], -1), Weights(
        wide, w.weight_hh, w.bias_ih, w.bias_hh, w.weight_hr, w.params
    )


def _gather_last(call: Call, output: Tensor) -> Tensor:
    """h after each row's last step; the first state for a row of length 0."""
    lengths = cast(Tensor, call.lengths)
    last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, output.shape[2])
    ends = output.gather(1, last.to(torch.int64)).squeeze(1)
    return torch.where(lengths[:, None] > 0, ends, call.state[0])


def _flip(call: Call, x: Tensor) -> Tensor:
    """Each row backwards within its length; what lies beyond stays where it is."""
    if call.lengths is None:
        return x.flip(1)
    t = torch.arange(x.shape[1], device=x.device)
    within = t < call.lengths[:, None]
    index = torch.where(within, call.lengths[:, None] - 1 - t, t)
    return x.gather(1, index[..., None].expand_as(x).to(torch.int64))
