"""Long short-term memory with exponential gates."""

from elman.cells.cell import Cell
from elman.ops import exp, maximum, sigmoid, softplus, tanh, where


class SLSTM(Cell):
    r"""Long short-term memory with an exponential input gate, normaliser and stabiliser (sLSTM).

    .. math::
        \tilde k_t &= W_k x_t + b_{ik} + U_k h_{t-1} + b_{hk} \quad (k = i, f, z, o) \\
        m_t &= \max(\log \sigma(\tilde f_t) + m_{t-1}, \tilde i_t) \\
        i_t &= \exp(\tilde i_t - m_t) \\
        f_t &= \exp(\log \sigma(\tilde f_t) + m_{t-1} - m_t) \\
        c_t &= f_t \odot c_{t-1} + i_t \odot \tanh(\tilde z_t) \\
        n_t &= f_t \odot n_{t-1} + i_t \\
        h_t &= \sigma(\tilde o_t) \odot c_t / n_t

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (4H, I)  i f z o
    b_ih    `bias_ih_l0`    (4H,)    i f z o
    U       `weight_hh_l0`  (4H, H)  i f z o
    b_hh    `bias_hh_l0`    (4H,)    i f z o
    ======  ==============  =======  ==========

    State: `h` (B, H), the output; `c` (B, H), the cell; `n` (B, H), its normaliser; `m` (B, H), the
    logarithm of the scale that c and n share. Where n = 0 nothing was seen yet, and m_t is that of
    i.

    Not mLSTM, whose cell is a matrix. The forget gate is the sigmoid, not the exponential; U is
    full, that is, there is one head; convolution, group norm and projections are layers around it.
    Zoneout of c, n or m alone would break what they mean together.

    Source: Beck et al., "xLSTM: extended long short-term memory" (2024), equations 8 to 17.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(SLSTM, 3, 5)(torch.zeros(2, 7, 3))
        >>> state[0].m.shape
        torch.Size([2, 5])
    """

    gates = ("i", "f", "z", "o")
    state = ("h", "c", "n", "m")
    forget_gate = "f"
    input_gate = "i"

    def update(x, u, s, p):
        log_i = x.i + u.i
        log_f = s.m - softplus(-(x.f + u.f))
        m = where(s.n > 0, maximum(log_f, log_i), log_i)
        i, f = exp(log_i - m), exp(log_f - m)
        c = f * s.c + i * tanh(x.z + u.z)
        n = f * s.n + i
        return sigmoid(x.o + u.o) * c / n, c, n, m
