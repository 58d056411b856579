"""Gated recurrent unit with layer normalisation."""

from elman import init
from elman.cells.cell import Cell
from elman.cells.norm import standardise
from elman.ops import sigmoid, tanh


class LayerNormGRU(Cell):
    r"""Gated recurrent unit with layer normalisation of both projections, reset after the product.

    .. math::
        (\bar x_r, \bar x_z) &= N(W_r x_t, W_z x_t) \\
        (\bar u_r, \bar u_z) &= N(U_r h_{t-1}, U_z h_{t-1}) \\
        r_t &= \sigma(a_{xr} \odot \bar x_r + a_{ur} \odot \bar u_r + b_r) \\
        z_t &= \sigma(a_{xz} \odot \bar x_z + a_{uz} \odot \bar u_z + b_z) \\
        n_t &= \tanh(a_{xn} \odot N(W_n x_t) + b_{xn}
            + r_t \odot (a_{un} \odot N(U_n h_{t-1}) + b_{un})) \\
        h_t &= n_t + z_t \odot (h_{t-1} - n_t) \\
        N(v) &= (v - \operatorname{mean} v) / \sqrt{\operatorname{var} v + \epsilon}

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (3H, I)  r z n
    U       `weight_hh_l0`  (3H, H)  r z n
    a_xr    `gain_xr_l0`    (H,)
    a_xz    `gain_xz_l0`    (H,)
    a_xn    `gain_xn_l0`    (H,)
    a_ur    `gain_ur_l0`    (H,)
    a_uz    `gain_uz_l0`    (H,)
    a_un    `gain_un_l0`    (H,)
    b_r     `shift_r_l0`    (H,)
    b_z     `shift_z_l0`    (H,)
    b_xn    `shift_xn_l0`   (H,)
    b_un    `shift_un_l0`   (H,)
    ======  ==============  =======  ==========

    State: `h` (B, H).

    Not the variant that normalises all three blocks together: N takes r and z as one vector of 2H
    and n by itself, as the paper does. Here an open z keeps the old state, as in `GRU`; the paper
    writes z and 1 - z the other way round. The layer has no b_ih and b_hh: its biases are the
    shifts.

    Source: Ba, Kiros and Hinton, "Layer normalization" (2016), equations 23 to 25, with the shifts
    that are only ever added to one another summed into one.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(LayerNormGRU, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("r", "z", "n")
    bias = False
    params = {
        **{f"gain_{kind}{gate}": init.constant(1.0) for kind in "xu" for gate in "rzn"},
        **{f"shift_{name}": init.constant(float(name == "z")) for name in ("r", "z", "xn", "un")},
    }
    constants = {"eps": 1e-5}

    def update(x, u, s, p):
        x_r, x_z = standardise(p.eps, x.r, x.z)
        u_r, u_z = standardise(p.eps, u.r, u.z)
        (x_n,), (u_n,) = standardise(p.eps, x.n), standardise(p.eps, u.n)
        r = sigmoid(p.gain_xr * x_r + p.gain_ur * u_r + p.shift_r)
        z = sigmoid(p.gain_xz * x_z + p.gain_uz * u_z + p.shift_z)
        n = tanh(p.gain_xn * x_n + p.shift_xn + r * (p.gain_un * u_n + p.shift_un))
        return n + z * (s.h - n)
