"""Hierarchically gated network."""

from elman import init
from elman.cells.cell import Cell
from elman.ops import cos, sigmoid, sin


class HGRN(Cell):
    r"""Hierarchically gated network: complex states whose forget gate has a learnt lower bound.

    .. math::
        c_t &= \operatorname{silu}(W_{re} x_t + b_{re})
            + i \operatorname{silu}(W_{im} x_t + b_{im}) \\
        f_t &= \beta + (1 - \beta) \odot \sigma(W_f x_t + b_f), \quad \beta = \sigma(B) \\
        s_t &= f_t \odot e^{i \theta} \odot s_{t-1} + (1 - f_t) \odot c_t \\
        y_t &= (\operatorname{Re} s_t, \operatorname{Im} s_t)

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (3H, I)  re im f
    b_ih    `bias_ih_l0`    (3H,)    re im f
    theta   `theta_l0`      (H,)
    B       `bound_l0`      (H,)
    ======  ==============  =======  ==========

    State: `re`, `im` (B, H), the parts of s; the output is both, (B, 2H).

    Not HGRN2, whose state is a matrix, and not the real variant. In the source the bounds of all
    layers come from one cumulative softmax, so that they rise with depth; here each layer learns
    its own, B. Its output gate, norm and projection are layers on top.

    Source: Qin, Yang and Zhong, "Hierarchically gated recurrent neural network for sequence
    modeling" (2023), section 3.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(HGRN, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 10])
    """

    gates = ("re", "im", "f")
    state = ("re", "im")
    recurrent = ()
    params = {"theta": init.log_uniform(1e-4, 1.0), "bound": init.uniform(-2.0, 2.0)}
    forget_gate = "f"

    def update(x, u, s, p):
        bound = sigmoid(p.bound)
        f = bound + (1.0 - bound) * sigmoid(x.f)
        new_re, new_im = x.re * sigmoid(x.re), x.im * sigmoid(x.im)
        old_re = cos(p.theta) * s.re - sin(p.theta) * s.im
        old_im = sin(p.theta) * s.re + cos(p.theta) * s.im
        return new_re + f * (old_re - new_re), new_im + f * (old_im - new_im)

    def read(s, x, p):
        return s.re, s.im
