"""Truncated backpropagation through time."""

import pytest
import torch

from elman import state as states
from elman.nn import Recurrent
from elman.train import FitSettings, fit, truncated

pytestmark = pytest.mark.usefixtures("float64")


def layer_and_data(cell="LSTM"):
    torch.manual_seed(0)
    return Recurrent(cell, 2, 4), torch.randn(3, 10, 2), torch.randn(3, 10, 4)


def parts_of(layer):
    def part(x, target, state):
        y, state = layer(x, state)
        return (y - target).square().mean(), state

    return part


def gradients(layer, value):
    layer.zero_grad()
    value.backward()
    return [p.grad.clone() for p in layer.parameters()]


def test_one_part_is_the_whole():
    layer, x, target = layer_and_data()
    value, state = truncated(parts_of(layer), (x, target), steps=10)
    y, last = layer(x)
    whole = (y - target).square().mean()
    torch.testing.assert_close(value, whole)
    torch.testing.assert_close(states.leaves(state), states.leaves(last))
    assert not any(leaf.requires_grad for leaf in states.leaves(state))
    for found, expected in zip(gradients(layer, value), gradients(layer, whole), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("steps", [1, 3, 4])
def test_the_value_is_that_of_the_whole_and_gradients_end_at_cuts(steps):
    layer, x, target = layer_and_data()
    value, _ = truncated(parts_of(layer), (x, target), steps=steps)
    torch.testing.assert_close(value, (layer(x)[0] - target).square().mean())
    found, state, total = gradients(layer, value), None, 0.0
    for t in range(0, 10, steps):
        y, state = layer(x[:, t : t + steps], state)
        state = states.detach(state)
        total = total + (y - target[:, t : t + steps]).square().sum() / target.numel()
    for one, expected in zip(found, gradients(layer, total), strict=True):
        torch.testing.assert_close(one, expected)


def test_no_gradient_reaches_further_back():
    layer, x, _ = layer_and_data()
    x.requires_grad_()

    def part(x, state):
        y, state = layer(x, state)
        return y[:, -1].sum() if part.seen == 2 else None, state

    part.seen = 0

    def counting(x, state):
        part.seen += 1
        return part(x, state)

    value, _ = truncated(counting, x, steps=7)
    value.backward()
    assert not x.grad[:, :7].any()
    assert x.grad[:, 7:].all()


def test_it_is_a_loss_of_fit():
    layer, x, target = layer_and_data("GRU")

    class Same:
        def __len__(self):
            return 4

        def __getitem__(self, k):
            return x, target

    def loss(model, batch, carry):
        return truncated(parts_of(model), batch, carry, steps=4)

    values = []
    fit(
        layer, Same(), loss, None, FitSettings(steps=30, lr=0.03, log_every=1),
        on_log=lambda line: values.append(line["loss"]),
    )  # fmt: skip
    assert values[-1] < values[0]


def test_refusals():
    layer, x, target = layer_and_data()
    with pytest.raises(ValueError, match="steps: must be 1 or more, got 0"):
        truncated(parts_of(layer), x, steps=0)
    for wrong in ((), (x, target[:, :5]), torch.zeros(3), torch.zeros(2, 0, 1)):
        with pytest.raises(ValueError, match="sequences: must be"):
            truncated(parts_of(layer), wrong, steps=2)
    with pytest.raises(TypeError, match="got Tensor: return \\(None, state\\)"):
        truncated(lambda x, s: x, x, steps=2)
    with pytest.raises(ValueError, match="no loss for any part"):
        truncated(lambda x, s: (None, s), x, steps=2)
