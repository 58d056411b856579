"""The Mogrifier against its equations in NumPy."""

import numpy as np
import pytest
import torch

from elman.nn import Mogrifier, Recurrent
from elman.testing import assert_close


def in_numpy(model, x, h):
    """Equations 1 and 2 of the paper: odd rounds scale x by h, even ones h by x."""
    for k, factor in enumerate(model.factors, start=1):
        matrix = np.eye(next(factor.parameters()).shape[1])
        for parameter in factor.parameters():
            matrix = parameter.detach().numpy() @ matrix
        if k % 2:
            x = 2 / (1 + np.exp(-h @ matrix.T)) * x
        else:
            h = 2 / (1 + np.exp(-x @ matrix.T)) * h
    return x, h


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize(("rounds", "rank"), [(1, 0), (2, 0), (5, 0), (5, 2)])
def test_a_step_is_the_papers(cell, rounds, rank) -> None:
    model = Mogrifier(Recurrent(cell, 3, 4), rounds, rank)
    x, state = torch.randn(2, 3), model.initial_state(2)
    state = (type(state[0])(*(torch.randn_like(leaf) for leaf in state[0])),)
    y, new = model.step(x, state)
    scaled_x, scaled_h = in_numpy(model, x.numpy(), state[0].h.numpy())
    first = state[0]._replace(h=torch.from_numpy(scaled_h))
    expected, last = model.layer.step(torch.from_numpy(scaled_x), (first,))
    assert_close(y, expected, terms=16)
    for actual, leaf in zip(new[0], last[0], strict=True):
        assert_close(actual, leaf, terms=16)
    plain, _ = model.layer.step(x, state)
    assert not torch.allclose(y, plain)


def test_no_rounds_leave_the_layer_as_it_is() -> None:
    layer, x = Recurrent("LSTM", 3, 4), torch.randn(2, 5, 3)
    assert_close(Recurrent(Mogrifier(layer, rounds=0))(x)[0], layer(x)[0], terms=64)


def test_rows_of_unequal_lengths_and_every_gradient() -> None:
    model = Recurrent(Mogrifier(Recurrent("LSTM", 3, 4)))
    x = torch.randn(2, 5, 3)
    y, _ = model(x, lengths=[5, 2])
    alone, _ = model(x[1:, :2])
    assert_close(y[1:, :2], alone, terms=64)
    y.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Recurrent("LSTM", 3, 4, layers=2), "one layer in one direction"),
        (Recurrent("LSTM", 3, 4, bidirectional=True), "one layer in one direction"),
        (Recurrent("CfC", 3, 4), "CfC needs 'dt', which step has not"),
    ],
)
def test_layers_it_cannot_wrap(layer, message) -> None:
    with pytest.raises(ValueError, match=message):
        Mogrifier(layer)
