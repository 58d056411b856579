"""Beam search on NumPy arrays: against a search of everything, and what counts as likely."""

import itertools

import numpy as np
import pytest

from elman_runtime.search import NumPyArrays, beam_search

V, END, START = 4, 0, 3


def model(seed, rows=1):
    """A step whose probabilities depend on the last two tokens and on the row."""
    table = np.random.default_rng(seed).normal(size=(rows, V, V, V))
    table -= np.log(np.exp(table).sum(-1, keepdims=True))

    def step(token, state):
        row, before = state["row"], state["before"][0]
        return table[row, before, token], {"row": row, "before": (token,)}

    return step, {"row": np.arange(rows), "before": (np.full(rows, START),)}, table


def every(table, most, penalty):
    """All sequences of at most `most` tokens: their scores by tokens."""
    found = {}
    for length in range(most + 1):
        for tokens in itertools.product([t for t in range(V) if t != END], repeat=length):
            path = [START, START, *tokens, END]
            total = sum(table[tuple(path[k : k + 3])] for k in range(length + 1))
            found[tokens] = total / (length + 1) ** penalty
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0])
def test_a_wide_beam_finds_the_best_of_all(seed, penalty):
    step, state, table = model(seed, rows=2)
    given = {"start": START, "end": END, "beam": 3**5, "n_best": 7, "length_penalty": penalty}
    found = beam_search(step, state, most=[4, 2], **given)
    for row, most in enumerate([4, 2]):
        scores = every(table[row], most, penalty)
        for one, expected in zip(found[row], sorted(scores.values(), reverse=True), strict=False):
            assert one.score == pytest.approx(expected)
            assert scores[one.tokens] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("beam", [1, 2, 5])
def test_rows_side_by_side_are_rows_apart(beam, seed):
    most = [1, 0, 3, 9]
    step, state, _ = model(seed, rows=4)
    given = {"start": START, "end": END, "beam": beam, "n_best": min(2, beam)}
    given["length_penalty"] = 2.0  # long ones may come late and win
    together = beam_search(step, state, most=most, **given)
    for row in range(4):
        one = NumPyArrays().select(state, np.array([row]))
        assert beam_search(step, one, most=most[row : row + 1], **given) == [together[row]]


@pytest.mark.parametrize("count", [1, 3, 6])
def test_the_likeliest_are_those_of_a_sort_and_no_number_is_none(count):
    draw = np.random.default_rng(0)
    found, scores = draw.normal(size=(10, 3)).astype(np.float32), draw.normal(size=(5, 2))
    found[1, 2], found[4:6], found[6, 1] = np.nan, -np.inf, np.inf
    values, place = NumPyArrays().likeliest(found, scores, count)
    clean = np.where(np.isfinite(found), found, -np.inf).astype(np.float64)
    total = (clean.reshape(5, 2, 3) + scores[..., None]).reshape(5, 6)
    np.testing.assert_array_equal(np.sort(values, 1), np.sort(total, 1)[:, 6 - count :])
    np.testing.assert_array_equal(np.take_along_axis(total, place, 1), values)


def test_log_probabilities_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="none that is a number for row 0; look for NaN"):
        beam_search(
            lambda token, state: (np.full((len(token), V), np.nan), state),
            np.zeros(1),
            start=START,
            end=END,
            most=[3],
        )
