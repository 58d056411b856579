"""Real-gated linear recurrent unit."""

from elman import init
from elman.cells.cell import Cell
from elman.ops import exp, expm1, sigmoid, softplus, sqrt


class RGLRU(Cell):
    r"""Real-gated linear recurrent unit: the input decides how fast each unit forgets.

    .. math::
        r_t &= \sigma(W_r x_t + b_r), \quad i_t = \sigma(W_i x_t + b_i) \\
        a_t &= \exp(-c\, r_t \odot \operatorname{softplus}(\Lambda)) \\
        h_t &= a_t \odot h_{t-1} + \sqrt{1 - a_t^2} \odot i_t \odot x_t

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (2H, I)  r i
    b_ih    `bias_ih_l0`    (2H,)    r i
    Lambda  `lam_l0`        (H,)
    ======  ==============  =======  ==========

    State: `h` (B, H).

    Not the whole block of Griffin, which has a convolution in front and a gated branch beside. W is
    full; the authors' code makes it block diagonal, and takes 1 for the square root at the start of
    a document. x_t itself enters the state, so I = H is needed. An open r forgets.

    Source: De et al., "Griffin: mixing gated linear recurrences with local attention for efficient
    language models" (2024), equations 1 to 4; the sign of Lambda is that of the authors' code.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(RGLRU, 5, 5)(torch.zeros(2, 7, 5))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("r", "i")
    recurrent = ()
    inputs = ("raw",)
    # An open r leaves between 0.9 and 0.999 of the state.
    params = {"lam": init.softplus_decay(0.9, 0.999, power=8.0)}
    constants = {"c": 8.0}
    input_gate = "i"

    def update(x, u, s, p):
        log_a = sigmoid(x.r) * (-p.c * softplus(p.lam))
        new = sqrt(-expm1(2.0 * log_a)) * (sigmoid(x.i) * x.raw)
        return exp(log_a) * s.h + new
