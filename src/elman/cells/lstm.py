"""Long short-term memory."""

from elman.cells.cell import Cell
from elman.ops import sigmoid, tanh


class LSTM(Cell):
    r"""Long short-term memory with a forget gate, as in `torch.nn.LSTM`.

    .. math::
        i_t &= \sigma(W_i x_t + b_{ii} + U_i h_{t-1} + b_{hi}) \\
        f_t &= \sigma(W_f x_t + b_{if} + U_f h_{t-1} + b_{hf}) \\
        g_t &= \tanh(W_g x_t + b_{ig} + U_g h_{t-1} + b_{hg}) \\
        o_t &= \sigma(W_o x_t + b_{io} + U_o h_{t-1} + b_{ho}) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
        h_t &= o_t \odot \tanh(c_t)

    ======  ===============  ==========  ==========
    symbol  parameter        shape       gate order
    ======  ===============  ==========  ==========
    W       `weight_ih_l0`   (4H, I)     i f g o
    b_ih    `bias_ih_l0`     (4H,)       i f g o
    U       `weight_hh_l0`   (4H, H)     i f g o
    b_hh    `bias_hh_l0`     (4H,)       i f g o
    ======  ===============  ==========  ==========

    State: `h` (B, H), the output; `c` (B, H), the cell.

    Not the original of 1997, which has no forget gate; and without peepholes.

    Source: Gers, Schmidhuber and Cummins, "Learning to forget", Neural Computation 12 (2000),
    equations 2 to 7.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(LSTM, 3, 5)(torch.zeros(2, 7, 3))
        >>> state[0].c.shape
        torch.Size([2, 5])
    """

    gates = ("i", "f", "g", "o")
    state = ("h", "c")
    forget_gate = "f"
    input_gate = "i"

    def update(x, u, s, p):
        i = sigmoid(x.i + u.i)
        f = sigmoid(x.f + u.f)
        g = tanh(x.g + u.g)
        o = sigmoid(x.o + u.o)
        c = f * s.c + i * g
        return o * tanh(c), c
