"""Independently recurrent network."""

from elman import init
from elman.cells.cell import Cell
from elman.ops import relu


class IndRNN(Cell):
    r"""Independently recurrent network with relu: each unit sees its own past alone.

    .. math::
        h_t = \max(0, W x_t + b_{ih} + u \odot h_{t-1})

    ======  ==============  ======  ==========
    symbol  parameter       shape   gate order
    ======  ==============  ======  ==========
    W       `weight_ih_l0`  (H, I)  h
    b_ih    `bias_ih_l0`    (H,)    h
    u       `u_l0`          (H,)
    ======  ==============  ======  ==========

    State: `h` (B, H).

    Not `RNNReLU`, whose units see one another at the next step; here they meet in the next layer,
    so stack several. The source keeps \|u\| below 2^(1/T) for sequences of T steps, and starts the
    last layer near 1 where only the last step counts: both are up to the training loop.

    Source: Li, Li, Cook, Zhu and Gao, "Independently recurrent neural network (IndRNN): building a
    longer and deeper RNN" (2018), section 3.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(IndRNN, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("h",)
    recurrent = ()
    params = {"u": init.uniform(0.0, 1.0)}

    def update(x, u, s, p):
        return relu(x.h + p.u * s.h)
