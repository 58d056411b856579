"""Beam search against a search of everything, and every mistake."""

import itertools
import math
import re

import numpy as np
import pytest
import torch

from elman.nn import search as tensors
from elman.nn.search import beam_search, check_search
from elman_runtime import search

V, END, START = 4, 0, 3


def model(seed, rows=1):
    """A step whose probabilities depend on the last two tokens and on the row."""
    torch.manual_seed(seed)
    table = torch.randn(rows, V, V, V, dtype=torch.float64).log_softmax(-1)

    def step(token, state):
        row, before = state
        return table[row, before, token], (row, token)

    start = (torch.arange(rows), torch.full((rows,), START))
    return step, start, table


def everything(table, most, penalty):
    """All sequences of at most `most` tokens with their log-probability, the best first."""
    found = []
    for length in range(most + 1):
        for tokens in itertools.product([t for t in range(V) if t != END], repeat=length):
            path = [START, START, *tokens, END]
            total = sum(float(table[tuple(path[k : k + 3])]) for k in range(length + 1))
            found.append((total / (length + 1) ** penalty, total, tokens))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0])
def test_a_wide_beam_finds_the_best_of_all(seed, penalty):
    step, start, table = model(seed)
    beam = 3**5
    found = beam_search(
        step, start, start=START, end=END, most=[4], beam=beam, length_penalty=penalty, n_best=7
    )
    expected = everything(table[0], 4, penalty)
    assert len({one.tokens for one in found[0]}) == 7
    totals = {tokens: total for _, total, tokens in expected}
    for one, (score, _, _) in zip(found[0], expected[:7], strict=True):
        # Sequences of the same triples are as likely, in any order.
        assert one.log_probability == pytest.approx(totals[one.tokens])
        assert one.score == pytest.approx(score)


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_one_takes_the_likeliest_each_time(seed):
    step, start, table = model(seed)
    found = beam_search(step, start, start=START, end=END, most=[6], beam=1)
    tokens, before, last = [], START, START
    while len(tokens) < 6:
        best = int(table[0, before, last].argmax())
        if best == END:
            break
        tokens.append(best)
        before, last = last, best
    assert found[0][0].tokens == tuple(tokens)


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_rows_side_by_side_are_rows_apart(beam):
    most = [5, 0, 3, 7]
    step, start, _ = model(9, rows=4)
    together = beam_search(
        step, start, start=START, end=END, most=most, beam=beam, n_best=min(2, beam)
    )
    for row in range(4):
        alone = beam_search(
            step,
            tuple(part[row : row + 1] for part in start),
            start=START,
            end=END,
            most=most[row : row + 1],
            beam=beam,
            n_best=min(2, beam),
        )
        assert together[row] == alone[0]


@pytest.mark.parametrize("beam", [1, 3, 50])
def test_tensors_and_arrays_are_searched_alike(beam):
    step, start, table = model(5, rows=3)
    given = {"start": START, "end": END, "most": [6, 2, 0], "beam": beam, "length_penalty": 0.8}

    def of_arrays(token, state):
        row, before = state
        return table.numpy()[row, before, token], (row, token)

    own = search.beam_search(of_arrays, tuple(part.numpy() for part in start), **given)
    assert own == beam_search(step, start, **given)


def test_the_limit_ends_a_sequence():
    step, start, table = model(1)
    found = beam_search(step, start, start=START, end=END, most=[0], beam=3)
    assert found[0][0].tokens == ()
    assert found[0][0].log_probability == pytest.approx(float(table[0, START, START, END]))


def test_length_penalty_prefers_longer_ones():
    step, start, _ = model(4)
    lengths = []
    for penalty in (0.0, 1.0, 3.0):
        found = beam_search(
            step, start, start=START, end=END, most=[6], beam=200, length_penalty=penalty
        )
        lengths.append(len(found[0][0].tokens))
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


def test_no_rows_is_no_result():
    step, start, _ = model(0)
    assert beam_search(step, tuple(p[:0] for p in start), start=START, end=END, most=[]) == []


def test_impossible_tokens_are_never_taken():
    logits = torch.tensor([[0.0, 1.0, -math.inf, -math.inf]]).log_softmax(-1)
    found = beam_search(
        lambda token, state: (logits.expand(len(token), -1), state),
        torch.zeros(1),
        start=START,
        end=END,
        most=[3],
        beam=4,
        n_best=4,
        length_penalty=0.0,
    )
    assert [one.tokens for one in found[0]] == [(), (1,), (1, 1), (1, 1, 1)]


def test_log_probabilities_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="none that is a number for row 0; look for NaN"):
        beam_search(
            lambda token, state: (torch.full((len(token), V), math.nan), state),
            torch.zeros(1),
            start=START,
            end=END,
            most=[3],
        )


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ((0, 1.0, 1), ValueError, "beam must be 1 to 1,000; got 0"),
        ((True, 1.0, 1), TypeError, "beam must be a whole number; got True"),
        ((5.0, 1.0, 1), TypeError, "beam must be a whole number; got 5.0"),
        ((5, 1.0, 0), ValueError, "n_best must be 1 to 1,000; got 0"),
        ((5, 1.0, 6), ValueError, "n_best must not exceed beam; got 6 of a beam of 5; raise beam"),
        ((5, "1", 1), TypeError, "length_penalty must be a number; got '1'"),
        ((5, -1.0, 1), ValueError, "length_penalty must be 0 to 10; got -1.0"),
        ((5, math.nan, 1), ValueError, "length_penalty must be 0 to 10; got nan"),
    ],
)
def test_mistakes_are_named(given, kind, words):
    with pytest.raises(kind, match=re.escape(words)):
        check_search(*given)


@pytest.mark.parametrize("beam", [1, 3])
def test_what_is_shared_is_what_each_beginning_would_have_of_its_own(beam):
    most = [5, 0, 3, 7]
    step, (row, before), table = model(9, rows=4)
    given = {"start": START, "end": END, "most": most, "beam": beam}
    widths = set()

    def sharing(token, state, rows):
        width = len(token) // len(rows)
        widths.add(width)
        return table[rows.repeat_interleave(width), state, token], token

    found = beam_search(sharing, before, shared=row, **given)
    assert found == beam_search(step, (row, before), **given)
    assert widths == {1, beam}

    def of_arrays(token, state, rows):
        return table.numpy()[np.repeat(rows, len(token) // len(rows)), state, token], token

    assert found == search.beam_search(of_arrays, before.numpy(), shared=row.numpy(), **given)


@pytest.mark.parametrize("size", [300, 4000, 4001])
@pytest.mark.parametrize("beam", [1, 5])
def test_the_largest_by_runs_are_the_largest(size, beam):
    torch.manual_seed(size)
    found = torch.randn(7 * beam, size, dtype=torch.float64)
    scores = torch.randn(7, beam, dtype=torch.float64)
    total = (scores[..., None] + found.view(7, beam, size)).flatten(1)
    place = torch.from_numpy(tensors.largest(found, scores.numpy(), 2 * beam))
    expected = total.topk(2 * beam, 1).values
    assert total.gather(1, place).sort(1, descending=True).values.equal(expected)
    # All but two impossible: what is added to fill the last run must not be taken.
    found[:, 2:] = -math.inf
    place = tensors.largest(found, scores.numpy(), 2 * beam)
    assert place.shape == (7, 2 * beam)
    assert all(len(set(row)) == 2 * beam for row in place.tolist())
    assert place.max() < size * beam
    assert (place % size < 2).all()
