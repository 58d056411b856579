"""A running softmax, as a recurrence."""

from elman.cells.cell import Cell
from elman.ops import exp, maximum


class RunningSoftmax(Cell):
    r"""The mean of what came so far, weighted by a softmax of scores: how attention pools a stream.

    .. math::
        m_t &= \max(m_{t-1}, s_t) \\
        w_t &= w_{t-1} e^{m_{t-1} - m_t} + e^{s_t - m_t} \\
        z_t &= z_{t-1} + \frac{e^{s_t - m_t}}{w_t} (v_t - z_{t-1})

    The score is s and `value` is v; weights are relative to the largest score, so that none
    overflows. No layer of it is trained: `elman.nn.AttentionPool` writes it into programs.

    State: `mean` z, `weight` w and `top` m, each (B, F).
    """

    LOWEST = -1e30
    """What `top` starts at, below every score: an infinity less itself would be no number."""

    gates = ("score",)
    recurrent = ()
    state = ("mean", "weight", "top")
    inputs = ("value",)

    def update(x, u, s, p):
        top = maximum(s.top, x.score)
        own = exp(x.score - top)
        weight = s.weight * exp(s.top - top) + own
        return s.mean + own / weight * (x.value - s.mean), weight, top
