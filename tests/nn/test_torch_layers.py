"""Torch's own layers as programs, each by its row of the table, and what of them is refused."""

import pytest
import torch
from torch import nn

import elman
from elman.nn import CannotStore
from elman.nn.torch_layers import TABLE
from elman.testing import assert_close
from elman_runtime import model as models

STORED = {
    "RNN": lambda: nn.RNN(3, 4, 2, nonlinearity="relu", batch_first=True),
    "LSTM": lambda: nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2),
    "GRU": lambda: nn.GRU(3, 4, bias=False),
    "Linear": lambda: nn.Linear(3, 4, bias=False),
    "Embedding": lambda: nn.Embedding(5, 3, padding_idx=0),
    "LayerNorm": lambda: nn.LayerNorm(3, bias=False),
    "BatchNorm1d": lambda: trained(nn.BatchNorm1d(3)),
    "ReLU": nn.ReLU,
    "Tanh": nn.Tanh,
    "Sigmoid": nn.Sigmoid,
    "Softplus": lambda: nn.Softplus(beta=2.0),
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "LeakyReLU": lambda: nn.LeakyReLU(0.2),
    "Softmax": lambda: nn.Softmax(1),
    "LogSoftmax": lambda: nn.LogSoftmax(-1),
    "Dropout": lambda: nn.Dropout(0.9),
    "AlphaDropout": lambda: nn.AlphaDropout(0.9),
    "Dropout1d": lambda: nn.Dropout1d(0.9),
    "Identity": nn.Identity,
    "Sequential": lambda: nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2))),
}
EXAMPLES = {"Embedding": torch.tensor([[4, 0], [1, 1]])}
RECURRENT = ("RNN", "LSTM", "GRU")


def trained(layer):
    """A norm whose statistics are not those that it starts with."""
    layer(3.0 + 2.0 * torch.randn(50, 3))
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    return layer


def test_the_whole_table_is_tried():
    assert set(STORED) == {kind.__name__ for kind in TABLE}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", STORED)
def test_a_layer_is_stored(name, dtype, tmp_path):
    layer = STORED[name]().to(dtype)
    example = EXAMPLES.get(name, torch.randn(4, 3, dtype=dtype))
    example = torch.randn(2, 6, 3, dtype=dtype) if name in RECURRENT else example
    found = elman.save(layer, tmp_path / "x", example, quiet=True)
    assert all(parity.close for parity in found)
    # A program is batch first, whatever the layer is.
    turned = not getattr(layer, "batch_first", True)
    again = elman.load(tmp_path / "x")(example.transpose(0, 1) if turned else example)
    wanted = layer.eval()(example)
    wanted = wanted[0] if name in RECURRENT else wanted
    assert_close(again, wanted.transpose(0, 1) if turned else wanted, terms=200)


REFUSED = {
    "max_norm": (lambda: nn.Embedding(5, 3, max_norm=1.0), "max_norm"),
    "two axes": (lambda: nn.LayerNorm((2, 3)), "normalises the last axis"),
    "no statistics": (lambda: nn.BatchNorm1d(3, track_running_stats=False), "running statistics"),
    "threshold": (lambda: nn.Softplus(threshold=5.0), "linear from 20 on"),
    "approximate": (lambda: nn.GELU("tanh"), "the exact one"),
    "no axis": (lambda: nn.Softmax(0), "write dim=-1"),
    "unknown": (nn.Hardswish, "torch.nn.Hardswish"),
    "half": (lambda: nn.Linear(3, 2).bfloat16(), "module.float"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_layer_does_otherwise_is_refused(name, tmp_path):
    make, message = REFUSED[name]
    example = EXAMPLES["Embedding"] if name == "max_norm" else torch.randn(4, 3)
    with pytest.raises(CannotStore, match=message):
        elman.save(make(), tmp_path / "x", example)


def test_a_parametrised_layer_is_stored_as_it_is_used(tmp_path):
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
    with torch.no_grad():
        layer.parametrizations.weight.original0.mul_(2.0)
    elman.save(layer, tmp_path / "x", torch.randn(2, 3), quiet=True)
    stored = models.load(tmp_path / "x").tensors["weight"]
    assert torch.equal(torch.from_numpy(stored.copy()), layer.weight.detach())
