"""Minimal gated unit."""

from elman.cells.cell import Cell
from elman.ops import sigmoid, tanh


class MGU(Cell):
    r"""Minimal gated unit: a GRU whose one gate both resets and updates.

    .. math::
        f_t &= \sigma(W_f x_t + b_{if} + U_f h_{t-1} + b_{hf}) \\
        n_t &= \tanh(W_n x_t + b_{in} + U_n (f_t \odot h_{t-1}) + b_{hn}) \\
        h_t &= (1 - f_t) \odot h_{t-1} + f_t \odot n_t

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (2H, I)  f n
    b_ih    `bias_ih_l0`    (2H,)    f n
    U       `weight_hh_l0`  (2H, H)  f n
    b_hh    `bias_hh_l0`    (2H,)    f n
    ======  ==============  =======  ==========

    State: `h` (B, H).

    Not `MinGRU`, whose gate does not see h. The gate is called a forget gate in the source, yet an
    open one admits the new value.

    Source: Zhou, Wu, Zhang and Zhou, "Minimal gated unit for recurrent neural networks",
    International Journal of Automation and Computing 13 (2016), section 3.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(MGU, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("f", "n")
    input_gate = "f"

    def update(x, u, s, p):
        f = sigmoid(x.f + u.f)
        n = tanh(x.n + u.n(f * s.h))
        return s.h + f * (n - s.h)
