"""Coupled oscillatory network."""

from elman import init
from elman.cells.cell import Cell
from elman.ops import tanh


class CoRNN(Cell):
    r"""Coupled oscillatory network: units are damped, driven oscillators, coupled by U.

    .. math::
        a_t &= \tanh(W x_t + U_y y_{t-1} + U_z z_{t-1} + b) - \gamma y_{t-1} - \epsilon z_{t-1} \\
        z_t &= z_{t-1} + \Delta t\, a_t \\
        y_t &= y_{t-1} + \Delta t\, z_t

    ======  ==============  =======  ==========
    symbol  parameter       shape    gate order
    ======  ==============  =======  ==========
    W       `weight_ih_l0`  (H, I)   n
    U       `weight_hh_l0`  (2H, H)  y z
    b       `b_l0`          (H,)
    ======  ==============  =======  ==========

    State: `y` (B, H), where each oscillator is, the output; `z` (B, H), how fast it moves.

    Not the UnICORNN, which has no coupling. The damping reads z_{t-1} and the new place the new
    speed, as the authors' code has it. The constants `dt`, `gamma`, `epsilon` are those of their
    sequential MNIST; dt is a setting of the layer, not the time gap of a step.

    Source: Rusch and Mishra, "Coupled oscillatory recurrent neural network (coRNN)" (2021), section
    2, the discretisation.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent
        >>> y, state = Recurrent(CoRNN, 3, 5)(torch.zeros(2, 7, 3))
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    gates = ("n",)
    recurrent = ("y", "z")
    state = ("y", "z")
    bias = False
    params = {"b": init.constant(0.0)}
    constants = {"dt": 0.042, "gamma": 2.7, "epsilon": 4.7}

    def update(x, u, s, p):
        force = tanh(x.n + u.y + u.z(s.z) + p.b) - p.gamma * s.y - p.epsilon * s.z
        z = s.z + p.dt * force
        return s.y + p.dt * z, z
