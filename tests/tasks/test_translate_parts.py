"""The parts of the translator: batches, the network, baselines, lines, scores."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from elman.cells import GRU, LSTM
from elman.data import mapped
from elman.data.vocabulary import learn_vocabulary
from elman.tasks.translating import baselines, batches, examples
from elman.tasks.translating.batches import ByLength, batch, padded
from elman.tasks.translating.decoding import decode, encode, pieces, tidy
from elman.tasks.translating.evaluation import Evaluation
from elman.tasks.translating.examples import Encoder
from elman.tasks.translating.learning import samples
from elman.tasks.translating.measuring import Score, score
from elman.tasks.translating.memoryless import WindowNetwork
from elman.tasks.translating.network import TranslationNetwork
from elman.tasks.translating.pairs import Pairs

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")


def test_samples_show_the_beginning_of_what_is_very_long():
    found = samples(Pairs(("a", "b" * 5000), ("x", "y" * 400)), ["z" * 401, "z"])
    assert [len(one.source) for one in found] == [1, 400]
    assert [len(one.reference) for one in found] == [1, 400]
    assert found[0].translation == "z" * 399 + "…"


# Batches.


def rows(lengths):
    return [(np.full(n, 1 + n), np.full(m, 2 + m)) for n, m in lengths]


def test_a_batch_says_what_counts():
    found = batch([(np.array([5, 6]), np.array([7])), (np.array([8]), np.array([9, 3, 4]))])
    assert found.source.tolist() == [[5, 6, 0], [8, 0, 0]]
    assert found.lengths.tolist() == [3, 2]
    assert found.before.tolist() == [[0, 7, 0, 0], [0, 9, 3, 4]]
    assert found.after.tolist() == [[7, 0, 0, 0], [9, 3, 4, 0]]
    assert found.counted.tolist() == [[True, True, False, False], [True] * 4]


def test_an_epoch_has_each_pair_once_and_batches_are_a_function_of_seed_and_k():
    draw = np.random.Generator(np.random.Philox(0))
    some = [
        (np.array([k + 1] * int(n)), np.array([k + 1]))
        for k, n in enumerate(draw.integers(1, 30, 101))
    ]
    batches = ByLength(some, 8, seed=1)
    assert len(batches) == 13
    seen = [row[0] for k in range(13) for row in batches[k].source.tolist()]
    assert sorted(seen) == list(range(1, 102))
    again = ByLength(some, 8, seed=1)
    for k in (25, 3, 14, 0):
        assert again[k].source.equal(batches[k].source)
    assert not all(ByLength(some, 8, seed=2)[k].source.equal(batches[k].source) for k in range(13))
    assert not all(batches[13 + k].source.equal(batches[k].source) for k in range(13))


def test_pairs_are_sorted_as_numpy_does_it_however_many_are_looked_at_together(monkeypatch):
    draw = np.random.default_rng(0)
    own, other = draw.integers(0, 5, 200) / 2, draw.integers(0, 9, 200)
    for span in (13, 1 << 16):
        monkeypatch.setattr(mapped, "_SPAN", span)
        np.testing.assert_array_equal(batches._sorted(own, other), np.lexsort((own, other)))


def test_batches_are_of_about_the_same_lengths():
    draw = np.random.Generator(np.random.Philox(0))
    some = rows(draw.integers(1, 40, (2000, 1)).repeat(2, 1))
    found = [ByLength(some, 32, 0)[k] for k in range(62)]
    share = sum(int(x.counted.sum()) for x in found) / sum(x.counted.numel() for x in found)
    assert share > 0.9


def test_nothing_to_pad():
    tokens, lengths = padded([])
    assert (tokens.shape, lengths.shape) == ((0, 0), (0,))


# The network.


def network(kind):
    torch.manual_seed(0)
    if kind == "feedforward":
        return WindowNetwork(20, 8, 12).eval().double()
    return TranslationNetwork({"GRU": GRU, "LSTM": LSTM}[kind], 20, 8, 12, layers=2).eval().double()


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "feedforward"])
def test_steps_are_the_whole(kind):
    model = network(kind)
    x = batch([(np.array([5, 6, 7, 8]), np.array([7, 2, 9])), (np.array([8]), np.array([9]))])
    whole = model(x.source, x.lengths, x.before).log_softmax(-1)
    state, memory = model.encode(x.source, x.lengths)
    for t in range(x.before.shape[1]):
        found, state = model.step(x.before[:, t], state, memory)
        torch.testing.assert_close(found, whole[:, t])


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "feedforward"])
def test_what_stands_in_padding_has_no_influence(kind):
    model = network(kind)
    x = batch([(np.array([5, 6, 7, 8]), np.array([7, 2])), (np.array([8]), np.array([9]))])
    source = x.source.clone()
    source[1, 2:] = 13
    whole = model(x.source, x.lengths, x.before)
    torch.testing.assert_close(model(source, x.lengths, x.before), whole)
    short = batch([(np.array([8]), np.array([9]))])
    alone = model(short.source, short.lengths, short.before)
    torch.testing.assert_close(whole[1:, :2], alone)


@pytest.mark.parametrize("kind", ["GRU", "feedforward"])
def test_logits_are_of_what_counts(kind):
    model = network(kind)
    x = batch([(np.array([5, 6, 7, 8]), np.array([7, 2])), (np.array([8]), np.array([9]))])
    whole = model(x.source, x.lengths, x.before)
    some = model(x.source, x.lengths, x.before, x.counted)
    torch.testing.assert_close(some, whole[x.counted])


def test_the_future_is_not_seen():
    model = network("GRU")
    x = batch([(np.array([5, 6]), np.array([7, 2, 9]))])
    other = x.before.clone()
    other[0, 2:] = 11
    both = [model(x.source, x.lengths, before) for before in (x.before, other)]
    torch.testing.assert_close(both[0][:, :2], both[1][:, :2])
    assert not torch.allclose(both[0][:, 2:], both[1][:, 2:])


@pytest.mark.parametrize("parameters", [3_000, 60_000, 3_000_000])
def test_the_feedforward_network_is_as_large(parameters):
    hidden = WindowNetwork.hidden_for(parameters, 50, 4)
    found = sum(p.numel() for p in WindowNetwork(50, 4, hidden).parameters())
    assert found == pytest.approx(parameters, rel=0.05)


def test_all_words_share_one_embedding():
    model = network("GRU")
    tables = [name for name, p in model.named_parameters() if 20 in p.shape]
    assert tables == ["words.weight", "words.bias"]


# Baselines.

TRAIN = Pairs(
    ("der Hund schläft", "die Katze schläft", "der Hund sieht die Katze", "die Katze trinkt"),
    ("the dog sleeps.", "the cat sleeps.", "the dog sees the cat.", "the cat drinks."),
)


def test_the_memory_finds_the_nearest_source():
    memory = baselines.Memory(TRAIN)
    assert memory.translate("DIE KATZE TRINKT NICHT") == "the cat drinks."
    assert memory.translate("der Hund schläft") == "the dog sleeps."
    assert memory.translate("xyz") == memory.translate("") == ""


def test_the_dictionary_learns_words():
    draw = np.random.Generator(np.random.Philox(0))
    known = {"das": "the", "Haus": "house", "ist": "is", "blau": "blue", "Boot": "Boat", ".": "."}
    chosen = [draw.choice(list(known), 3).tolist() for _ in range(60)]
    source = tuple(" ".join(words) for words in chosen)
    target = tuple(" ".join(known[word] for word in words) for words in chosen)
    found = baselines.Dictionary(Pairs(source, target))
    assert found.translate("Das Haus ist blau.") == "The house is blue."
    assert found.translate("blau, boot!") == "blue, Boat!"
    assert found.translate("unbekannt") == "unbekannt"
    assert found.translate("") == ""


def test_the_dictionary_finds_by_exclusion_what_counts_cannot_tell():
    source = ("das Haus", "das Buch", "ein Buch")
    target = ("the house", "the book", "a book")
    found = baselines.Dictionary(Pairs(source, target))
    assert found.translate("haus ein") == "house a"


# Lines to tokens and back.


@pytest.fixture(scope="module")
def vocabulary():
    lines = ["der Hund schläft. the dog sleeps! 日本語 " * 3] * 5
    return learn_vocabulary("subwords", iter(lines), 300)


@pytest.mark.parametrize("line", ["der Hund", "a", "日本語 🎉", "x" * 50, ""])
def test_lines_come_back(vocabulary, line):
    assert decode(vocabulary, encode(vocabulary, line)) == line


@given(st.lists(st.text(max_size=60), max_size=4))
@example(["it's 's 12,5 a-b --", "don't  stop\u2028now"])
def test_words_that_are_known_are_encoded_as_those_of_a_line(vocabulary, lines):
    known = Encoder(vocabulary)
    for line in map(tidy, lines + lines):
        np.testing.assert_array_equal(known.encode(line), encode(vocabulary, line), strict=True)


def test_few_words_are_remembered(vocabulary, monkeypatch):
    monkeypatch.setattr(examples, "_KNOWN", 2)
    known, line = Encoder(vocabulary), "der Hund schläft der dog sleeps der"
    assert known.encode(line).tolist() == encode(vocabulary, line).tolist()
    assert len(known) <= 2


def test_a_first_word_is_as_any_other(vocabulary):
    twice = encode(vocabulary, "der der").tolist()
    assert twice[: len(twice) // 2] == twice[len(twice) // 2 :]


@pytest.mark.parametrize(
    "line",
    ["der Hund schläft. " * 30, "der Hund " * 80, "日" * 500, "der. " + "x" * 900 + " Hund"],
)
def test_long_lines_are_cut_and_nothing_is_lost(vocabulary, line):
    found = pieces(vocabulary, line.strip(), longest=40)
    assert len(found) > 1
    assert all(0 < len(one) <= 40 for one in found)
    assert b"".join(map(vocabulary.raw, found)).decode().split() == line.split()


def test_a_line_is_cut_at_the_end_of_a_sentence(vocabulary):
    found = pieces(vocabulary, "der Hund schläft. " * 4 + "der Hund schläft.", longest=14)
    assert all(decode(vocabulary, one).endswith("schläft.") for one in found)


# Scores.


def test_scores_are_sacrebleus():
    same = score(["A dog sleeps here now.", "b c d e"], ["A dog sleeps here now.", "b c d e"])
    assert (same.bleu, same.chrf) == (pytest.approx(100), pytest.approx(100))
    lower = score(["a DOG sleeps here now."], ["A dog sleeps here now."])
    assert lower.bleu < 60 < lower.bleu_lower == pytest.approx(100)
    assert "case:mixed" in lower.signatures["bleu"]
    assert "case:lc" in lower.signatures["bleu_lower"]
    assert Score.from_dict(lower.as_dict()) == lower


@pytest.mark.parametrize("given", [([], []), (["a"], []), (["a"], ["b", "c"])])
def test_scores_need_as_many_of_both(given):
    with pytest.raises(ValueError, match="translations and references must be as many"):
        score(*given)


def _scores(**bleu):
    return {name: Score(value, value, value, {"bleu": "x"}) for name, value in bleu.items()}


def test_the_verdict_is_validations():
    found = Evaluation(
        _scores(GRU=20.0, dictionary=21.0, copy=1.0), _scores(GRU=30.0, dictionary=21.0, copy=1.0)
    )
    assert found.best_baseline == "dictionary"
    assert not found.beats_best_baseline
    assert found.verdict() == (
        "GRU does NOT beat the best baseline, dictionary, on validation (1.0 BLEU worse; on the "
        "test 9.0 BLEU better). Prefer dictionary here."
    )
    assert Evaluation.from_dict(found.as_dict()) == found


def test_a_tie_is_no_gain():
    found = Evaluation(_scores(GRU=20.05, copy=20.0), {})
    assert "does NOT beat" in found.verdict()
    assert "as good" in found.verdict()
    assert "Validation: 0 pairs" in found.table().text()


def test_what_stores_no_baseline_is_refused():
    stored = Evaluation(_scores(GRU=20.0, copy=1.0), {}).as_dict() | {"methods": ["GRU"]}
    with pytest.raises(ValueError, match="without a baseline"):
        Evaluation.from_dict(stored)
