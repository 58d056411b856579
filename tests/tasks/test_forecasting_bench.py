"""The yardstick of M4: metrics by hand, and the benchmark's Naive2 beside the library's."""

import importlib
from pathlib import Path

import numpy as np
import pytest

from elman.tasks.forecasting.baselines import naive2
from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.windows import cut

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def m4(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("forecast_m4")


def daily(length=480, seed=0):
    draw = np.random.Generator(np.random.Philox(seed))
    return 100 + 20 * np.sin(np.arange(length) * np.pi / 12) + draw.normal(size=length)


def test_smape_and_mase_are_those_of_their_definitions(m4):
    truth, made = np.array([100.0, 300.0]), np.array([300.0, 300.0])
    assert m4.smape(truth, made) == pytest.approx(200 * (200 / 400) / 2)
    y = np.tile([1.0, 2.0], 24)
    y[24:] += 5
    assert m4.mase(truth, made, y) == pytest.approx(100 / 5)


def test_owa_is_one_for_naive2_and_the_mean_of_two_ratios(m4):
    train = [daily(480, 0), daily(504, 1)]
    test = [daily(528, 0)[480:], daily(552, 1)[504:]]
    naive = [m4.naive2(y) for y in train]
    assert m4.scores(train, test, naive)[2] == pytest.approx(1)
    perfect = m4.scores(train, test, test)
    assert perfect == (0, 0, 0)
    made = [t + 1 for t in test]
    smape, mase, owa = m4.scores(train, test, made)
    reference = m4.scores(train, test, naive)
    assert owa == pytest.approx((smape / reference[0] + mase / reference[1]) / 2)


def test_naive2_is_the_librarys(m4):
    y = daily(576)
    shape = Shape(48, 48, 24, 24, validation=1, test=1)
    one = cut([Part("a", y, 0, 480, 1.0, 1.0)], shape, "validation")[0]
    assert np.allclose(naive2(one, shape)[0], m4.naive2(y[:480]))
    noise = np.random.default_rng(0).normal(10, 1, 480)
    assert (m4.naive2(noise) == noise[-1]).all()
