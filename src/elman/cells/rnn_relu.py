"""The Elman recurrence with relu."""

from elman.cells.cell import Cell
from elman.ops import relu


class RNNReLU(Cell):
    r"""Elman network with relu, as in `torch.nn.RNN(nonlinearity="relu")`.

    .. math::
        h_t = \max(0, W x_t + b_{ih} + U h_{t-1} + b_{hh})

    ======  ===============  ==========  ==========
    symbol  parameter        shape       gate order
    ======  ===============  ==========  ==========
    W       `weight_ih_l0`   (H, I)      h
    b_ih    `bias_ih_l0`     (H,)        h
    U       `weight_hh_l0`   (H, H)      h
    b_hh    `bias_hh_l0`     (H,)        h
    ======  ===============  ==========  ==========

    State: `h` (B, H).

    Not the IRNN by itself: that is this cell with `elman.init.identity_` on U and zero biases.

    Source: Le, Jaitly and Hinton, "A simple way to initialize recurrent networks of rectified
    linear units" (2015), section 2.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(RNNReLU, 3, 5)(torch.zeros(2, 7, 3))
        >>> bool((y >= 0).all())
        True
    """

    gates = ("h",)

    def update(x, u, s, p):
        return relu(x.h + u.h)
