"""Antisymmetric network."""

from elman.cells.cell import Cell
from elman.ops import tanh


class AntisymmetricRNN(Cell):
    r"""Antisymmetric network: an ordinary differential equation that neither grows nor decays.

    .. math::
        h_t = h_{t-1} + \epsilon \tanh(W x_t + b_{ih} + (U - U^T) h_{t-1} + b_{hh} - \gamma h_{t-1})

    ======  ==============  ======  ==========
    symbol  parameter       shape   gate order
    ======  ==============  ======  ==========
    W       `weight_ih_l0`  (H, I)  n
    b_ih    `bias_ih_l0`    (H,)    n
    U       `weight_hh_l0`  (H, H)  n
    b_hh    `bias_hh_l0`    (H,)    n
    ======  ==============  ======  ==========

    State: `h` (B, H).

    Not the gated variant. What is stored is U; what multiplies h is U - U^T, whatever the training
    does. `epsilon`, the step of the integration, and `gamma`, a small diffusion that keeps the
    integration stable, are constants to be chosen for the data.

    Source: Chang, Chen, Haber and Chi, "AntisymmetricRNN: a dynamical system view on recurrent
    neural networks" (2019), section 3.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(AntisymmetricRNN, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("n",)
    constants = {"epsilon": 0.1, "gamma": 0.01}

    def update(x, u, s, p):
        return s.h + p.epsilon * tanh(x.n + u.n - p.gamma * s.h)

    def constrain(U):
        return U - U.mT
