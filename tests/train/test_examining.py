"""The doctor during a training."""

import json
import math

import pytest
import torch

import elman
from elman.train import TrainingDiverged, examining


@pytest.fixture(autouse=True)
def _always(monkeypatch):
    """However long the examinations take beside these small steps."""
    monkeypatch.setattr(examining, "MOST", math.inf)


def lines_of(run_dir):
    return [json.loads(line) for line in (run_dir / "history.jsonl").read_text().splitlines()]


def ill(toy):
    """Eight units that forget everything at once, and eight steps, so that the doctor judges."""
    model = toy.net()
    model.rnn = elman.nn.GRU(2, 5, batch_first=True).double()
    elman.init.forget_bias_(model.rnn, -8.0)
    with torch.no_grad():
        model.rnn.weight_hh_l0.mul_(0.01)
    return model


class Longer:
    def __init__(self, toy):
        self.toy = toy

    def __len__(self):
        return 5

    def __getitem__(self, k):
        x = torch.randn(3, 30, 2, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        return x, x.cumsum(1).mean(-1, keepdim=True)


def test_weights_are_the_same_bits_with_and_without(toy, tmp_path):
    options = {"metric": None, "accumulate": 2, "steps": 12}
    plain, _ = toy.train(**options)
    seen, result = toy.train(tmp_path, doctor=3, **options)
    assert toy.same(toy.weights(seen), toy.weights(plain))
    assert result.examination is not None
    assert [line["step"] for line in lines_of(tmp_path) if "doctor" in line] == [3, 6, 9, 12]


def test_a_verdict_is_said_once_and_written_each_time(toy, tmp_path, capsys):
    settings = elman.train.FitSettings(steps=6, lr=1e-5, doctor=2)
    model = ill(toy)
    result = elman.train.fit(model, Longer(toy), toy.loss, None, settings, tmp_path, progress=True)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("doctor")]
    assert len(said) == 1
    assert said[0].startswith("doctor, step 2: rnn.l0: vanishing. ")
    assert "elman.init.chrono_" in said[0] or "forget_bias_" in said[0]
    written = [line["doctor"] for line in lines_of(tmp_path) if "doctor" in line]
    assert [one["verdicts"][0]["kind"] for one in written] == ["vanishing"] * 3
    assert not any(one["healthy"] for one in written)
    assert result.examination.kinds == ("vanishing",)
    assert "vanishing" in result.examination.section().html


def test_a_resumed_run_does_not_say_it_again(toy, tmp_path, capsys):
    def run(steps, resume):
        settings = elman.train.FitSettings(steps=steps, lr=1e-5, doctor=2)
        model = ill(toy)
        elman.train.fit(
            model, Longer(toy), toy.loss, None, settings, tmp_path, progress=True, resume=resume
        )
        return capsys.readouterr().err.count("doctor, step")

    assert run(2, False) == 1
    assert run(4, True) == 0


def test_nothing_is_examined_unless_asked(toy):
    _, result = toy.train()
    assert result.examination is None


def test_the_time_is_bounded(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(examining, "MOST", 0.0)
    toy.train(tmp_path, doctor=1, steps=6)
    assert [line["step"] for line in lines_of(tmp_path) if "doctor" in line] == [1]


def test_a_loss_that_cannot_be_examined_does_not_end_the_training(toy):
    def loss(model, batch, carry):
        if not model.training:
            raise ValueError("only in training")
        return toy.loss(model, batch, carry)

    with pytest.warns(UserWarning, match="only in training"):
        model, result = toy.train(loss=loss, doctor=2, metric=None)
    plain, _ = toy.train(metric=None)
    assert toy.same(toy.weights(model), toy.weights(plain))
    assert result.examination is None


def test_a_model_without_recurrent_layers_is_left_alone(toy):
    def loss(model, batch, carry):
        return (model(batch[0]) - batch[1]).square().mean(), None

    model = torch.nn.Linear(2, 1).double()
    _, result = toy.train(model=model, loss=loss, doctor=2, metric=None)
    assert result.examination is None


def test_a_training_that_diverges_says_what_the_doctor_said(toy):
    calls = []

    def loss(model, batch, carry):
        calls.append(None)
        value, carry = toy.loss(model, batch, carry)
        return (value * float("nan") if len(calls) > 6 else value), carry

    with pytest.raises(TrainingDiverged, match="The doctor, last time: "):
        toy.train(loss=loss, doctor=2, max_skipped=2, metric=None)
