"""The decay of missing inputs against its equations in NumPy."""

import numpy as np
import pytest
import torch

from elman.nn import InputDecay, Recurrent
from elman.testing import assert_close

D, H, T = 3, 4, 6


def front() -> InputDecay:
    made = InputDecay(D, H, mean=torch.randn(D))
    with torch.no_grad():
        made.decay_w.uniform_(0.2, 1.0)
        made.decay_b.uniform_(-0.2, 0.4)
        made.weight_gap.uniform_(-1, 1)
    return made


def rows() -> torch.Tensor:
    values = torch.randn(2, T, D).masked_fill(torch.rand(2, T, D) < 0.5, torch.nan)
    return torch.cat([values, torch.rand(2, T, 1)], -1)


def in_numpy(module, x):
    """One row, gap by gap, as the paper defines delta."""
    w, b, mean = (v.detach().numpy() for v in (module.decay_w, module.decay_b, module.mean))
    values, times = x[:, :D], np.cumsum(x[:, D])
    filled, gaps = np.empty((T, D)), np.empty((T, D))
    for d in range(D):
        for t in range(T):
            before = [k for k in range(t) if not np.isnan(values[k, d])]
            gaps[t, d] = times[t] - (times[before[-1]] if before else 0)
            last = values[before[-1], d] if before else mean[d]
            keep = np.exp(-max(0, w[d] * gaps[t, d] + b[d]))
            missing = np.isnan(values[t, d])
            filled[t, d] = keep * last + (1 - keep) * mean[d] if missing else values[t, d]
    units = gaps @ module.weight_gap.detach().numpy().T
    return np.concatenate([filled, ~np.isnan(values), units], 1)


@pytest.mark.usefixtures("float64")
def test_a_sequence_is_the_papers() -> None:
    module, x = front(), rows()
    y, _ = Recurrent(module)(x)
    expected = np.stack([in_numpy(module, row.numpy()) for row in x])
    assert_close(y, expected, terms=T * D)


@pytest.mark.usefixtures("float64")
def test_what_is_missing_gives_no_gradient_and_no_nan() -> None:
    model, x = Recurrent(front()), rows().requires_grad_()
    y, _ = model(x, lengths=[T, 2])
    y.square().sum().backward()
    assert x.grad is not None
    assert all(g is not None and g.isfinite().all() for g in [p.grad for p in model.parameters()])
    assert x.grad.isfinite().all()
    assert (x.grad[x.isnan()] == 0).all()


def test_in_blocks_it_is_the_same() -> None:
    model, x = Recurrent(front()), rows()
    whole, _ = model(x)
    first, state = model(x[:, :2])
    second, _ = model(x[:, 2:], state)
    assert torch.equal(whole, torch.cat([first, second], 1))
