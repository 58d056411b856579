"""Quantiles, covariates, the common scale and the linear start, each against what it should be."""

import dataclasses

import numpy as np
import pytest
import torch

from elman.cells import GRU
from elman.nn.baselines import LinearMap, NLinear, naive_
from elman.tasks.forecast import Forecaster
from elman.tasks.forecasting.linear_start import Kept, choose_transform, set_start, solve
from elman.tasks.forecasting.metrics import naive_error
from elman.tasks.forecasting.network import SegmentNetwork
from elman.tasks.forecasting.scaling import scale_of
from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.spread import Spread, objective, pinball
from elman.tasks.forecasting.windows import Validation, Windows, cut, forecast, weights
from elman.train import FitResult, FitSettings, fit

SHAPE = Shape(h=4, window=12, segment=4, season=4, validation=2, test=2)


def part(values, name="a", **covariates):
    """A series, the last 16 steps held out."""
    values = np.asarray(values, float)
    training = values[: values.size - SHAPE.held_out]
    naive = naive_error(training, SHAPE.season)
    return Part(name, values, 0, training.size, float(training.std()), naive, **covariates)


@pytest.mark.parametrize("quantiles", [(0.1, 0.9), (0.025, 0.1, 0.5, 0.9, 0.975), (0.2,)])
def test_quantiles_are_ordered_and_lie_about_the_forecast(quantiles):
    net = SegmentNetwork(GRU, 11, 5, 3, hidden=6, quantiles=quantiles).eval()
    for one in (net.head, net.spread.head):
        torch.nn.init.normal_(one.weight)
    made = net(torch.randn(7, 11))
    assert made.shape == (7, 5, 1 + len(quantiles))
    value, rest = made[..., :1], made[..., 1:]
    assert (rest.diff(dim=-1) >= 0).all()
    for k, q in enumerate(quantiles):
        apart = rest[..., k : k + 1] - value
        assert (apart.sign() == np.sign(q - 0.5)).all()


def test_quantiles_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="quantiles must ascend"):
        Spread(4, 2, (0.9, 0.1))


def test_the_pinball_loss_is_that_of_its_definition_and_does_not_pull_at_the_forecast():
    made = torch.tensor([[[1.0, 4.0]]])
    found = pinball(made, torch.tensor([[2.0]]), (0.1, 0.9))
    assert found.item() == pytest.approx((0.1 * 1 + 0.1 * 2) / 2)
    net = SegmentNetwork(GRU, 8, 4, 2, hidden=4, quantiles=(0.1, 0.9))
    x, y, one = torch.randn(3, 8), torch.randn(3, 4), torch.ones(3)
    both = objective(net(x), y, one, "mae", (0.1, 0.9))
    both.backward()
    shared = net.linear.weight.grad.clone()
    net.zero_grad()
    objective(net(x)[..., 0], y, one, "mae", ()).backward()
    torch.testing.assert_close(net.linear.weight.grad, shared)


def test_rows_count_by_their_weight():
    made, y = torch.zeros(2, 3), torch.tensor([[1.0] * 3, [4.0] * 3])
    assert objective(made, y, torch.tensor([1.0, 0.5]), "mae", ()).item() == 1.5
    assert objective(made, y, torch.tensor([1.0, 0.5]), "mse", ()).item() == 4.5


def test_the_quantiles_that_are_learnt_hold_their_share():
    draw = np.random.Generator(np.random.Philox(0))
    one = part(draw.normal(size=3000))
    torch.manual_seed(0)
    net = SegmentNetwork(GRU, 12, 4, 4, hidden=8, quantiles=(0.1, 0.9))

    def loss(model, batch, carry):
        return objective(model(*batch.inputs), batch.y, batch.weight, "mae", (0.1, 0.9)), carry

    set_start([net], solve([one], SHAPE))
    windows = Windows([one], SHAPE, 128, seed=0)
    fit(net, windows, loss, None, FitSettings(steps=200, lr=0.01, ema=0.9))
    batch = windows.some(2000)
    with torch.no_grad():
        made = net(*batch.inputs)
    share = ((made[..., 1] < batch.y) & (batch.y < made[..., 2])).float().mean().item()
    assert share == pytest.approx(0.8, abs=0.04)


def test_covariates_have_no_influence_at_first_and_each_of_them_can_get_some():
    net = SegmentNetwork(GRU, 11, 5, 3, hidden=6, n_hist=2, n_futr=1, n_stat=3).eval()
    torch.nn.init.normal_(net.head.weight)
    x, known = torch.randn(2, 11), [torch.randn(2, 11, 2), torch.randn(2, 16, 1), torch.randn(2, 3)]
    silent = SegmentNetwork(GRU, 11, 5, 3, hidden=6).eval()
    silent.load_state_dict(net.state_dict(), strict=False)
    torch.testing.assert_close(net(x, *known), silent(x))
    net(x, *known).pow(2).sum().backward()
    for name, parameter in net.covariates.named_parameters():
        if name.endswith("weight"):
            assert (parameter.grad != 0).any(), name
    with pytest.raises(ValueError, match="futr must have 1 covariates; got 0"):
        net(x, known[0], None, known[2])


def test_a_future_covariate_that_drives_a_series_is_used():
    draw = np.random.Generator(np.random.Philox(1))
    driver = draw.normal(size=(600, 1))
    one = part(3 * driver[:, 0] + draw.normal(size=600) / 10, futr=driver)
    errors = {}
    for n_futr in (0, 1):
        series = one if n_futr else dataclasses.replace(one, futr=None)
        torch.manual_seed(0)
        net = SegmentNetwork(GRU, 12, 4, 4, hidden=8, n_futr=n_futr)

        def loss(model, batch, carry):
            return objective(model(*batch.inputs), batch.y, batch.weight, "mae", ()), carry

        fit(net, Windows([series], SHAPE, 64, seed=0), loss, None, FitSettings(steps=150, lr=0.02))
        errors[n_futr] = Validation([series], SHAPE)(net)
    assert errors[1] < 0.4 * errors[0]


def test_covariates_are_cut_like_the_values():
    steps = np.arange(60.0)
    known = {"hist": steps[:, None], "futr": steps[:, None] * 2, "static": np.array([5.0])}
    other = {"hist": -steps[:, None], "futr": steps[:, None] * 3, "static": np.array([6.0])}
    parts = [part(steps, **known), part(steps + 100, "b", **other)]
    batch = Windows(parts, SHAPE, 16, seed=0)[3]
    first = batch.static[:, 0] == 5.0
    assert first.any()
    assert not first.all()
    assert batch.hist.shape == (16, 12, 1)
    assert batch.futr.shape == (16, 16, 1)
    ends = batch.hist[:, -1, 0] * torch.where(first, 1, -1)
    torch.testing.assert_close(batch.futr[:, -1, 0], (ends + 4) * torch.where(first, 2, 3))
    one = cut(parts, SHAPE, "test")[1]
    assert one.known.futr[0, -1, 0] == 3 * (one.truth[0, -1] - 100)


def test_logarithms_are_undone_and_do_not_depend_on_the_unit_of_the_values():
    shape = dataclasses.replace(SHAPE, log=True)
    windows = np.exp(np.random.default_rng(0).normal(size=(5, 12)))
    scales = windows.std(1)
    scale = scale_of(windows, scales, shape)
    assert np.allclose(scale.back(scale.put(windows)), windows, rtol=1e-5)
    assert np.allclose(
        scale_of(1000 * windows, 1000 * scales, shape).put(1000 * windows),
        scale.put(windows),
        atol=1e-5,
    )
    assert (scale.put(windows)[:, -1] == 0).all()
    assert scale.back(np.zeros((5, 3, 2), np.float32)).shape == (5, 3, 2)
    wild = scale.back(np.full((5, 3), 1e6, np.float32))
    assert np.isfinite(wild).all()


def test_logarithms_are_chosen_where_changes_are_in_per_cent():
    steps = np.arange(160)
    noise = np.random.default_rng(0).normal(size=160)
    growing = part(np.exp(np.sin(steps * np.pi / 2) + noise))
    assert choose_transform([growing], SHAPE, "auto").log
    assert not choose_transform([growing], SHAPE, "none").log
    steady = part(np.sin(steps * np.pi / 2) + noise)
    assert not choose_transform([steady], SHAPE, "auto").log, "values below zero"
    assert not choose_transform([steady], SHAPE, "log").log


def test_the_start_is_the_linear_map_of_a_linear_series():
    values = [1.0, 0.5]
    for _ in range(200):
        values.append(1.6 * values[-1] - 0.9999 * values[-2])
    one = part(values)
    found = solve([one], SHAPE)
    nets = [NLinear(12, 4), SegmentNetwork(GRU, 12, 4, 4, hidden=4)]
    set_start(nets, found)
    for net in nets:
        assert Validation([one], SHAPE)(net) == pytest.approx(found.error)
    naive = NLinear(12, 4, season=SHAPE.season)
    assert found.error < 0.1 * Validation([one], SHAPE)(naive)


def test_a_start_that_training_does_not_better_is_kept():
    net = NLinear(6, 2)
    kept = Kept(net, lambda model: {"MASE": 1.0})
    worse = FitResult(9, 5, {"MASE": 1.5}, "budget", 0.0, 0, 0.0, None, None)
    net.linear.add_(torch.ones(2, 6), torch.ones(2))
    better = dataclasses.replace(worse, best={"MASE": 0.5})
    assert kept.unless_better(better) is better
    assert (net(torch.ones(6)) != 0).all()
    found = kept.unless_better(worse)
    assert (found.best_step, found.best) == (0, {"MASE": 1.0})
    assert (net(torch.ones(6)) == 0).all()


def test_a_linear_map_is_what_its_slow_weights_say():
    linear = naive_(LinearMap(6, 4), 3)
    assert torch.allclose(linear(torch.arange(6.0)), torch.tensor([3.0, 4.0, 5.0, 3.0]))
    linear.add_(torch.zeros(4, 6), torch.ones(4))
    assert torch.allclose(linear(torch.zeros(6)), torch.ones(4))


def test_errors_count_by_what_was_asked():
    parts = [part([0, 1] * 40), part([100, 103] * 40, "b")]
    parts = [
        dataclasses.replace(one, naive=naive) for one, naive in zip(parts, (0.5, 6.0), strict=True)
    ]
    assert weights(parts, "scale").tolist() == pytest.approx([2.0, 1 / 1.5])
    assert weights(parts, "mase").tolist() == pytest.approx([2.0, 1 / 6])
    relative = np.mean([0.5 / 0.5, 6 / 101.5])
    expected = [(2 + 1 / (0.5 * relative)) / 2, (1 / 6 + 1 / (101.5 * relative)) / 2]
    assert weights(parts, "owa").tolist() == pytest.approx(expected)


def test_a_series_that_grows_is_forecast_on_the_log_scale_to_the_end():
    steps = np.arange(144)
    noise = np.random.default_rng(0).normal(size=144) / 50
    y = 100 * np.exp(steps / 60 + 0.2 * np.sin(steps * np.pi / 6) + noise)
    forecaster = Forecaster(h=12, hidden=8, steps=20, season=12, transform="log").fit(
        {"ds": steps.tolist(), "y": y.tolist()}
    )
    assert forecaster.fitted.shape.log
    ahead = 100 * np.exp((144 + np.arange(12)) / 60 + 0.2 * np.sin(np.arange(12) * np.pi / 6))
    made = forecaster.predict()["elman"].to_numpy()
    assert np.abs(made / ahead - 1).mean() < 0.05
    assert forecast(
        NLinear(3, 2), np.ones((1, 3)), np.ones(1), Shape(2, 3, 1, 1, 1, 1, log=True)
    ).tolist() == [[1.0, 1.0]]
