"""The torch engine: ATen's own LSTM, GRU and RNN, which are oneDNN's on a CPU and cuDNN's on CUDA.

Lengths need no packing. Outputs and h are masked and gathered. LSTM's c, which ATen returns for
the last step alone, is frozen from a row's end on: one more column of the input, 1 on padding, has
weight -1e4 into the input gate and +1e4 into the forget gate, so that c = 1 * c + 0 * g, exactly.
"""

from typing import Any, cast

import torch
from torch import Tensor

from elman.cells import GRU, LSTM, RNN, Cell, RNNReLU
from elman.engine.call import Call, Result, Weights

FROZEN = 1e4
"""sigmoid(1e4) is 1 and sigmoid(-1e4) is 0 in every floating dtype, half precision included."""

CELLS: dict[type[Cell], Any] = {
    RNN: torch.rnn_tanh,
    RNNReLU: torch.rnn_relu,
    GRU: torch.gru,
    LSTM: torch.lstm,
}


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
    states = call.cell.State(output) if call.states else None
    return Result(output, call.cell.State(*final), states)


def _aten(cell: type[Cell], x: Tensor, state: Any, w: Weights) -> tuple[Tensor, tuple[Tensor, ...]]:
    flat = [w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh, w.weight_hr]
    given = [t for t in flat if t is not None]
    first = tuple(s.unsqueeze(0).contiguous() for s in state)
    output, *final = CELLS[cell](
        x,
        first if cell is LSTM else first[0],
        given,
        w.bias_ih is not None,
        1,  # layers
        0.0,  # dropout
        torch.is_grad_enabled(),  # train: dropout is 0, so only cuDNN reads it, for its reserve
        False,  # bidirectional
        True,  # batch first
    )
    return output, tuple(t.squeeze(0) for t in final)


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
