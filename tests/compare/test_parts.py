"""The parts of a comparison: matching, intervals, tuning, costs."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import nn

from elman.compare.cost import bytes_a_step, seconds_a_step
from elman.compare.interval import difference, mean, student
from elman.compare.matching import hidden_for, parameters
from elman.compare.settings import CompareSettings
from elman.compare.tuning import draws
from elman.nn import Recurrent


@given(some.integers(1, 40_000))
def test_the_size_found_is_the_nearest(wanted):
    def count(hidden):
        return parameters(Recurrent("GRU", 5, hidden))

    found = hidden_for(lambda hidden: Recurrent("GRU", 5, hidden), wanted)
    for other in {max(1, found - 1), found + 1}:
        assert abs(count(found) - wanted) <= abs(count(other) - wanted)


def test_a_network_larger_than_wanted_has_one_unit():
    assert hidden_for(lambda hidden: nn.Linear(100, hidden), 3) == 1


def test_the_interval_is_students():
    # Of 1, 2, 3: standard deviation 1, two degrees of freedom.
    found = mean([1.0, 2.0, 3.0])
    assert found.value == pytest.approx(2.0)
    assert found.half == pytest.approx(4.303 / math.sqrt(3), rel=1e-3)
    assert mean([5.0]).half is None
    assert mean([5.0]).text() == "5.000"
    assert found.text(1) == "2.0 ± 2.5"


def test_the_factor_falls_towards_that_of_the_normal_distribution():
    factors = [student(k) for k in range(1, 200)]
    assert all(a > b for a, b in itertools.pairwise(factors))
    assert student(30) == pytest.approx(2.042, abs=3e-3)
    assert student(10_000) == pytest.approx(1.960, abs=1e-3)


def test_differences_are_taken_seed_by_seed():
    assert difference([1.1, 2.1, 3.1], [1.0, 2.0, 3.0]).half == pytest.approx(0.0, abs=1e-9)
    against = difference([1.0, 3.0], [1.0])
    assert against.value == pytest.approx(1.0)
    assert against.half > 1


def test_the_same_settings_are_drawn_for_all_and_the_first_is_the_default():
    found = draws(20, 1e-2, 0.1, seed=3)
    assert found == draws(20, 1e-2, 0.1, seed=3)
    assert found != draws(20, 1e-2, 0.1, seed=4)
    assert found[0] == (1e-2, 1.0, 0.1)
    assert found[:5] == draws(5, 1e-2, 0.1, seed=3), "more settings begin with the same"
    rates = np.array([one.lr for one in found])
    assert rates.min() >= 2e-3
    assert rates.max() <= 5e-2
    assert {one.share for one in found} == {0.25, 0.5, 1.0}
    assert all(0 <= one.dropout <= 0.5 for one in found)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seeds": 0}, "seeds must be 1 or more"),
        ({"tune": True}, "tune must be a whole number"),
        ({"match": "width"}, "match must be parameters or time"),
    ],
)
def test_settings_that_break_a_rule(given, said):
    with pytest.raises((ValueError, TypeError), match=said):
        CompareSettings(**given)


class Squares:
    """The least that costs need of a contest."""

    def __init__(self, rows):
        self.x = torch.randn(rows, 4)

    def batch(self):
        return self.x

    def loss(self, model, batch, carry=None):
        return model(batch).square().sum(), carry


def test_memory_counts_what_is_kept_once_and_no_parameters():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    # The inputs of both, for gradients of their weights, and the output, for that of the square.
    assert bytes_a_step(Squares(10), model) == 4 * 10 * (4 + 3 + 2)
    assert bytes_a_step(Squares(20), model) == 2 * bytes_a_step(Squares(10), model)


def test_timing_leaves_no_gradients_behind():
    model = nn.Linear(4, 3)
    assert seconds_a_step(Squares(10), model) > 0
    assert all(p.grad is None for p in model.parameters())
