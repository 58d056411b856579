"""Minimal GRU."""

from elman.cells.cell import Cell
from elman.ops import sigmoid


class MinGRU(Cell):
    r"""Minimal GRU: a gate and a candidate that see the input alone, so that the step is a scan.

    .. math::
        z_t &= \sigma(W_z x_t + b_z) \\
        h_t &= (1 - z_t) \odot h_{t-1} + z_t \odot (W_n x_t + b_n)

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (2H, I)  z n
    b_ih    `bias_ih_l0`    (2H,)    z n
    ======  ==============  =======  ==========

    State: `h` (B, H).

    Not `MGU`, whose gate sees h. Not the variant in log space of the same paper's appendix, whose
    candidate is made positive by g. An open z admits the new value.

    Source: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, "Were RNNs all we needed?" (2024), section
    3.1.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(MinGRU, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("z", "n")
    recurrent = ()
    input_gate = "z"

    def update(x, u, s, p):
        return s.h + sigmoid(x.z) * (x.n - s.h)
