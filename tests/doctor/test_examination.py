"""`elman.doctor.examine`: what it measures, what it leaves alone, and how it says it."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

import elman
from elman.doctor import examine
from elman.doctor.training import judge_past, judge_updates
from elman.doctor.weights import past, spectra
from elman.nn import Recurrent
from elman.report import Page


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 6, num_layers=2, batch_first=True, dropout=0.5)
        self.head = nn.Linear(6, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


def loss(model, batch, carry):
    x, y = batch
    return (model(x) - y).square().mean(), carry


@pytest.fixture
def batch():
    return torch.randn(4, 20, 3), torch.randn(4, 20, 1)


def test_nothing_is_changed(batch):
    model = Model().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    loss(model, batch, None)[0].backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    generator = torch.get_rng_state()
    examine(model, batch, loss, optimizer=optimizer, deep=True)
    after = (model.state_dict(), optimizer.state_dict())
    for one, other in zip(*map(torch.utils._pytree.tree_leaves, (before, after)), strict=True):
        same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
        assert same
    assert torch.equal(torch.get_rng_state(), generator)
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_updates_are_those_of_a_real_step(batch):
    model = Model().eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    found = examine(model, batch, loss, optimizer=optimizer).updates
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    loss(model, batch, None)[0].backward()
    optimizer.step()
    wanted = {
        n: float((p.detach() - before[n]).norm() / before[n].norm())
        for n, p in model.named_parameters()
    }
    assert set(found) == {name for name, p in before.items() if p.dim() > 1}
    for name, ratio in found.items():
        assert ratio == pytest.approx(wanted[name], rel=1e-3), name


def test_gradients_by_distance_from_the_loss(batch):
    def at_the_end(model, batch, carry):
        return model(batch[0])[:, -1].sum(), carry

    found = examine(Model(), batch, at_the_end).layers["rnn.l1"]
    assert found.loss_gradient.shape == (20,)
    assert found.loss_gradient[0] > found.loss_gradient[19] > 0


def test_every_layer_is_measured_on_its_longest_call():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = Recurrent("GRU", 3, 4)

        def forward(self, x):
            self.rnn(x[:, :1])
            return self.rnn(x)[0]

    found = examine(Twice(), torch.randn(2, 15, 3))
    assert list(found.layers) == ["rnn.l0#2"]
    assert found.layers["rnn.l0#2"].steps == 15


def test_only_exponents_that_are_asked_for():
    layer, x = Recurrent("RNN", 3, 6), torch.randn(2, 30, 3)
    assert examine(layer, x).layers["l0"].exponents is None
    with torch.no_grad():
        layer.weight_hh_l0.mul_(4)
    found = examine(layer, x, deep=True)
    assert found.layers["l0"].exponents[0] > 0
    assert "Lyapunov exponent" in found.text()


def test_the_spectrum_of_u():
    layer = Recurrent("GRU", 3, 5)
    with torch.no_grad():
        layer.weight_hh_l0[:5] = torch.diag(torch.tensor([0.5, -2.0, 0.1, 0.2, 0.3]))
    found = spectra(layer.cell, layer.weight_hh_l0)
    assert list(found) == ["r", "z", "n"]
    assert found["r"].radius == pytest.approx(2.0)
    assert np.allclose(np.abs(found["z"].eigenvalues), 1.0), "orthogonal"
    projected = Recurrent("LSTM", 3, 5, proj_size=2)
    one = spectra(projected.cell, projected.weight_hh_l0)["f"]
    assert one.eigenvalues is None
    assert one.radius == one.norm


def test_a_history_is_summed_up():
    lines = [
        {"step": 10, "lr": 0.1, "loss": 1.0, "norm": 3.0},
        {"step": 10, "metrics": {"MASE": 1.0}, "best": True},
        {"step": 20, "lr": 0.1, "loss": 0.5, "norm": 0.5},
        {"step": 30, "lr": 0.05, "loss": None, "norm": None, "skipped": True},
    ]
    found = past(lines, 1.0)
    assert (found.steps, found.logged, found.skipped, found.lr) == (30, 3, 1, 0.1)
    assert found.clipped == pytest.approx(1 / 3)
    (verdict,) = judge_past(found)
    assert verdict.kind == "learning rate"
    assert "--lr 1e-2" in verdict.repair
    assert past([lines[1]], 1.0) is None
    assert past(lines, None).clipped is None


def test_clipping_all_the_time_is_no_illness(tmp_path):
    lines = [{"step": k, "lr": 0.1, "loss": 1.0, "norm": 7.0} for k in range(5)]
    path = tmp_path / "history.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    found = examine(Recurrent("GRU", 3, 6), torch.randn(2, 20, 3), history=path, clip_norm=1.0)
    assert found.healthy
    assert [v.kind for v in found.verdicts] == ["clipping"]
    assert "--clip-norm 7" in found.text()


def test_a_usual_learning_rate_is_let_alone():
    assert judge_updates({"a": 0.02, "b": 5.0, "c": 0.01}, 0.01) == []
    (verdict,) = judge_updates({"a": 0.5}, 0.1)
    assert "FitSettings(lr=2e-3)" in verdict.repair


def test_it_can_be_stored_and_shown(batch, tmp_path):
    model = Model()
    with torch.no_grad():
        model.rnn.weight_hh_l1.fill_(float("nan"))
    found = examine(model, batch, loss)
    read = json.loads(found.json())
    assert read["healthy"] is False
    assert read["verdicts"][0]["kind"] == "not finite"
    assert read["layers"]["rnn.l0"]["memory"]["reach"] >= 1
    html = Page("t", found.summary(), found.healthy, (found.section(),)).html()
    assert "not finite" in html
    assert "<svg" in html
    found.save_picture(tmp_path / "seen.png")
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")
    assert "rnn.l1" in str(found)


def test_short_sequences_are_not_judged():
    layer = Recurrent("RNN", 3, 6)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(0.01)
    assert examine(layer, torch.randn(2, 30, 3)).kinds == ("vanishing",)
    assert examine(layer, torch.randn(2, 5, 3)).healthy
    assert examine(layer, torch.randn(2, 1, 3)).healthy
    assert "no memory" in examine(layer, torch.randn(2, 1, 3)).text()


def test_a_memory_that_is_long_enough():
    x = torch.randn(2, 40, 3)
    assert examine(Recurrent("LRU", 3, 8), x, memory=20).healthy
    assert examine(Recurrent("RNN", 3, 8), x, memory=30).kinds == ("vanishing",)


def test_a_memory_longer_than_the_sequences_is_a_note():
    found = examine(Recurrent("LRU", 3, 8), torch.randn(4, 12, 3), memory=11)
    assert found.verdicts == ()
    found = examine(Recurrent("LRU", 3, 8), torch.randn(4, 12, 3), memory=12)
    (note,) = found.verdicts
    assert found.healthy
    assert (note.kind, note.ill) == ("memory", False)
    assert "only 12 were seen" in note.words
    assert "steps=13" in note.repair


@pytest.mark.parametrize(
    ("options", "said"),
    [({"memory": 0}, "memory: must be"), ({"rows": 0}, "rows: must be"), ({"steps": 1}, "steps")],
)
def test_mistakes_are_explained(options, said):
    with pytest.raises(ValueError, match=said):
        examine(elman.nn.GRU(2, 3), torch.zeros(4, 1, 2), **options)
