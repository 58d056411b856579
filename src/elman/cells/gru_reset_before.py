"""Gated recurrent unit, reset before the product."""

from elman.cells.cell import Cell
from elman.ops import sigmoid, tanh


class GRUResetBefore(Cell):
    r"""Gated recurrent unit with the reset gate before the product: the textbook form.

    .. math::
        r_t &= \sigma(W_r x_t + b_{ir} + U_r h_{t-1} + b_{hr}) \\
        z_t &= \sigma(W_z x_t + b_{iz} + U_z h_{t-1} + b_{hz}) \\
        n_t &= \tanh(W_n x_t + b_{in} + U_n (r_t \odot h_{t-1}) + b_{hn}) \\
        h_t &= n_t + z_t \odot (h_{t-1} - n_t)

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (3H, I)  r z n
    b_ih    `bias_ih_l0`    (3H,)    r z n
    U       `weight_hh_l0`  (3H, H)  r z n
    b_hh    `bias_hh_l0`    (3H,)    r z n
    ======  ==============  =======  ==========

    State: `h` (B, H).

    Not `torch.nn.GRU` and cuDNN, where the reset gate multiplies what U has made of h (`GRU`):
    weights of one are no good in the other. As in the source, an open z keeps the old state.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation" (2014), equations 5 to 8.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(GRUResetBefore, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("r", "z", "n")
    forget_gate = "z"

    def update(x, u, s, p):
        r = sigmoid(x.r + u.r)
        z = sigmoid(x.z + u.z)
        n = tanh(x.n + u.n(r * s.h))
        return n + z * (s.h - n)
