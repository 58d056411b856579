"""An embedding and the output layer that may share its weights."""

import pytest
import torch

from elman.nn.tied import Tied


def test_the_weights_are_shared_where_the_widths_allow_it():
    both = Tied(11, 4, 4)
    assert {name for name, _ in both.named_parameters()} == {"weight", "bias"}
    x = torch.tensor([[3, 5]])
    v = both.embed(x)
    assert torch.equal(v[0, 0], both.weight[3])
    assert torch.allclose(both.logits(v), v @ both.weight.T + both.bias)
    both.logits(v).square().sum().backward()
    assert (both.weight.grad.abs().sum(1) > 0).all(), "from the output side, every row"


@pytest.mark.parametrize("given", [{"features": 6}, {"features": 4, "tied": False}])
def test_elsewhere_the_output_has_its_own(given):
    both = Tied(11, 4, **given)
    assert not both.tied
    assert both.output.shape == (11, given["features"])
    assert both.logits(torch.zeros(2, 3, given["features"])).shape == (2, 3, 11)


def test_logits_start_small():
    torch.manual_seed(0)
    for both in (Tied(50, 64, 64), Tied(50, 16, 64)):
        logits = both.logits(torch.empty(100, 64).uniform_(-1, 1))
        assert logits.std() < 1.0
