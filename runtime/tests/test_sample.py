"""Drawing a token: the rules, the draws, and every mistake with its message."""

import subprocess
import sys

import numpy as np
import pytest

from elman_runtime.sample import GREEDY, Sampling, choose, probabilities, uniform

GOLDEN = (0.011546754286331562, 0.5023796042735054, 0.8186193145064465, 0.9258067163090251)
P = np.array([0.1, 0.4, 0.05, 0.25, 0.2])
LOGITS = np.log(P) + 3.0


def test_without_rules_it_is_the_softmax():
    assert probabilities(LOGITS, Sampling()) == pytest.approx(P)
    assert probabilities(LOGITS.astype(np.float32), Sampling()).dtype == np.float64


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(temperature=0.5), P**2 / (P**2).sum()),
        (Sampling(temperature=2.0), P**0.5 / (P**0.5).sum()),
        (Sampling(top_k=2), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        (Sampling(top_k=50), P),
        (Sampling(top_p=0.6), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        (Sampling(top_p=0.7), [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85]),
        (Sampling(top_p=1e-9), [0, 1, 0, 0, 0]),
        (Sampling(min_p=0.5), [0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85]),
        (Sampling(min_p=1.0), [0, 1, 0, 0, 0]),
        # Top-k first: of 0.4, 0.25 and 0.2, two come to 0.65 / 0.85.
        (Sampling(top_k=3, top_p=0.75), [0, 0.4 / 0.65, 0, 0.25 / 0.65, 0]),
        (Sampling(temperature=0.0), [0, 1, 0, 0, 0]),
        (Sampling(temperature=1e-300), [0, 1, 0, 0, 0]),
    ],
)
def test_each_rule_leaves_what_it_says(sampling, expected):
    found = probabilities(LOGITS, sampling)
    assert found == pytest.approx(np.asarray(expected), abs=1e-12)
    assert found.sum() == pytest.approx(1)


def test_a_token_that_is_ruled_out_is_never_drawn():
    logits = np.array([-np.inf, 0.0, -np.inf, 0.0, -np.inf])
    drawn = {choose(logits, Sampling(), position=t) for t in range(200)}
    assert drawn == {1, 3}


def test_ties_go_to_the_first():
    assert choose(np.zeros(4), GREEDY) == 0
    assert probabilities(np.zeros(4), Sampling(top_k=2)).tolist() == [0.5, 0.5, 0, 0]


def test_tokens_come_as_often_as_they_are_likely():
    drawn = [choose(LOGITS, Sampling(), seed=3, position=t) for t in range(20_000)]
    assert np.bincount(drawn, minlength=5) / 20_000 == pytest.approx(P, abs=0.012)


def test_draws_are_uniform_and_depend_on_seed_row_and_position_alone():
    draws = np.array([uniform(7, 0, t) for t in range(20_000)])
    assert ((draws >= 0) & (draws < 1)).all()
    assert np.histogram(draws, 10, (0, 1))[0] / 2000 == pytest.approx(np.ones(10), abs=0.08)
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < 0.03
    rows = np.array([uniform(7, 1, t) for t in range(20_000)])
    assert abs(np.corrcoef(draws, rows)[0, 1]) < 0.03
    assert uniform(7, 0, 123) == draws[123]
    assert uniform(8, 0, 123) != draws[123]


def test_the_draws_are_these_for_ever():
    # What a seed writes must not change from version to version.
    drawn = [uniform(0, 0, 0), uniform(0, 0, 1), uniform(5, 2, 10**12), uniform(2**63 - 1, 0, 0)]
    assert drawn == list(GOLDEN)
    again = np.random.Generator(np.random.Philox(key=np.array([5, 2], np.uint64), counter=10**12))
    assert again.random() == drawn[2]


def test_a_draw_near_one_stays_within_the_tokens(monkeypatch):
    import elman_runtime.sample as module

    monkeypatch.setattr(module, "uniform", lambda *_: np.nextafter(1.0, 0))
    for p in (np.full(7, 1 / 7), np.array([0.3, 0.7, 0.0])):
        with np.errstate(divide="ignore"):
            found = choose(np.log(p), Sampling())
        assert p[found] > 0


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"temperature": -1}, ValueError, "temperature must be 0 or more; got -1"),
        ({"temperature": float("nan")}, ValueError, "temperature must be finite"),
        ({"temperature": "hot"}, TypeError, "temperature must be a number; got 'hot'"),
        ({"top_k": -1}, ValueError, "top_k must be a whole number"),
        ({"top_k": 2.5}, ValueError, "top_k must be a whole number"),
        ({"top_p": 0}, ValueError, "top_p must be above 0"),
        ({"top_p": 1.1}, ValueError, "top_p must be above 0"),
        ({"min_p": -0.1}, ValueError, "min_p must be 0 to 1"),
        ({"min_p": True}, TypeError, "min_p must be a number"),
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        Sampling(**given)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        ([np.nan, 0.0], "largest of nan"),
        ([np.inf, 0.0], "largest of inf"),
        ([-np.inf, -np.inf], "every token was ruled out"),
        ([], r"must be \(V,\)"),
        ([[0.0]], r"must be \(V,\)"),
    ],
)
def test_logits_without_a_token_are_refused(logits, message):
    with pytest.raises(ValueError, match=message):
        choose(np.asarray(logits), Sampling())


def test_a_place_that_is_no_place_is_refused():
    with pytest.raises(ValueError, match="position must be 0 or more"):
        uniform(0, 0, -1)
    with pytest.raises(ValueError, match="seed must be 0 or more, below"):
        uniform(2**64, 0, 0)


def test_it_needs_no_torch():
    code = "import sys, elman_runtime.sample; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
