"""Steps whose loss or gradient is not finite."""

import json

import pytest
import torch

from elman.train import TrainingDiverged


def spoil(toy, bad, how):
    """The toy loss, spoilt at the micro-batches in `bad`; notes the carries that it was given."""
    calls, carries = [], []

    def loss(model, batch, carry):
        carries.append(carry)
        value, carry = toy.loss(model, batch, carry)
        calls.append(None)
        return how(value, carry) if len(calls) - 1 in bad else (value, carry)

    return loss, carries


HOW = {
    "loss": lambda value, carry: (value * float("nan"), carry),
    "infinite": lambda value, carry: (value + float("inf"), carry),
    # sqrt at zero: the value is finite, the gradient is not.
    "gradient": lambda value, carry: (value + (value - value.detach()).sqrt() * 0, carry),
    "carry": lambda value, carry: (value * float("nan"), carry * float("nan")),
}


@pytest.mark.parametrize("kind", HOW)
def test_a_bad_step_changes_nothing_but_the_counts(toy, kind):
    loss, carries = spoil(toy, {7}, HOW[kind])
    lines = []
    snapshots = []

    def watched(model, batch, carry):
        snapshots.append(toy.weights(model))
        return loss(model, batch, carry)

    _, result = toy.train(loss=watched, on_log=lines.append)
    assert (result.steps, result.skipped) == (20, 1)
    assert toy.same(snapshots[7], snapshots[8])
    assert not toy.same(snapshots[8], snapshots[9])
    assert (carries[8] is None) == (kind == "carry")
    (line,) = [line for line in lines if line.get("skipped")]
    assert line["step"] == 8
    assert all(line["loss"] < 100 for line in lines if "loss" in line and "skipped" not in line)


def test_the_optimiser_does_not_see_a_skipped_step(toy):
    """Leaving a step out by hand: the same weights, but for the schedule and the draws."""
    options = {"schedule": "constant", "ema": 0.0, "metric": None, "model": None}
    loss, _ = spoil(toy, {3}, HOW["loss"])
    skipped, _ = toy.train(**{**options, "model": toy.net()}, loss=loss, steps=4)
    short, _ = toy.train(**{**options, "model": toy.net()}, steps=3)
    assert toy.same(toy.weights(skipped), toy.weights(short))


def test_one_bad_micro_batch_spoils_its_whole_step(toy):
    loss, _ = spoil(toy, {7}, HOW["loss"])
    _, result = toy.train(loss=loss, accumulate=3, steps=5)
    assert result.skipped == 1


def test_running_statistics_are_not_poisoned(toy):
    class Normed(toy.Net):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(2)

        def forward(self, x, h=None):
            return super().forward(self.norm(x.transpose(1, 2)).transpose(1, 2), h)

    class Holed(toy.Batches):
        def __getitem__(self, k):
            x, target = super().__getitem__(k)
            return (x * float("nan") if k in (0, 6) else x), target

    model = Normed().double()
    _, result = toy.train(model=model, batches=Holed())
    assert result.skipped == 2
    assert model.norm.running_mean.isfinite().all()
    assert model.norm.num_batches_tracked <= 18


def test_several_in_a_row_stop_and_the_checkpoint_before_is_kept(toy, tmp_path):
    loss, _ = spoil(toy, range(11, 100), HOW["loss"])
    model = toy.net()
    with pytest.raises(TrainingDiverged, match="in 3 steps in a row, up to step 14") as caught:
        toy.train(tmp_path, model=model, loss=loss, max_skipped=3, checkpoint_every=5)
    assert "lower lr (now 0.01)" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert all(value.isfinite().all() for value in toy.weights(model).values())
    names = [path.name for path in sorted((tmp_path / "checkpoints").glob("step-*"))]
    assert names == ["step-00000005.safetensors", "step-00000010.safetensors"]
    last = json.loads((tmp_path / "history.jsonl").read_text().splitlines()[-1])
    assert (last["step"], last["skipped"], last["loss"]) == (14, True, None)


def test_a_good_step_between_starts_the_count_again(toy):
    loss, _ = spoil(toy, {3, 4, 6, 7, 9, 10}, HOW["loss"])
    assert toy.train(loss=loss, max_skipped=3)[1].skipped == 6


def test_skips_in_a_row_are_counted_across_a_resume(toy, tmp_path):
    loss, _ = spoil(toy, range(8, 100), HOW["loss"])
    with pytest.raises(TrainingDiverged):
        toy.train(tmp_path, loss=loss, max_skipped=6, checkpoint_every=5)
    loss, _ = spoil(toy, range(100), HOW["loss"])
    with pytest.raises(TrainingDiverged, match="in 6 steps in a row, up to step 14"):
        toy.train(tmp_path, loss=loss, max_skipped=6, checkpoint_every=5, resume=True)
