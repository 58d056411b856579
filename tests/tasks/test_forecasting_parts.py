"""Splits, metrics, naive forecasts, windows and the network, each against what it should be."""

import dataclasses

import numpy as np
import pytest
import torch

from elman.cells import GRU, LSTM, RNN
from elman.data import DataError, read_panel
from elman.nn.baselines import FeedForward, NLinear
from elman.tasks.forecast import ForecastSettings, examples
from elman.tasks.forecasting.baselines import baselines, naive_forecasts, size
from elman.tasks.forecasting.encoding import NOTHING
from elman.tasks.forecasting.memory import ending
from elman.tasks.forecasting.metrics import average, naive_error, scores_of
from elman.tasks.forecasting.network import SegmentNetwork
from elman.tasks.forecasting.splits import Shape, least_length, origins, split
from elman.tasks.forecasting.windows import Windows, cut, forecast


def panel(*lengths, seed=0):
    """Series a, b, ... of these lengths, with times as integers."""
    draw = np.random.Generator(np.random.Philox(seed))
    table = {"unique_id": [], "ds": [], "y": []}
    for name, length in zip("abcdef", lengths, strict=False):
        table["unique_id"] += [name] * length
        table["ds"] += list(range(length))
        table["y"] += draw.normal(5, 2, length).tolist()
    return read_panel(table)


SHAPE = Shape(h=4, window=10, segment=2, season=3, validation=2, test=3)


def test_the_parts_of_a_series_do_not_overlap_and_the_test_comes_last():
    parts, short = split(panel(100), SHAPE)
    part = parts[0]
    seen = {which: origins(part, SHAPE, which) for which in ("train", "validation", "test")}
    assert not short
    assert part.train_end == 100 - 5 * 4
    assert seen["train"][0] == 10
    assert seen["train"][-1] + 4 == part.train_end
    assert seen["validation"].tolist() == [80, 84]
    assert seen["test"].tolist() == [88, 92, 96]


def test_statistics_come_from_the_training_part_alone():
    one = panel(100)
    changed = dataclasses.replace(one.series[0], values=one.series[0].values.copy())
    changed.values[80:] *= 1000
    other = dataclasses.replace(one, series=(changed,))
    first, second = (split(each, SHAPE)[0][0] for each in (one, other))
    assert (first.scale, first.naive) == (second.scale, second.naive)
    assert first.scale == pytest.approx(one.series[0].values[:80].std())


def test_training_batches_do_not_see_what_is_held_out():
    one = panel(100)
    one.series[0].values[80:] = np.nan
    windows = Windows(split(one, SHAPE)[0], SHAPE, 16, seed=0)
    for k in range(20):
        assert torch.isfinite(windows[k].x).all()
        assert torch.isfinite(windows[k].y).all()


def test_a_batch_depends_on_the_seed_and_its_number_alone():
    parts, _ = split(panel(60, 70), SHAPE)
    windows = Windows(parts, SHAPE, 8, seed=1)
    later = windows[7]
    assert torch.equal(Windows(parts, SHAPE, 8, seed=1)[7].x, later.x)
    assert not torch.equal(Windows(parts, SHAPE, 8, seed=2)[7].x, later.x)
    assert later.x.shape == (8, 10)
    assert later.y.shape == (8, 4)
    assert (later.x[:, -1] == 0).all(), "shifted by the last value"


def test_short_series_are_padded_and_too_short_ones_named():
    need = least_length(SHAPE)
    parts, short = split(panel(need, need - 1, 60), SHAPE)
    assert short == ["b"]
    assert [part.id for part in parts] == ["a", "c"]
    assert parts[0].pad > 0
    assert origins(parts[0], SHAPE, "train").size == 1
    assert (parts[0].values[: parts[0].pad + 1] == parts[0].values[0]).all()


def test_too_little_data_is_refused_with_what_would_do():
    with pytest.raises(DataError, match=r"at least 96 steps for h=24.*got 50.*at most 12"):
        examples(panel(50), ForecastSettings(h=24))
    shape, parts, _ = examples(panel(50), ForecastSettings(h=12))
    assert len(parts) == 1
    assert shape.window >= 1


def test_metrics_are_those_of_their_definitions():
    truth, made = np.array([[1.0, -2.0], [0.0, 4.0]]), np.array([[2.0, -2.0], [0.0, 1.0]])
    scores = scores_of(truth, made, naive=0.5)
    assert scores.mae == 1.0
    assert scores.rmse == pytest.approx(np.sqrt(10 / 4))
    assert scores.smape == pytest.approx((200 / 3 + 0 + 0 + 600 / 5) / 4)
    assert scores.mase == 2.0
    assert naive_error(np.array([1.0, 5.0, 2.0, 7.0]), season=2) == 1.5
    assert np.isnan(naive_error(np.ones(9), season=2))


def test_mase_is_averaged_over_the_series_that_have_it():
    ones = np.ones((1, 2))
    without = scores_of(ones, ones + 1, float("nan"))
    assert without.mase is None
    assert without.chosen_by == 1.0
    assert average([without, scores_of(ones, ones + 1, 0.25)]).mase == 4.0


def test_naive_forecasts():
    windows = np.arange(20.0).reshape(2, 10)
    found = naive_forecasts(windows, SHAPE)
    assert found["repeat"].tolist() == [[9] * 4, [19] * 4]
    assert found["seasonal naive (3)"].tolist() == [[7, 8, 9, 7], [17, 18, 19, 17]]
    assert list(naive_forecasts(windows, dataclasses.replace(SHAPE, season=1))) == ["repeat"]


@pytest.mark.parametrize("cell", [GRU, LSTM, RNN])
@pytest.mark.parametrize(
    ("window", "h", "segment", "layers"), [(10, 4, 2, 1), (11, 5, 3, 2), (1, 1, 1, 1)]
)
def test_the_network_starts_at_the_last_value_and_learns(cell, window, h, segment, layers):
    net = SegmentNetwork(cell, window, h, segment, hidden=6, layers=layers, dropout=0.1).eval()
    x = torch.randn(3, window)
    assert (net(x) == 0).all(), "zero on the scale of windows is the last value"
    windows = np.random.default_rng(0).normal(size=(3, window))
    last = np.repeat(windows[:, -1:], h, axis=1)
    shape = dataclasses.replace(SHAPE, window=window, h=h)
    assert np.allclose(forecast(net, windows, np.ones(3), shape), last)
    net(x).sum().backward()
    assert net.head.weight.grad is not None
    assert (net.head.weight.grad != 0).any(), "the recurrence is not cut off by starting at zero"


def test_networks_start_at_the_naive_forecast_that_trains_better():
    values = np.tile([1.0, 9.0, 4.0], 40) + np.random.default_rng(0).normal(size=120) / 10
    table = {"ds": list(range(120)), "y": values.tolist()}
    shape, parts, _ = examples(read_panel(table, season=3), ForecastSettings(h=4, season=3))
    assert shape.start == 3
    one = cut(parts, shape, "test")[0]
    expected = naive_forecasts(one.windows, shape)["seasonal naive (3)"]
    size = (shape.window, shape.h)
    for net in (
        NLinear(*size, 3),
        FeedForward(*size, 5, season=3),
        SegmentNetwork(GRU, *size, 2, hidden=4, season=3),
    ):
        made = forecast(net, one.windows, np.ones(len(one.windows)), shape)
        assert np.allclose(made, expected, atol=1e-5)
    steps = np.random.default_rng(1).normal(size=120)
    walk = {"ds": list(range(120)), "y": np.cumsum(steps).tolist()}
    assert examples(read_panel(walk, season=9), ForecastSettings(h=4, season=9))[0].start == 0


def test_each_row_is_forecast_for_itself():
    net = SegmentNetwork(GRU, 12, 6, 3, hidden=5).eval()
    torch.nn.init.normal_(net.head.weight)
    x = torch.randn(4, 12)
    alone = torch.cat([net(row[None]) for row in x])
    torch.testing.assert_close(net(x), alone)


def test_the_feedforward_baseline_is_as_large():
    shape = dataclasses.replace(SHAPE, window=100, h=20)
    net = SegmentNetwork(GRU, 100, 20, 10, hidden=32)
    others = baselines(net, 0.1, shape, NOTHING.sizes)
    assert isinstance(others["NLinear"], NLinear)
    assert isinstance(others["feedforward"], FeedForward)
    assert size(others["feedforward"]) == pytest.approx(size(net), rel=0.02)


def test_baselines_see_every_covariate_and_begin_without_them():
    shape = dataclasses.replace(SHAPE, window=5, h=3)
    sizes = {"n_hist": 1, "n_futr": 2, "n_stat": 3}
    net = SegmentNetwork(GRU, 5, 3, 1, hidden=4, **sizes)
    shapes = [(2, 5), (2, 5, 1), (2, 8, 2), (2, 3)]
    inputs = [torch.randn(size, requires_grad=True) for size in shapes]
    found = baselines(net, 0.0, shape, sizes)
    without = baselines(net, 0.0, shape, NOTHING.sizes)
    for name, network in found.items():
        assert torch.equal(network(*inputs), without[name](inputs[0])), name
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter)
        for row in torch.autograd.grad(network(*inputs).square().sum(), inputs):
            assert (row != 0).all(), name
        for missing in range(1, 4):
            fewer = [None if k == missing else one for k, one in enumerate(inputs)]
            with pytest.raises(ValueError, match="covariates; got 0; give what"):
                network(*fewer)
    # The hidden layer makes more of them than a sum.
    moved = [one.detach().clone() for one in inputs]
    moved[3] += 1

    def change(name, x):
        return found[name](x, *moved[1:]) - found[name](x, *inputs[1:])

    x, other = inputs[0], 3 * inputs[0] + 1
    torch.testing.assert_close(change("NLinear", x), change("NLinear", other))
    assert not torch.allclose(change("feedforward", x), change("feedforward", other), atol=1e-3)


def test_the_ends_of_short_series_are_padded():
    assert ending(np.arange(5.0), 3).tolist() == [2, 3, 4]
    assert ending(np.arange(1.0, 3.0), 4).tolist() == [1, 1, 1, 2]


def test_windows_of_the_test_are_followed_by_the_truth():
    parts, _ = split(panel(100), SHAPE)
    one = cut(parts, SHAPE, "test")[0]
    assert one.windows.shape == (3, 10)
    assert one.truth.shape == (3, 4)
    assert np.array_equal(one.truth[-1], parts[0].values[-4:])
    assert np.array_equal(one.windows[-1], parts[0].values[-14:-4])
