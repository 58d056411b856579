"""Long short-term memory with layer normalisation."""

from elman import init
from elman.cells.cell import Cell
from elman.cells.norm import standardise
from elman.ops import sigmoid, tanh


class LayerNormLSTM(Cell):
    r"""Long short-term memory with layer normalisation of both projections and of the cell.

    .. math::
        (\bar x_i, \bar x_f, \bar x_g, \bar x_o) &= N(W_i x_t, W_f x_t, W_g x_t, W_o x_t) \\
        (\bar u_i, \bar u_f, \bar u_g, \bar u_o)
            &= N(U_i h_{t-1}, U_f h_{t-1}, U_g h_{t-1}, U_o h_{t-1}) \\
        k_t &= a_{xk} \odot \bar x_k + a_{uk} \odot \bar u_k + b_k \quad (k = i, f, g, o) \\
        c_t &= \sigma(f_t) \odot c_{t-1} + \sigma(i_t) \odot \tanh(g_t) \\
        h_t &= \sigma(o_t) \odot \tanh(a_c \odot N(c_t) + b_c) \\
        N(v) &= (v - \operatorname{mean} v) / \sqrt{\operatorname{var} v + \epsilon}

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (4H, I)  i f g o
    U       `weight_hh_l0`  (4H, H)  i f g o
    a_xi    `gain_xi_l0`    (H,)
    a_xf    `gain_xf_l0`    (H,)
    a_xg    `gain_xg_l0`    (H,)
    a_xo    `gain_xo_l0`    (H,)
    a_ui    `gain_ui_l0`    (H,)
    a_uf    `gain_uf_l0`    (H,)
    a_ug    `gain_ug_l0`    (H,)
    a_uo    `gain_uo_l0`    (H,)
    b_i     `shift_i_l0`    (H,)
    b_f     `shift_f_l0`    (H,)
    b_g     `shift_g_l0`    (H,)
    b_o     `shift_o_l0`    (H,)
    b_c     `shift_c_l0`    (H,)
    a_c     `gain_c_l0`     (H,)
    ======  ==============  =======  ==========

    State: `h` (B, H), the output; `c` (B, H), the cell, not normalised.

    Not the variant that normalises each gate by itself: N takes the four blocks as one vector of
    4H, as the paper does. Not the one that stores the normalised cell. The layer has no b_ih and
    b_hh: its biases, `shift_i` and so on, are added after N; that of the forget gate starts at 1.

    Source: Ba, Kiros and Hinton, "Layer normalization" (2016), equations 20 to 22, with the shifts
    of both projections and b summed into one.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(LayerNormLSTM, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("i", "f", "g", "o")
    state = ("h", "c")
    bias = False
    params = {
        **{f"gain_{kind}{gate}": init.constant(1.0) for kind in "xu" for gate in "ifgo"},
        **{f"shift_{gate}": init.constant(float(gate == "f")) for gate in "ifgoc"},
        "gain_c": init.constant(1.0),
    }
    constants = {"eps": 1e-5}

    def update(x, u, s, p):
        x_i, x_f, x_g, x_o = standardise(p.eps, x.i, x.f, x.g, x.o)
        u_i, u_f, u_g, u_o = standardise(p.eps, u.i, u.f, u.g, u.o)
        i = sigmoid(p.gain_xi * x_i + p.gain_ui * u_i + p.shift_i)
        f = sigmoid(p.gain_xf * x_f + p.gain_uf * u_f + p.shift_f)
        g = tanh(p.gain_xg * x_g + p.gain_ug * u_g + p.shift_g)
        o = sigmoid(p.gain_xo * x_o + p.gain_uo * u_o + p.shift_o)
        c = f * s.c + i * g
        (level,) = standardise(p.eps, c)
        return o * tanh(p.gain_c * level + p.shift_c), c
