"""`fit` against loops written by hand, step by step."""

import json
import math

import pytest
import torch
from torch import nn

from elman.train import FitSettings, fit


def by_hand(toy, steps, *, accumulate=1, ema=0.0, clip=0.3, lr=0.02, epoch=5):
    """AdamW, clipping by norm, cosine, accumulation, carried state, averaging: plain torch."""
    model, batches = toy.net(), toy.Batches(epoch)
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=lr,
        betas=(0.9, 0.99),
    )
    mean = [p.detach().clone() for p in model.parameters()]
    carry, trace = None, []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.zero_grad()
        for k in range(step * accumulate, (step + 1) * accumulate):
            value, carry = toy.loss(model, batches[k], None if k % epoch == 0 else carry)
            carry = carry.detach()
            (value / accumulate).backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        decay = min(ema, (1 + step) / (10 + step))
        for average, p in zip(mean, model.parameters(), strict=True):
            average.mul_(decay).add_(p.detach(), alpha=1 - decay)
        trace.append([average.clone() for average in mean])
    return trace


@pytest.mark.parametrize("options", [{}, {"accumulate": 3}, {"ema": 0.8}, {"clip": 1e9}])
def test_is_the_loop_written_by_hand_at_every_step(toy, options):
    expected = by_hand(toy, 17, **options)
    settings = FitSettings(
        steps=17,
        lr=0.02,
        weight_decay=0.1,
        accumulate=options.get("accumulate", 1),
        ema=options.get("ema", 0.0),
        clip_norm=options.get("clip", 0.3),
        evaluate_every=1,
    )
    seen = []

    def metric(model):
        seen.append([p.detach().clone() for p in model.parameters()])
        return {"score": -len(seen)}

    model = toy.net()
    fit(model, toy.Batches(5), toy.loss, metric, settings)
    assert len(seen) == 17
    for step, (found, wanted) in enumerate(zip(seen, expected, strict=True)):
        for a, b in zip(found, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12, msg=f"step {step}")
    for a, b in zip(model.parameters(), expected[-1], strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["adamw", "adam", "nadam", "radam", "rmsprop", "sgd"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_optimizer_lowers_the_loss(toy, name, dtype):
    model = toy.net(dtype=dtype)
    before = toy.metric(model)["mse"].item()
    lr = 0.05 if name == "sgd" else 0.01
    batches = toy.Batches(dtype=dtype)
    _, result = toy.train(model=model, batches=batches, steps=60, optimizer=name, lr=lr)
    assert result.best["mse"] < 0.9 * before


def test_the_model_ends_with_the_best_averaged_weights(toy):
    model, result = toy.train(steps=50, lr=0.3)  # a rate at which the last is not the best
    assert result.best_step < 50
    assert toy.metric(model.eval())["mse"].item() == result.best["mse"]


def test_without_a_metric_it_ends_with_the_averaged_weights(toy):
    (last,) = by_hand(toy, 9, ema=0.8)[-1:]
    model = toy.net()
    settings = FitSettings(steps=9, lr=0.02, weight_decay=0.1, ema=0.8, clip_norm=0.3)
    result = fit(model, toy.Batches(5), toy.loss, settings=settings)
    for a, b in zip(model.parameters(), last, strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=1e-10, atol=1e-12)
    assert result.best == {}
    assert result.best_step == result.steps == 9


def test_the_metric_is_called_in_evaluation_mode_without_gradients(toy):
    found = []

    def metric(model):
        found.append((model.training, model.drop.training, torch.is_grad_enabled()))
        return {"mse": 1.0}

    toy.train(metric=metric)
    assert set(found) == {(False, False, False)}


def test_the_global_generator_and_the_modes_are_left_alone(toy):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model = toy.net(dropout=0.2)
    model.out.eval()
    toy.train(model=model)
    assert torch.equal(torch.get_rng_state(), before)
    assert model.training
    assert not model.out.training
    assert all(p.grad is None for p in model.parameters())


def test_draws_depend_on_the_seed_and_nothing_else(toy):
    torch.manual_seed(1)
    first, _ = toy.train(seed=3)
    torch.manual_seed(2)
    again, _ = toy.train(seed=3)
    other, _ = toy.train(seed=4)
    assert toy.same(toy.weights(first), toy.weights(again))
    assert not toy.same(toy.weights(first), toy.weights(other))


def test_it_trains_when_called_under_no_grad_and_inference_mode(toy):
    plain, _ = toy.train()
    for guard in (torch.no_grad(), torch.inference_mode()):
        model = toy.net(dropout=0.2)
        with guard:
            toy.train(model=model)
        assert toy.same(toy.weights(model), toy.weights(plain))


def test_epochs_count_micro_batches_and_the_carry_starts_anew(toy):
    starts = []

    def loss(model, batch, carry):
        starts.append(carry is None)
        return toy.loss(model, batch, carry)

    batches = toy.Batches(5)
    _, result = toy.train(batches=batches, loss=loss, steps=None, epochs=3, accumulate=2)
    assert result.steps == 8  # 15 micro-batches, two a step, rounded up
    assert batches.asked == list(range(16))
    assert [k for k, start in enumerate(starts) if start] == [0, 5, 10, 15]


def test_the_default_budget_is_ten_epochs_and_the_smallest_counts(toy):
    assert toy.train(steps=None)[1].steps == 50
    assert toy.train(steps=7, epochs=2)[1].steps == 7
    assert toy.train(steps=70, epochs=2)[1].steps == 10


def test_minutes_fix_a_number_of_steps_and_give_the_same_run(toy, tmp_path):
    model, result = toy.train(tmp_path / "a", steps=None, minutes=0.02, evaluate_every=5)
    assert 0.1 < result.seconds < 12  # the machine may be busy while it is timed, or after
    again, other = toy.train(tmp_path / "b", steps=result.steps, evaluate_every=5)
    assert other.steps == result.steps
    assert toy.same(toy.weights(model), toy.weights(again))
    kept, resumed = toy.train(
        tmp_path / "a", steps=None, minutes=0.02, evaluate_every=5, resume=True
    )
    assert resumed.steps == result.steps
    assert toy.same(toy.weights(kept), toy.weights(model))


def test_patience_stops(toy):
    values = iter([3.0, 2.0, 2.5, float("nan"), 2.0, 1.0])
    _, result = toy.train(metric=lambda model: {"m": next(values)}, patience=3, evaluate_every=2)
    assert result.stopped == "patience"
    assert (result.steps, result.best_step, result.best) == (10, 4, {"m": 2.0})


def test_plateau_lowers_the_rate(toy):
    lines = []
    toy.train(
        metric=lambda model: {"m": 1.0}, schedule="plateau", plateau_patience=2, evaluate_every=2,
        log_every=1, plateau_factor=0.1, lr=0.1, min_lr=0.005, on_log=lines.append,
    )  # fmt: skip
    rates = [line["lr"] for line in lines if "lr" in line]
    assert rates == pytest.approx([0.1] * 6 + [0.01] * 4 + [0.005] * 10)


class Tied(nn.Module):
    """A parameter used twice, a frozen one, a parametrised one, buffers of both kinds."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = (nn.Linear(2, 2, dtype=torch.float64) for _ in range(3))
        self.c.weight = self.b.weight
        self.frozen = nn.Parameter(torch.ones(2, dtype=torch.float64), requires_grad=False)
        nn.utils.parametrizations.orthogonal(self.a, "weight")
        self.norm = nn.BatchNorm1d(2, dtype=torch.float64)
        self.register_buffer("count", torch.zeros(()), persistent=False)

    def forward(self, x):
        if self.training:
            self.count += 1
        return self.norm(self.c(self.b(self.a(x))) * self.frozen)


def _tied_loss(model, batch, carry):
    return (model(batch[0].flatten(0, 1)) - 1).square().mean(), None


def test_shared_frozen_and_parametrised_parameters_and_buffers(toy, tmp_path):
    torch.manual_seed(0)
    model = Tied()
    toy.train(tmp_path, model=model, loss=_tied_loss, metric=None)
    weight = model.a.weight.detach()
    torch.testing.assert_close(weight @ weight.T, torch.eye(2, dtype=weight.dtype))
    assert model.count == 20
    assert model.c.weight is model.b.weight
    assert torch.equal(model.frozen, torch.ones(2, dtype=torch.float64))
    torch.manual_seed(9)
    again = Tied()
    toy.train(tmp_path, model=again, loss=_tied_loss, metric=None, resume=True)
    assert toy.same(toy.weights(model), toy.weights(again))
    assert again.count == 20


def test_history_and_on_log_say_the_same(toy, tmp_path):
    lines = []
    _, result = toy.train(tmp_path, on_log=lines.append)
    stored = [json.loads(line) for line in result.history.read_text().splitlines()]
    assert stored == lines
    assert [line["step"] for line in stored if "loss" in line] == [4, 8, 12, 16, 20]
    assert [line["step"] for line in stored if "metrics" in line] == [5, 10, 15, 20]


def test_clipped_share(toy):
    assert toy.train(clip_norm=1e-6)[1].clipped == 1.0
    assert toy.train(clip_norm=None)[1].clipped == 0.0


def test_errors_of_batches_surface_with_their_number(toy):
    class Broken(toy.Batches):
        def __getitem__(self, k):
            if k == 7:
                raise KeyError("no such row")
            return super().__getitem__(k)

    with pytest.raises(KeyError, match="no such row") as caught:
        toy.train(batches=Broken())
    assert caught.value.__notes__ == ["raised by batches[7]"]
