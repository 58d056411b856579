"""Simple recurrent unit."""

from elman import init
from elman.cells.cell import Cell
from elman.ops import sigmoid


class SRU(Cell):
    r"""Simple recurrent unit: gates that see one unit of the past each, and a highway around them.

    .. math::
        f_t &= \sigma(W_f x_t + b_f + v_f \odot c_{t-1}) \\
        r_t &= \sigma(W_r x_t + b_r + v_r \odot c_{t-1}) \\
        c_t &= f_t \odot c_{t-1} + (1 - f_t) \odot (W_n x_t + b_n) \\
        h_t &= r_t \odot c_t + (1 - r_t) \odot \alpha x_t

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (3H, I)  n f r
    b_ih    `bias_ih_l0`    (3H,)    n f r
    v_f     `v_f_l0`        (H,)
    v_r     `v_r_l0`        (H,)
    ======  ==============  =======  ==========

    State: `h` (B, H), the output, which the next step does not read; `c` (B, H).

    Not the first version of 2017, whose gates see the input alone. x_t itself goes around, so I = H
    is needed. alpha is the constant `alpha`, by default sqrt(3), which keeps the variance of x
    where b_r = 0. The source has no b_n, which starts at zero here.

    Source: Lei, Zhang, Wang, Dai and Artzi, "Simple recurrent units for highly parallelizable
    recurrence" (2018), equations 1 to 4, with the scale of section 3.2.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(SRU, 5, 5)(torch.zeros(2, 7, 5))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("n", "f", "r")
    state = ("h", "c")
    recurrent = ()
    inputs = ("raw",)
    # A variance of 1, halved, as the authors' code has it.
    params = {name: init.uniform(-(1.5**0.5), 1.5**0.5) for name in ("v_f", "v_r")}
    constants = {"alpha": 3**0.5}
    forget_gate = "f"

    def update(x, u, s, p):
        f = sigmoid(x.f + p.v_f * s.c)
        r = sigmoid(x.r + p.v_r * s.c)
        c = x.n + f * (s.c - x.n)
        around = p.alpha * x.raw
        return around + r * (c - around), c
