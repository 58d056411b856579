"""The parts of a language model, each against something slower and plainer."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

from elman import cells
from elman.data.corpus import Part, read_corpus
from elman.data.text import as_sources
from elman.data.vocabulary import BOUNDARY, character_vocabulary
from elman.tasks.texts import dynamic, measuring
from elman.tasks.texts.batches import Stretches, frequencies
from elman.tasks.texts.diversity import diversity
from elman.tasks.texts.evaluation import Evaluation
from elman.tasks.texts.measuring import Score, part_score, predicted, sampled_nats, score_of
from elman.tasks.texts.network import LanguageNetwork, Window
from elman.tasks.texts.ngram import Counts, unigram_logits

WORDS = ["green", "bottle", "hanging", "on", "the", "wall", "and", "if", "one", "should", "fall"]


def prose(words=3000, seed=0):
    draw = np.random.Generator(np.random.Philox(seed))
    weights = 1 / np.arange(1, len(WORDS) + 1)
    chosen = draw.choice(WORDS, words, p=weights / weights.sum())
    return " ".join(chosen.tolist())


@pytest.fixture(scope="module")
def corpus():
    return read_corpus(as_sources([prose(), prose(500, 1)]))


def network(cell="LSTM", **options):
    torch.manual_seed(3)
    return LanguageNetwork(cells.by_name(cell), 20, 6, 7, **options)


# The network


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "MinGRU"])
@pytest.mark.parametrize("boundaries", [0, 3, 40])
def test_a_row_of_packed_documents_equals_its_documents_apart(cell, boundaries):
    model = network(cell, layers=2).eval()
    x = torch.randint(1, 20, (3, 60))
    x[:, 0] = BOUNDARY
    for row in range(3):
        x[row, torch.randperm(59)[:boundaries] + 1] = BOUNDARY
    logits, state = model(x, network(cell, layers=2)(torch.randint(1, 20, (3, 4)))[1])
    for row in range(3):
        starts = [*(x[row] == BOUNDARY).nonzero().flatten().tolist(), 60]
        for a, b in itertools.pairwise(starts):
            alone, end = model(x[row : row + 1, a:b])
            assert torch.allclose(logits[row, a:b], alone[0], atol=1e-5)
        assert torch.allclose(state[0][0][row], end[0][0][0], atol=1e-5)


def test_steps_make_the_sequence():
    model = network(layers=2, dropout=0.3).eval()
    x = torch.randint(0, 20, (2, 30))
    whole, end = model(x)
    state = model.recurrent.initial_state(2)
    for t in range(30):
        logits, state = model.step(x[:, t], state)
        assert torch.allclose(logits, whole[:, t], atol=1e-5)
    assert torch.allclose(state[1].h, end[1].h, atol=1e-5)


def test_the_same_units_are_dropped_on_both_sides_of_a_boundary():
    model = network(dropout=0.5, input_dropout=0.3, weight_drop=0.3).train()
    document = [BOUNDARY, 5, 7, 7]
    logits, _ = model(torch.tensor([document + document]))
    assert torch.allclose(logits[0, :4], logits[0, 4:], atol=1e-6)
    again, _ = model(torch.tensor([document + document]))
    assert not torch.allclose(again, logits), "and others in the next pass"


def test_a_window_sees_so_many_tokens_and_no_more():
    torch.manual_seed(0)
    model = Window(20, 4, 8).eval()
    x = torch.randint(0, 20, (1, 40))
    whole, _ = model(x)
    first, state = model(x[:, :25])
    second, _ = model(x[:, 25:], state)
    assert torch.allclose(torch.cat([first, second], 1), whole, atol=1e-6)
    other = x.clone()
    other[0, 10] = (x[0, 10] + 1) % 20
    changed = (model(other)[0] != whole).any(-1)[0].nonzero().flatten().tolist()
    assert changed == list(range(10, 10 + Window.WIDTH))
    wanted = 50_000
    built = Window(20, 4, Window.hidden_for(wanted, 20, 4))
    assert sum(p.numel() for p in built.parameters()) == pytest.approx(wanted, rel=0.01)


# Batches


def test_an_epoch_reads_the_part_once_and_goes_on_where_it_was(corpus):
    batches = Stretches(corpus.tokens, corpus.train, 4, 25, seed=1)
    size = len(corpus.train)
    train = np.asarray(corpus.tokens[corpus.train.start : corpus.train.stop]).astype(np.int64)
    for k in range(len(batches)):
        batch = batches[k]
        assert batch.x.shape == batch.y.shape == (4, 25)
        assert torch.equal(batch.x[:, 1:], batch.y[:, :-1])
        if k:
            assert torch.equal(batch.x[:, 0], batches[k - 1].y[:, -1]), "rows go on"
        assert torch.equal(batch.x, batches[k].x), "a function of k alone"
    counts = Counter(torch.cat([batches[k].x.flatten() for k in range(len(batches))]).tolist())
    wanted = Counter(train.tolist())
    assert sum(counts.values()) >= 0.97 * size
    assert all(counts[token] <= wanted[token] for token in counts), "no token comes twice"
    assert not torch.equal(batches[0].x, batches[len(batches)].x), "epochs begin elsewhere"


def test_a_short_part_has_fewer_and_shorter_rows(corpus):
    batches = Stretches(corpus.tokens, Part(0, 30, 29), 64, 100, seed=0)
    assert (batches.rows, batches.length, len(batches)) == (1, 15, 2)
    assert batches[7].x.shape == (1, 15)


def test_frequencies_are_counts(corpus):
    found = frequencies(corpus.tokens, corpus.train, corpus.vocabulary.size, block=100)
    wanted = Counter(np.asarray(corpus.tokens[: corpus.train.stop]).tolist())
    assert found.tolist() == [wanted[k] for k in range(corpus.vocabulary.size)]
    logits = unigram_logits(found)
    assert np.exp(logits).sum() == pytest.approx(1, abs=1e-3)


# n-grams


def slow_probability(seen, tokens, at, order, size):
    """Witten and Bell's formula, as it stands."""
    p = 1 / (size - 1)
    for n in range(1, order + 1):
        if at < n - 1:
            break
        history, run = tuple(tokens[at - n + 1 : at]), tuple(tokens[at - n + 1 : at + 1])
        runs = Counter(tuple(seen[k : k + n]) for k in range(len(seen) - n + 1))
        times = sum(count for r, count in runs.items() if r[:-1] == history)
        different = sum(r[:-1] == history for r in runs)
        if times + different:
            p = (runs[run] + different * p) / (times + different)
    return p


def test_an_n_gram_is_that_of_the_formula():
    draw = np.random.Generator(np.random.Philox(5))
    tokens = draw.integers(1, 6, 300).astype(np.uint8)
    part = Part(0, 220, 220)
    counts = Counts(tokens, part, 6, 4)
    found = counts.probability(tokens, 220, 300)
    for order, made in enumerate(found):
        for at in range(220, 300, 7):
            wanted = slow_probability(tokens[:220].tolist(), tokens.tolist(), at, order, 6)
            assert made[at - 220] == pytest.approx(wanted)


def test_n_gram_probabilities_sum_to_one():
    draw = np.random.Generator(np.random.Philox(6))
    tokens = draw.integers(1, 5, 200).astype(np.uint8)
    counts = Counts(tokens, Part(0, 200, 200), 5)
    for history in ([1, 2, 3, 4], [4, 4, 4, 4], [1, 1]):
        ends = [np.array([*history, w], np.uint8) for w in range(1, 5)]
        total = sum(counts.probability(one, len(history), len(history) + 1)[-1][0] for one in ends)
        assert total == pytest.approx(1)


# Scores


def test_a_part_costs_what_reading_it_step_by_step_does(corpus, monkeypatch):
    torch.manual_seed(0)
    model = LanguageNetwork(cells.LSTM, corpus.vocabulary.size, 8, 12).eval()
    monkeypatch.setattr(measuring, "_CONTEXT", 10_000)  # the state forgets nothing
    tokens = torch.from_numpy(np.asarray(corpus.tokens).astype(np.int64))
    with torch.no_grad():
        logits, _ = model(tokens[None, :-1])
    each = torch.nn.functional.cross_entropy(logits[0], tokens[1:], reduction="none")
    for part in corpus.parts.values():
        first, last = predicted(part)
        own = tokens[first:last] != BOUNDARY
        wanted = float(each[first - 1 : last - 1][own].sum()) / part.units
        score = part_score(model, corpus, part)
        assert score.nats == pytest.approx(wanted, rel=1e-5)
        assert score.tokens == int(own.sum())
        assert score.units == part.units


def test_a_score_in_several_rounds_is_the_same(corpus, monkeypatch):
    torch.manual_seed(0)
    model = LanguageNetwork(cells.GRU, corpus.vocabulary.size, 8, 12).eval()
    once = part_score(model, corpus, corpus.train)
    found = list(measuring._pieces(model, corpus.tokens, 5, 400))
    assert found[0][0] == 5
    assert sum(nats.size for _, nats in found) == 395
    assert sampled_nats(model, corpus, corpus.train) == pytest.approx(once.nats, rel=0.02)


def test_the_future_changes_no_score(corpus):
    torch.manual_seed(0)
    model = LanguageNetwork(cells.LSTM, corpus.vocabulary.size, 8, 12).eval()
    part = Part(corpus.test.start, corpus.test.start + 300, 300)
    other = np.array(corpus.tokens)
    other[part.stop :] = other[part.stop :][::-1]
    changed = read_corpus(as_sources(prose()))
    changed = type(corpus)(other, *list(vars(corpus).values())[1:])
    assert part_score(model, changed, part) == part_score(model, corpus, part)
    found = [dynamic.dynamic_score(model, one, part, 1e-3) for one in (corpus, changed)]
    assert found[0] == found[1]


def test_units_bits_and_perplexity():
    known = character_vocabulary("ab")
    score = score_of(np.full(4, math.log(8)), np.array([2, 3, 2, BOUNDARY]), 3, known)
    assert score == Score(pytest.approx(math.log(8)), 3, 3)
    assert score.bits == pytest.approx(3)
    assert score.perplexity == pytest.approx(8)
    unknown = score_of(np.zeros(1), np.array([1]), 1, known)
    assert unknown.nats == pytest.approx(math.log(1_112_062))


def test_nothing_gains_on_a_baseline_that_is_certain_and_right():
    sure, unsure = Score(0.0, 0.0, 4), Score(0.5, 0.5, 4)
    scores = {"LSTM": unsure, "5-gram": sure}
    worse = Evaluation(scores, scores)
    assert (worse.gain("test", "5-gram"), worse.beats_best_baseline) == (-100.0, False)
    assert "does NOT beat" in worse.verdict()
    same = Evaluation({"LSTM": sure, "5-gram": sure}, scores)
    assert (same.gain("validation", "5-gram"), same.beats_best_baseline) == (0.0, False)


def test_dynamic_evaluation_learns_and_leaves_the_network_as_it_is(corpus):
    torch.manual_seed(0)
    model = LanguageNetwork(cells.LSTM, corpus.vocabulary.size, 8, 12).eval()
    before = {name: p.clone() for name, p in model.named_parameters()}
    static = part_score(model, corpus, corpus.test)
    moving = dynamic.dynamic_score(model, corpus, corpus.test, 3e-3)
    still = dynamic.dynamic_score(model, corpus, corpus.test, 0.0)
    assert moving.nats < 0.95 * static.nats
    assert still.nats == pytest.approx(static.nats, rel=1e-3)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert dynamic.choose_rate(model, corpus) in dynamic.RATES


def test_dynamic_evaluation_goes_back_to_the_weights_it_began_with():
    layer = torch.nn.Linear(1, 1, bias=False)
    learner = dynamic._Learner(layer, rate=0.0)
    home = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.add_(1.0)
    for _ in range(5):
        learner.learn(layer(torch.ones(1, 1)).sum())
    assert torch.allclose(layer.weight - home, torch.tensor((1 - dynamic._DECAY) ** 5))


# What is written


def test_what_is_copied_is_found_across_blocks():
    training = prose(400)
    copied = " ".join(training.split()[100:140])
    blocks = [training[k : k + 37] for k in range(0, len(training), 37)]
    found = diversity(copied, blocks)
    assert found.copied == 1.0
    new = diversity(" ".join(f"word{k}" for k in range(40)), blocks)
    assert (new.copied, new.distinct) == (0.0, (1.0, 1.0, 1.0))
    assert diversity("a b c", blocks).copied is None
    assert diversity("", blocks).distinct == (0.0, 0.0, 0.0)


def test_words_are_whole():
    assert diversity("a b c d e f g hat", ["a b c d e f g hats"]).copied == 0.0
    assert diversity("a b c d e f g hat", ["a b c d e f g hat"]).copied == 1.0


def test_scripts_without_spaces_are_counted_in_characters():
    text = "天地玄黄宇宙洪荒日月盈昃辰宿列張寒來暑往秋收冬藏"
    found = diversity(text, [text])
    assert (found.unit, found.copied, found.distinct[0]) == ("character", 1.0, 1.0)
