"""Closed-form continuous-time network."""

from elman.cells.cell import Cell
from elman.ops import sigmoid, tanh


class CfC(Cell):
    r"""Closed-form continuous-time network with a backbone of one layer: it knows the time passed.

    .. math::
        b_t &= 1.7159 \tanh(0.666 (W x_t + b_{ih} + U_b h_{t-1} + b_{hb})) \\
        g_t &= \tanh(U_g b_t + b_{hg}) \\
        k_t &= \tanh(U_k b_t + b_{hk}) \\
        s_t &= \sigma((U_a b_t + b_{ha}) \odot \Delta t_t + U_c b_t + b_{hc}) \\
        h_t &= (1 - s_t) \odot g_t + s_t \odot k_t

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (H, I)   b
    b_ih    `bias_ih_l0`    (H,)     b
    U       `weight_hh_l0`  (5H, H)  b g k a c
    b_hh    `bias_hh_l0`    (5H,)    b g k a c
    ======  ==============  =======  ==========

    State: `h` (B, H).

    Not the pure nor the ungated variant, and not wired sparsely. The backbone b has as many units
    as the state, and one layer. `dt` (B, T), or (B, T, H), is the time since the step before.

    Source: Hasani et al., "Closed-form continuous-time neural networks", Nature Machine
    Intelligence 4 (2022), the gated closed form, as the authors' code has it.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(CfC, 3, 5)(torch.zeros(2, 7, 3), dt=torch.rand(2, 7))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("b",)
    recurrent = ("b", "g", "k", "a", "c")
    inputs = ("dt",)

    def update(x, u, s, p):
        b = 1.7159 * tanh(0.666 * (x.b + u.b))
        g, k = tanh(u.g(b)), tanh(u.k(b))
        late = sigmoid(u.a(b) * x.dt + u.c(b))
        return g + late * (k - g)
