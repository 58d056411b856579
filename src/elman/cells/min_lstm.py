"""Minimal LSTM."""

from elman.cells.cell import Cell
from elman.ops import sigmoid


class MinLSTM(Cell):
    r"""Minimal LSTM: two gates that see the input alone and share one unit of weight.

    .. math::
        f_t &= \sigma(W_f x_t + b_f), \quad i_t = \sigma(W_i x_t + b_i) \\
        h_t &= \frac{f_t}{f_t + i_t} \odot h_{t-1} + \frac{i_t}{f_t + i_t} \odot (W_n x_t + b_n)

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (3H, I)  f i n
    b_ih    `bias_ih_l0`    (3H,)    f i n
    ======  ==============  =======  ==========

    State: `h` (B, H).

    Not the variant in log space of the same paper's appendix, whose candidate is made positive by
    g, and not the one without normalised gates. There is no cell beside h and no output gate.

    Source: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, "Were RNNs all we needed?" (2024), section
    3.2.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(MinLSTM, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("f", "i", "n")
    recurrent = ()
    forget_gate = "f"
    input_gate = "i"

    def update(x, u, s, p):
        f, i = sigmoid(x.f), sigmoid(x.i)
        return s.h + i / (f + i) * (x.n - s.h)
