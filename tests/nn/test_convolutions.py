"""A stack of causal convolutions sees as far back as it says, and nothing after."""

import pytest
import torch

from elman.nn.convolutions import CausalStack


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 8, 20, 64])
def test_it_reaches_as_far_as_asked_and_no_step_sees_what_comes_after(float64, steps):
    layer = CausalStack(2, 5, steps)
    assert steps <= layer.reach <= max(3, 2 * steps)
    with torch.no_grad():
        for p in layer.parameters():
            p.abs_()  # so that no relu is shut
    x = torch.rand(1, steps + 3, 2, requires_grad=True)
    layer(x)[0, steps - 1].sum().backward()
    assert x.grad[0, :steps].abs().sum(1).min() > 0
    assert x.grad[0, steps:].abs().max() == 0


def test_what_lies_beyond_its_reach_changes_nothing():
    layer = CausalStack(2, 5, 7)
    x = torch.randn(3, 20, 2)
    other = x.clone()
    other[:, : 20 - layer.reach] = 123.0
    assert torch.equal(layer(x)[:, -1], layer(other)[:, -1])


@pytest.mark.errors
def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps must be 1 or more"):
        CausalStack(2, 5, 0)
