"""Light gated recurrent unit."""

from elman.cells.cell import Cell
from elman.ops import relu, sigmoid


class LiGRU(Cell):
    r"""Light gated recurrent unit: a GRU with relu and without a reset gate.

    .. math::
        z_t &= \sigma(W_z x_t + b_{iz} + U_z h_{t-1} + b_{hz}) \\
        n_t &= \max(0, W_n x_t + b_{in} + U_n h_{t-1} + b_{hn}) \\
        h_t &= z_t \odot h_{t-1} + (1 - z_t) \odot n_t

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (2H, I)  z n
    b_ih    `bias_ih_l0`    (2H,)    z n
    U       `weight_hh_l0`  (2H, H)  z n
    b_hh    `bias_hh_l0`    (2H,)    z n
    ======  ==============  =======  ==========

    State: `h` (B, H).

    Not with the batch normalisation of W x that the source puts in: a cell sees one step. Normalise
    what enters a layer (`layer_norm=True` does so between layers), for relu has no bound of its
    own.

    Source: Ravanelli, Brakel, Omologo and Bengio, "Light gated recurrent units for speech
    recognition", IEEE Transactions on Emerging Topics in Computational Intelligence 2 (2018),
    section III.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(LiGRU, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("z", "n")
    forget_gate = "z"

    def update(x, u, s, p):
        z = sigmoid(x.z + u.z)
        n = relu(x.n + u.n)
        return n + z * (s.h - n)
