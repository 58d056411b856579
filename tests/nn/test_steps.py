"""Many steps in a row are the layer's own steps, and what cannot be stepped so is refused."""

import pytest
import torch

from elman.cells import GRU, CfC, by_name
from elman.nn import Recurrent
from elman.nn.steps import stepper


@pytest.mark.parametrize("cell", ["GRU", "LSTM", "RNN", "RNNReLU", "MinGRU", "SRU"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("grad", [True, False])
def test_steps_are_the_sequence(cell, layers, grad):
    torch.manual_seed(0)
    layer = Recurrent(by_name(cell), 5, 5, layers, dropout=0.3).double().eval()
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    whole, final = layer(x)
    with torch.set_grad_enabled(grad):
        step, state = stepper(layer), layer.initial_state(3)
        for t in range(4):
            y, state = step(x[:, t], state)
            torch.testing.assert_close(y, whole[:, t], rtol=0, atol=1e-12)
    for found, expected in zip(state, final, strict=True):
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [
        Recurrent(GRU, 3, 4, bidirectional=True).eval(),
        Recurrent(GRU, 3, 4, weight_drop=0.5),
        Recurrent(CfC, 3, 4).eval(),
    ],
)
def test_other_layers_are_refused_with_the_repair(layer):
    with pytest.raises(ValueError, match=r"in one direction, in evaluation mode.*call its step"):
        stepper(layer)
