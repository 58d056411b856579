"""`elman.compare.compare` on small data of every task that enrolled."""

import json
import math

import pytest
import torch

from elman import Cell
from elman.compare import compare
from elman.ops import tanh
from elman.tasks.comparing import contest_of, contests

VALUES = [float((k % 12 - 6) ** 2 + k % 5) for k in range(400)]
TABLE = {"ds": list(range(400)), "y": VALUES}
POEM = "the rose is red, the violet's blue, the honey's sweet, and so are you. " * 60
FORECAST = {"h": 6, "season": 12, "hidden": 6, "steps": 6, "evaluate_every": 6}
LANGUAGE = {"hidden": 8, "steps": 4, "length": 16, "batch_size": 8, "evaluate_every": 4}


class Mine(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return tanh(x.n + u.n)


@pytest.fixture(scope="module")
def found():
    torch.manual_seed(0)
    return compare("forecast", TABLE, ["gru", Mine], seeds=2, tune=2, **FORECAST)


@pytest.fixture(scope="module")
def text():
    torch.manual_seed(0)
    return compare("language", POEM, ["RNN"], seeds=2, **LANGUAGE)


def test_all_are_there_and_matched(found):
    names = [one.name for one in found.contestants]
    assert names == ["GRU", "Mine", "feedforward", "causal convolution"]
    assert [one.recurrent for one in found.contestants] == [True, True, False, False]
    full = [one.parameters for one in found.contestants if one.draw.share == 1.0]
    assert max(full) < 1.2 * min(full), "units are few, so steps of size are large"
    assert {len(one.scored) for one in found.contestants} == {2}
    assert {one.scored[0].steps for one in found.contestants} == {6}


def test_tuning_tries_the_same_for_all_and_validation_chooses(found):
    tried = {tuple(t.draw for t in one.tried) for one in found.contestants}
    assert len(tried) == 1
    for one in found.contestants:
        assert one.draw == min(one.tried, key=lambda t: t.score).draw


def test_curves_over_steps_seen_and_order(found):
    for one in found.contestants:
        assert max(one.lengths) == found.steps
        assert set(one.orders) == {0.0, 0.5, 1.0}
        assert one.lengths[found.steps] == one.orders[0.0] == one.test
        assert all(math.isfinite(v) for each in one.lengths.values() for v in each)


def test_baselines_are_those_of_the_task(found, text):
    assert {"repeat", "seasonal naive (12)", "linear map"} <= set(found.baselines["test"])
    assert {"uniform", "unigram", "5-gram"} == set(text.baselines["test"])


def test_a_text_is_compared_without_training_for_views(text):
    assert text.metric == "nats a character"
    assert text.steps == 16
    for one in text.contestants:
        assert set(one.lengths) == {2, 4, 8, 16}
        assert len(one.orders[1.0]) == 1, "one seed for a point"


def test_results_as_json_text_page_and_picture(found, text, tmp_path):
    for one in (found, text):
        stored = json.loads(one.json())
        assert stored["verdict"] == one.verdict()
        assert len(stored["contestants"]) == len(one.contestants)
        html = one.page().html()
        assert html.count("<svg") == 1
        assert "How it was compared" in html
        one.save_picture(tmp_path / f"{one.task}.png")
        assert len(one.figure().axes) == 4
        assert "recurrent network is" in one.text()
    assert "Settings that were tried" in found.page().html()


def test_the_same_seed_gives_the_same_scores():
    few = {"seeds": 1, "curve_seeds": 0, **FORECAST}
    first, again = (compare("forecast", TABLE, ["RNN"], **few) for _ in range(2))
    assert [one.test for one in first.contestants] == [one.test for one in again.contestants]
    assert len(first.figure().axes) == 2, "no curves, no axes for them"


def test_matched_in_time_the_faster_train_for_more_steps():
    found = compare("forecast", TABLE, ["GRU"], seeds=1, curve_seeds=0, match="time", **FORECAST)
    gru, feedforward = found["GRU"], found["feedforward"]
    assert feedforward.step_seconds < gru.step_seconds
    assert feedforward.scored[0].steps > gru.scored[0].steps


def test_every_page_that_offers_a_contest_enrols():
    offered = contests()
    assert {"forecast", "language"} <= set(offered)
    for task, one in offered.items():
        assert one.task == task, "a page has the name of its task"
        assert contest_of(task) is one
        assert set(one.fixed) <= {*one.settings.__dataclass_fields__}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: compare("weather", TABLE), "task must be one of .*forecast"),
        (lambda: compare("forecast", TABLE, []), "cells must be one or more"),
        (lambda: compare("forecast", TABLE, ["GRU", "gru"], h=6), "GRU twice"),
        (lambda: compare("forecast", TABLE, ["GRUU"], h=6), "no cell is called"),
        (lambda: compare("forecast", TABLE), "h must be given"),
        (lambda: compare("forecast", TABLE, h=6, level=[80]), "does not take level"),
        (lambda: compare("forecast", TABLE, h=6, hiden=3), "did you mean 'hidden'"),
        (
            lambda: compare("forecast", TABLE, h=6, season=12, epochs=1, match="time"),
            "needs a budget of steps",
        ),
    ],
)
def test_mistakes_are_explained(call, said):
    with pytest.raises((TypeError, ValueError), match=said):
        call()
