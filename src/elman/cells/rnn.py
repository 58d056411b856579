"""The Elman recurrence with tanh."""

from elman.cells.cell import Cell
from elman.ops import tanh


class RNN(Cell):
    r"""Elman network with tanh, as in `torch.nn.RNN(nonlinearity="tanh")`.

    .. math::
        h_t = \tanh(W x_t + b_{ih} + U h_{t-1} + b_{hh})

    ======  ===============  ==========  ==========
    symbol  parameter        shape       gate order
    ======  ===============  ==========  ==========
    W       `weight_ih_l0`   (H, I)      h
    b_ih    `bias_ih_l0`     (H,)        h
    U       `weight_hh_l0`   (H, H)      h
    b_hh    `bias_hh_l0`     (H,)        h
    ======  ===============  ==========  ==========

    State: `h` (B, H).

    Not the Jordan network, whose context is the output; and not the relu variant (`RNNReLU`).

    Source: Elman, "Finding structure in time", Cognitive Science 14 (1990), section 3.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(RNN, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape, state[0].h.shape
        (torch.Size([2, 7, 5]), torch.Size([2, 5]))
    """

    gates = ("h",)

    def update(x, u, s, p):
        return tanh(x.h + u.h)
