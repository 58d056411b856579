"""What a comparison says, on scores that are made up."""

import dataclasses

import pytest

from elman.compare import Comparison
from elman.compare.settings import CompareSettings
from elman.compare.trial import Contestant, Scored
from elman.compare.tuning import Draw


def network(name, scores, *, recurrent, seconds=1.0, lengths=None, orders=None):
    scored = tuple(Scored(k, v, v + 0.01, seconds, 100) for k, v in enumerate(scores))
    sizes = (8, 100, Draw(1e-3, 1.0, 0.0), (), scored, 1e-3, 1000)
    return Contestant(name, recurrent, *sizes, lengths or {}, orders or {})


def comparison(cell, other, naive=1.0, **more):
    contestants = (
        network("GRU", cell, recurrent=True, **more),
        network("feedforward", other, recurrent=False, seconds=0.25),
    )
    baselines = {which: {"repeat": naive} for which in ("validation", "test")}
    settings = CompareSettings(seeds=len(cell))
    return Comparison("forecast", "data", "MASE", "one value", 8, settings, contestants, baselines)


def test_a_lead_beyond_chance_is_worth_it():
    found = comparison([0.70, 0.71, 0.72], [0.80, 0.81, 0.80])
    assert found.worth_it
    assert "worth it here: GRU is 11.6 % better than feedforward" in found.verdict()
    assert "NOT" not in found.verdict()


def test_a_lead_within_chance_is_not_shown():
    found = comparison([0.60, 0.90, 0.80], [0.80, 0.79, 0.81])
    assert not found.worth_it
    assert "NOT shown to be worth it" in found.verdict()
    assert "3 seeds cannot tell GRU" in found.verdict()


def test_a_clear_loss_names_who_is_better():
    found = comparison([0.90, 0.91, 0.92], [0.80, 0.81, 0.80])
    assert "NOT worth it here: feedforward is 13.3 % better" in found.verdict()
    naive = comparison([0.90, 0.91, 0.92], [0.95, 0.96, 0.97], naive=0.5)
    assert "repeat is 82.0 % better" in naive.verdict()
    assert "repeat needs no training" in naive.remarks()[0]


def test_nothing_is_as_good_as_no_error_at_all():
    flawless = comparison([0.10, 0.11, 0.12], [0.0, 0.0, 0.0])
    assert "NOT worth it here: feedforward is better;" in flawless.verdict()
    assert "NOT shown" in comparison([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]).verdict()


@pytest.mark.parametrize(("score", "worth"), [(0.79, True), (0.799, False), (0.81, False)])
def test_one_seed_must_lead_by_one_per_cent(score, worth):
    assert comparison([score], [0.80]).worth_it == worth


def test_the_cheaper_one_is_named():
    found = comparison([0.7, 0.71], [0.8, 0.81])
    assert "feedforward trains 4.0 times as fast as GRU." in found.remarks()
    same = dataclasses.replace(found.settings, match="time")
    assert dataclasses.replace(found, settings=same).remarks() == []


def test_a_test_that_disagrees_is_said():
    found = comparison([0.7, 0.71], [0.8, 0.81])
    assert not any("disagree" in words for words in found.remarks())
    scores = {"validation": {"repeat": 1.0}, "test": {"repeat": 0.4}}
    other = dataclasses.replace(found, baselines=scores).remarks()[0]
    assert "disagree: on the test repeat is best with 0.400 MASE, and GRU, " in other
    assert "comes to 0.715" in other


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ({1: [0.9], 4: [0.802], 8: [0.8]}, "The last 4 of 8 steps are enough for GRU"),
        ({1: [0.9], 4: [0.85], 8: [0.8]}, "GRU uses what lies far back: with the last 4 of 8"),
        ({1: [0.8], 4: [0.85], 8: [0.8]}, "The last of 8 steps is enough for GRU"),
    ],
)
def test_how_far_back_it_looks(lengths, said):
    found = comparison([0.8], [0.8], lengths=lengths)
    assert any(said in words for words in found.remarks())


@pytest.mark.parametrize(
    ("shuffled", "said"),
    [(0.805, "The order of the steps hardly matters"), (0.9, "The order of the steps matters")],
)
def test_whether_order_matters(shuffled, said):
    found = comparison([0.8], [0.8], orders={0.0: [0.8], 1.0: [shuffled]})
    assert any(said in words for words in found.remarks())


def test_the_table_marks_the_best_on_the_test():
    table = comparison([0.7, 0.71], [0.8, 0.81]).table()
    assert table.best == 0
    assert [row[0] for row in table.rows] == ["GRU", "feedforward", "repeat"]
    assert comparison([0.7], [0.8], naive=0.2).table().best == 2
