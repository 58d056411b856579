"""Long short-term memory whose gates see the cell."""

from elman import init
from elman.cells.cell import Cell
from elman.ops import sigmoid, tanh


class PeepholeLSTM(Cell):
    r"""Long short-term memory with peepholes: the gates also see the cell, each unit its own.

    .. math::
        i_t &= \sigma(W_i x_t + b_{ii} + U_i h_{t-1} + b_{hi} + p_i \odot c_{t-1}) \\
        f_t &= \sigma(W_f x_t + b_{if} + U_f h_{t-1} + b_{hf} + p_f \odot c_{t-1}) \\
        g_t &= \tanh(W_g x_t + b_{ig} + U_g h_{t-1} + b_{hg}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        o_t &= \sigma(W_o x_t + b_{io} + U_o h_{t-1} + b_{ho} + p_o \odot c_t) \\
        h_t &= o_t \odot \tanh(c_t)

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (4H, I)  i f g o
    b_ih    `bias_ih_l0`    (4H,)    i f g o
    U       `weight_hh_l0`  (4H, H)  i f g o
    b_hh    `bias_hh_l0`    (4H,)    i f g o
    p_i     `peep_i_l0`     (H,)
    p_f     `peep_f_l0`     (H,)
    p_o     `peep_o_l0`     (H,)
    ======  ==============  =======  ==========

    State: `h` (B, H), the output; `c` (B, H), the cell.

    Not the variant with full matrices as peepholes: they are one weight a unit. The output gate
    sees the new cell, the other two the old one. The tanh of c_t is that of most later work; in the
    original h_t = o_t * c_t.

    Source: Gers, Schraudolph and Schmidhuber, "Learning precise timing with LSTM recurrent
    networks", Journal of Machine Learning Research 3 (2002), section 3.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(PeepholeLSTM, 3, 5)(torch.zeros(2, 7, 3))
        >>> state[0].c.shape
        torch.Size([2, 5])
    """

    gates = ("i", "f", "g", "o")
    state = ("h", "c")
    params = {name: init.uniform(-0.1, 0.1) for name in ("peep_i", "peep_f", "peep_o")}
    forget_gate = "f"
    input_gate = "i"

    def update(x, u, s, p):
        i = sigmoid(x.i + u.i + p.peep_i * s.c)
        f = sigmoid(x.f + u.f + p.peep_f * s.c)
        g = tanh(x.g + u.g)
        c = f * s.c + i * g
        o = sigmoid(x.o + u.o + p.peep_o * c)
        return o * tanh(c), c
