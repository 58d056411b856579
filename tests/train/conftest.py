"""A small model with everything that makes training hard to resume."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from elman.train import FitSettings, fit


class Net(nn.Module):
    def __init__(self, dropout=0.0, units=5):
        super().__init__()
        self.rnn = nn.GRU(2, units, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(units, 1)

    def forward(self, x, h=None):
        y, h = self.rnn(x, h)
        return self.out(self.drop(y)), h


class Batches:
    """`length` micro-batches an epoch of 3 rows, 4 steps, 2 inputs; notes what it was asked for."""

    def __init__(self, length=5, dtype=torch.float64):
        self.length, self.dtype, self.asked = length, dtype, []

    def __len__(self):
        return self.length

    def __getitem__(self, k):
        self.asked.append(k)
        x = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(k), dtype=self.dtype)
        return x, x.cumsum(1).mean(-1, keepdim=True)


def loss(model, batch, carry):
    x, target = batch
    y, carry = model(x, carry)
    return (y - target).square().mean(), carry


def metric(model):
    x, target = Batches(dtype=next(model.parameters()).dtype)[1000]
    return {"mse": (model(x)[0] - target).square().mean()}


def net(dropout=0.0, seed=0, dtype=torch.float64):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Net(dropout).to(dtype)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def train(run_dir=None, *, model=None, batches=None, resume=False, loss=loss, metric=metric, **kw):
    """Fit a small net; `kw` are settings. Returns model and result."""
    model = net(dropout=0.2) if model is None else model
    on_log = kw.pop("on_log", None)
    settings = FitSettings(**{"steps": 20, "ema": 0.9, "lr": 0.01, "log_every": 4, **kw})
    batches = Batches() if batches is None else batches
    result = fit(model, batches, loss, metric, settings, run_dir, resume=resume, on_log=on_log)
    return model, result


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def toy():
    return SimpleNamespace(
        Net=Net, Batches=Batches, loss=loss, metric=metric, net=net, weights=weights, same=same,
        train=train,
    )  # fmt: skip
