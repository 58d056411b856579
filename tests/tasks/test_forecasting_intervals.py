"""Intervals: their coverage, their order, their support, and the metrics of them."""

import numpy as np
import pytest

from elman.tasks.forecasting.baselines import naive2
from elman.tasks.forecasting.checks import levels
from elman.tasks.forecasting.intervals import (
    Made,
    calibrate,
    conformal,
    groups,
    out_of_fold,
    probabilities,
    supported,
    supported_ends,
)
from elman.tasks.forecasting.metrics import average, pinball, scores_of, with_owa
from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.windows import cut

LEVELS = (80, 95)


def walks(count, h=8, seed=0, scale=1.0):
    """Windows whose truth is a random walk from 0, which is the forecast."""
    draw = np.random.Generator(np.random.Philox(seed))
    return np.cumsum(draw.normal(0, scale, (count, h)), 1)


def covered(ends, truth):
    return {at: float(((a <= truth) & (truth <= b)).mean()) for at, (a, b) in ends.items()}


def test_intervals_hold_as_many_values_as_they_say():
    truth, later = walks(600), walks(4000, seed=1)
    ones = np.ones(600)
    found = calibrate(Made(np.zeros_like(truth)), truth, ones, LEVELS)
    assert found.kind == "residual"
    ends = found.intervals(Made(np.zeros_like(later)), np.ones(4000), LEVELS)
    for level, share in covered(ends, later).items():
        assert share == pytest.approx(level / 100, abs=0.02)
    # Each step on its own too, although a walk's first is far less certain than its last.
    for step in range(8):
        a, b = (end[:, step] for end in ends[80])
        assert ((a <= later[:, step]) & (later[:, step] <= b)).mean() == pytest.approx(
            0.8, abs=0.05
        )


def test_a_head_that_is_too_narrow_is_widened_and_chosen_where_it_knows_more():
    draw = np.random.Generator(np.random.Philox(2))
    spread = np.exp(draw.normal(0, 1, 1500))[:, None]
    truth = draw.normal(size=(1500, 4)) * spread
    # Half as wide as it should be, but it knows which windows are uncertain.
    normal = np.asarray([-1.96, -1.28, 1.28, 1.96])
    made = Made(np.zeros_like(truth), 0.5 * spread[..., None] * normal + np.zeros((1500, 4, 4)))
    some, rest = slice(0, 500), slice(500, None)
    head = Made(made.point[some], made.quantiles[some])
    found = calibrate(head, truth[some], np.ones(500), LEVELS)
    assert found.kind == "head"
    ends = found.intervals(Made(made.point[rest], made.quantiles[rest]), np.ones(1000), LEVELS)
    for level, share in covered(ends, truth[rest]).items():
        assert share == pytest.approx(level / 100, abs=0.03)
    # A head that knows nothing loses to the errors of the forecast.
    useless = Made(head.point, np.abs(draw.normal(size=head.quantiles.shape)) * 100 * normal)
    assert calibrate(useless, truth[some], np.ones(500), LEVELS).kind == "residual"


def test_intervals_hold_the_forecast_and_lie_within_each_other():
    truth = walks(50) + 3  # the forecast is off by 3: its quantiles lie to one side
    found = calibrate(Made(np.zeros_like(truth)), truth, np.ones(50), ())
    ends = found.intervals(Made(np.zeros((2, 8))), np.asarray([1.0, 2.0]), (99, 50, 10))
    assert list(ends) == [10, 50, 99]
    for (a, b), (c, d) in zip(list(ends.values())[:-1], list(ends.values())[1:], strict=True):
        assert (c <= a).all()
        assert (a <= 0).all()
        assert (b >= 0).all()
        assert (b <= d).all()
    assert np.allclose(ends[99][1][1], 2 * ends[99][1][0]), "errors are over the scale"


def test_half_of_the_windows_measures_the_other():
    truth = walks(400)
    made = Made(np.zeros_like(truth))
    honest = out_of_fold(made, truth, np.ones(400), LEVELS, "residual")
    changed = truth.copy()
    changed[::2] *= 100
    other = out_of_fold(made, changed, np.ones(400), LEVELS, "residual")
    assert np.array_equal(honest[80][0][::2], other[80][0][::2]), "by the odd ones, as before"
    assert not np.array_equal(honest[80][0][1::2], other[80][0][1::2])
    alone = out_of_fold(Made(made.point[:1]), truth[:1], np.ones(1), LEVELS, "residual")
    assert covered(alone, truth[:1])[95] == 1.0


def test_few_values_give_the_worst_error_and_are_said():
    errors = np.sort(walks(1, 9)[0])
    assert conformal(errors, 9, 80) == pytest.approx((errors[0], errors[-1]))
    assert conformal(errors, 9, 99) == (errors[0], errors[-1])
    truth = walks(2)
    found = calibrate(Made(np.zeros_like(truth)), truth, np.ones(2), ())
    assert found.weak((50, 80, 95)) == [95]


def test_unknown_values_count_for_nothing():
    truth = walks(300)
    truth[:100] = np.nan
    made = Made(np.zeros_like(truth))
    whole = calibrate(made, truth, np.ones(300), LEVELS)
    part = calibrate(Made(made.point[100:]), truth[100:], np.ones(200), LEVELS)
    assert whole.counts.sum() == part.counts.sum() == 1600


def test_steps_are_grouped_so_that_each_group_has_enough_values():
    assert groups(4, 2).tolist() == [0, 0, 0, 0]
    assert groups(4, 100).tolist() == [0, 0, 1, 1]
    assert groups(4, 1000).tolist() == [0, 1, 2, 3]
    assert probabilities((80, 95)) == pytest.approx((0.025, 0.1, 0.9, 0.975))


def test_supports_round_outwards():
    values = np.asarray([[-1.2, 0.4, 2.6]])
    assert supported(values, "real") is values
    assert supported(values, "nonnegative").tolist() == [[0, 0.4, 2.6]]
    assert supported(values, "integer").tolist() == [[0, 0, 3]]
    low, high = supported_ends({80: (values, values)}, "integer")[80]
    assert (low.tolist(), high.tolist()) == ([[0, 0, 2]], [[0, 1, 3]])


def test_pinball_and_coverage_are_those_of_their_definitions():
    y = np.asarray([[0.0, 10.0]])
    bounds = {80: (np.asarray([[1.0, 1.0]]), np.asarray([[5.0, 5.0]]))}
    # Low end at 0.1: 0.9 * 1 for y below, 0.1 * 9 above. High end at 0.9: 0.1 * 5, 0.9 * 5.
    assert pinball(y, bounds) == pytest.approx(((0.9 + 0.9) / 2 + (0.5 + 4.5) / 2) / 2)
    scores = scores_of(y, y, 1.0, 2.0, bounds)
    assert scores.coverage == {"80": 0.0}
    assert scores.pinball == pytest.approx(1.7)


def test_mape_leaves_zeros_out_and_z_scores_divide_by_the_scale():
    y, f = np.asarray([[0.0, 2.0, np.nan]]), np.asarray([[1.0, 3.0, 5.0]])
    scores = scores_of(y, f, 1.0, scale=2.0)
    assert scores.mape == pytest.approx(50)
    assert (scores.zmse, scores.zmae) == (0.25, 0.5)
    assert scores_of(np.zeros((1, 2)), np.ones((1, 2)), 1.0).mape is None
    with pytest.raises(ValueError, match="must have a value"):
        scores_of(np.full((1, 2), np.nan), np.ones((1, 2)), 1.0)
    assert average([scores, scores]).mape == pytest.approx(50)


def test_owa_is_the_mean_of_two_ratios_to_naive2():
    y = np.asarray([[1.0, 2.0]])
    scores = {"a": scores_of(y, y + 1, 0.5), "Naive2": scores_of(y, y + 2, 0.5)}
    found = with_owa(scores, "Naive2")
    assert found["Naive2"].owa == pytest.approx(1)
    ratio = scores["a"].smape / scores["Naive2"].smape
    assert found["a"].owa == pytest.approx((ratio + 0.5) / 2)
    assert with_owa({"Naive2": scores_of(y, y, 0.5)}, "Naive2")["Naive2"].owa is None


@pytest.mark.parametrize("lift", [50.0, 0.0])
def test_naive2_takes_the_season_out_and_puts_it_back(lift):
    shape = Shape(h=5, window=12, segment=4, season=4, validation=1, test=2)
    season = np.tile([4.0, -2.0, 1.0, -3.0], 30)
    values = np.r_[np.full(3, season[0] + lift), season + lift]  # three of padding
    part = Part("a", values, 3, values.size - 15, 1.0, 1.0)
    for one in cut([part], shape, "test"):
        assert np.allclose(naive2(one, shape), one.truth)
    noise = np.random.Generator(np.random.Philox(0)).normal(size=values.size)
    flat = Part("a", noise, 3, values.size - 15, 1.0, 1.0)
    for one in cut([flat], shape, "test"):
        assert (naive2(one, shape) == one.windows[:, -1:]).all(), "no season, none assumed"


def test_levels_are_per_cents():
    assert levels([95, 80.0, 80]) == (80, 95)
    assert levels(90) == (90,)
    assert levels(None) == levels([]) == ()
    for given, words in (
        ([0.8], "did you mean 80"),
        ([100], "below 100"),
        ([-5], "above 0"),
    ):
        with pytest.raises(ValueError, match=words):
            levels(given)
    for given in ("80", ["80"], [True], 3j):
        with pytest.raises(TypeError, match="level must be"):
            levels(given)
