"""Gated recurrent unit that decays with time."""

from elman import init
from elman.cells.cell import Cell
from elman.ops import exp, relu, sigmoid, tanh


class GRUD(Cell):
    r"""Gated recurrent unit whose state decays with the time between steps (GRU-D).

    .. math::
        \hat h_t &= \exp(-\max(0, w \odot \delta_t + b)) \odot h_{t-1} \\
        r_t &= \sigma(W_r x_t + b_{ir} + U_r \hat h_t + b_{hr}) \\
        z_t &= \sigma(W_z x_t + b_{iz} + U_z \hat h_t + b_{hz}) \\
        n_t &= \tanh(W_n x_t + b_{in} + U_n (r_t \odot \hat h_t) + b_{hn}) \\
        h_t &= n_t + z_t \odot (\hat h_t - n_t)

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (3H, I)  r z n
    b_ih    `bias_ih_l0`    (3H,)    r z n
    U       `weight_hh_l0`  (3H, H)  r z n
    b_hh    `bias_hh_l0`    (3H,)    r z n
    w       `decay_w_l0`    (H,)
    b       `decay_b_l0`    (H,)
    ======  ==============  =======  ==========

    State: `h` (B, H).

    Not the whole of GRU-D by itself: the filling of missing inputs, whose values decay towards
    their means, is the layer `elman.nn.InputDecay` in front, which also makes the delta (B, T, H)
    of each unit from the gaps of each variable; masks enter beside the values, as part of x. With
    `dt` (B, T), one gap a step, this cell is used alone. Here an open z keeps the old state; the
    source writes z and 1 - z the other way round.

    Source: Che, Purushotham, Cho, Sontag and Liu, "Recurrent neural networks for multivariate time
    series with missing values", Scientific Reports 8 (2018), methods, "GRU-D".

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(GRUD, 3, 5)(torch.zeros(2, 7, 3), dt=torch.rand(2, 7))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("r", "z", "n")
    inputs = ("dt",)
    # Units that forget within 1 to 100 units of time.
    params = {"decay_w": init.log_uniform(0.01, 1.0), "decay_b": init.constant(0.0)}
    forget_gate = "z"

    def update(x, u, s, p):
        h = exp(-relu(p.decay_w * x.dt + p.decay_b)) * s.h
        r = sigmoid(x.r + u.r(h))
        z = sigmoid(x.z + u.z(h))
        n = tanh(x.n + u.n(r * h))
        return n + z * (h - n)
