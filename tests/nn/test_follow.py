"""Plain modules whose forward is followed: what people write, and what is refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import elman
from elman.nn import CannotStore
from elman_runtime import model as models
from elman_runtime.program import kind_of


class Net(nn.Module):
    """A recurrent layer, a head, and a forward that a test gives."""

    def __init__(self, forward, rnn=None, width=5, outputs=2):
        super().__init__()
        self.rnn = rnn or nn.LSTM(3, 5, batch_first=True)
        self.head, self.drop = nn.Linear(width, outputs), nn.Dropout(0.5)
        self.scale = nn.Parameter(torch.randn(5))
        self.said = forward

    def forward(self, x):
        return self.said(self, x)


def two_ways(**options):
    return nn.GRU(3, 5, 2, batch_first=True, bidirectional=True, **options)


def with_first_state(s, x):
    h0 = torch.zeros(1, x.size(0), 5).to(x.device)
    c0 = torch.zeros(1, x.shape[0], 5, device=x.device, dtype=x.dtype)
    y, _ = s.rnn(x, (h0, c0))
    return s.head(y[:, -1, :])


STORED = {
    "last": (lambda s, x: s.head(s.rnn(x)[0][:, -1]), {}, True),
    "last of three": (lambda s, x: s.head(s.rnn(x)[0][:, -1, :]), {}, True),
    "every step": (lambda s, x: torch.sigmoid(s.head(s.rnn(x)[0] * s.scale + 1.0)), {}, None),
    "final state": (lambda s, x: s.head(s.drop(s.rnn(x)[1][0][-1])), {}, True),
    "cell state": (lambda s, x: s.head(s.rnn(x)[1][1][-1]), {}, False),
    "both ends": (
        lambda s, x: s.head(torch.cat([s.rnn(x)[1][-2], s.rnn(x)[1][-1]], dim=1)),
        {"rnn": two_ways(), "width": 10},
        False,
    ),
    "first state": (with_first_state, {}, True),
    "mean": (lambda s, x: s.head(s.rnn(x)[0].mean(dim=1)), {}, True),
    "max": (lambda s, x: s.head(s.rnn(x)[0].max(dim=1)[0]), {}, True),
    "max values": (lambda s, x: s.head(torch.max(s.rnn(x)[0], 1).values), {}, True),
    "squeeze": (lambda s, x: s.head(s.rnn(x)[0][:, -1]).squeeze(-1), {"outputs": 1}, True),
    "classes": (lambda s, x: F.log_softmax(F.relu(s.head(s.rnn(x)[0][:, -1])), dim=1), {}, True),
    "view": (lambda s, x: s.head(s.rnn(x)[0][:, -1, :].view(x.size(0), -1)), {}, True),
    "slices": (lambda s, x: s.rnn(x)[0][:, :, 1:3] - s.rnn(x)[0][..., -2:] / 2, {}, None),
    "residual": (lambda s, x: s.rnn(x)[0][..., :3].tanh() + x, {}, None),
    "tied": (lambda s, x: F.linear(s.rnn(x)[0], s.head.weight, s.head.bias), {}, None),
    "time first": (lambda s, x: s.head(s.rnn(x)[0][-1]), {"rnn": nn.GRU(3, 5)}, True),
    "several": (lambda s, x: {"a": s.head(s.rnn(x)[0]), "b": F.silu(x)}, {}, None),
    "of elman": (
        lambda s, x: s.head(s.rnn(x)[0][:, -1]),
        {"rnn": elman.nn.Recurrent("SLSTM", 3, 5)},
        True,
    ),
}


@pytest.mark.parametrize("name", STORED)
def test_a_forward_is_stored(name, tmp_path, capsys):
    forward, options, steps = STORED[name]
    net = Net(forward, **options)
    found = elman.save(net, tmp_path / "x")  # which compares with torch
    model = models.load(tmp_path / "x")
    if steps is None:
        assert kind_of(model.program()).name == "step"
    assert [parity.program for parity in found] == ["main", *(["step"] if steps else [])]
    assert not [key for key in vars(net) if "constant" in key]
    assert "largest difference" in capsys.readouterr().out


def branches(s, x):
    return s.head(x if x.sum() > 0 else -x)


REFUSED = {
    "an unknown call": (lambda s, x: torch.cumsum(s.rnn(x)[0], 1), r"calls cumsum\(\.\.\.\)"),
    "an unknown method": (lambda s, x: s.rnn(x)[0].cumsum(1), r"calls \.cumsum\(\.\.\.\)"),
    "a branch": (branches, "cannot be followed: symbolically traced"),
    "turned axes": (lambda s, x: s.rnn(x.transpose(0, 1))[0], "turns axes"),
    "another step": (lambda s, x: s.head(s.rnn(x)[0][:, 0]), "which no program can say"),
    "the batch": (lambda s, x: s.head(s.rnn(x)[0][-1]), "which no program can say"),
    "a loop over time": (lambda s, x: [s.head(v) for v in x], "cannot be followed"),
    "a state as input": (lambda s, x: s.rnn(x, s.rnn(x)[1])[0], "starts from a state"),
    "a wrong width": (lambda s, x: s.head(x), "head: linear needs"),
    "a mean over features": (lambda s, x: s.rnn(x)[0].mean(-1), "other than over time"),
    "a softmax over time": (lambda s, x: s.rnn(x)[0].softmax(1), "write dim=-1"),
    "only a state": (lambda s, x: s.rnn(x)[1], "only states"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_program_can_say_is_refused(name, tmp_path):
    forward, message = REFUSED[name]
    with pytest.raises(CannotStore, match=message):
        elman.save(Net(forward), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_layers_that_lie_differently_are_refused(tmp_path):
    model = nn.Sequential(nn.LSTM(3, 5), elman.nn.Last(), nn.Linear(5, 2))
    with pytest.raises(CannotStore, match="time first: give all batch_first=True"):
        elman.save(model, tmp_path / "x")


def test_modules_within_modules_keep_their_names(tmp_path):
    inner = Net(lambda s, x: s.head(s.rnn(x)[0]))
    outer = nn.Sequential(inner, nn.ReLU())
    elman.save(outer, tmp_path / "x", quiet=True)
    names = {name for name, _ in outer.named_parameters()} - {"0.scale"}
    assert set(models.load(tmp_path / "x").tensors) == names
