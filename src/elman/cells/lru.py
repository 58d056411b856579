"""Linear recurrent unit."""

from elman import init
from elman.cells.cell import Cell
from elman.ops import cos, exp, expm1, sin, sqrt


class LRU(Cell):
    r"""Linear recurrent unit: complex states that turn and shrink, each by a constant of its own.

    .. math::
        \lambda &= \exp(-e^\nu + i e^\theta) \\
        s_t &= \lambda \odot s_{t-1}
            + e^\gamma \sqrt{1 - |\lambda|^2} \odot (W_{re} x_t + i W_{im} x_t) \\
        y_t &= (\operatorname{Re} s_t, \operatorname{Im} s_t)

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (2H, I)  re im
    nu      `nu_l0`         (H,)
    theta   `theta_l0`      (H,)
    gamma   `gamma_l0`      (H,)
    ======  ==============  =======  ==========

    State: `re`, `im` (B, H), the parts of s; the output is both, (B, 2H).

    Not the whole block: Re(C s_t) + D x_t is a `torch.nn.Linear` on the output (its weight is (Re
    C, -Im C)) and one on the input, to be followed by something that is not linear. The source
    stores log(e^gamma sqrt(1 - \|lambda\|^2)) as one parameter; here gamma, from 0, is what was
    learnt on top. \|lambda\| starts in the ring from 0.9 to 0.999. There are no biases.

    Source: Orvieto et al., "Resurrecting recurrent neural networks for long sequences" (2023),
    section 3.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(LRU, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 10])
    """

    gates = ("re", "im")
    state = ("re", "im")
    recurrent = ()
    bias = False
    params = {
        "nu": init.ring(0.9, 0.999),
        "theta": init.log_of_uniform(6.283),
        "gamma": init.constant(0.0),
    }

    def update(x, u, s, p):
        shrink, turn = exp(-exp(p.nu)), exp(p.theta)
        re, im = shrink * cos(turn), shrink * sin(turn)
        scale = exp(p.gamma) * sqrt(-expm1(-2.0 * exp(p.nu)))
        return re * s.re - im * s.im + scale * x.re, im * s.re + re * s.im + scale * x.im

    def read(s, x, p):
        return s.re, s.im
