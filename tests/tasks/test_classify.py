"""The estimator: fit, predict, evaluate, stream, save, load, on texts and on numbers."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from elman import Cell
from elman.data import DataError
from elman.ops import tanh
from elman.tasks.classify import Classifier, ClassifySettings
from elman.tasks.classifying.network import START, WordsAndParts
from elman.tasks.classifying.reader import weights_of
from elman.tasks.classifying.splits import divide
from elman.tasks.classifying.vectors import GIVEN

SHARED = Path(__file__).parents[3] / "shared" / "data"
SMALL = {"hidden": 12, "embedding": 12, "epochs": 12, "lr": 0.03, "batch_size": 16, "warmup": 5}
SMALL |= {"dropout": 0.1, "word_dropout": 0.05, "input_dropout": 0.0, "ema": 0.9, "patience": None}
GOOD, BAD = ["fine", "great", "lovely", "fun"], ["dull", "poor", "awful", "weak"]
PLAIN = ["film", "the", "plot", "actor", "scene", "a", "music"]


class Leaky(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return s.h + 0.5 * (tanh(x.n + u.n) - s.h)


def reviews(count=240, seed=0):
    """Reviews in which "not" turns a word round: pairs tell it, single words do not."""
    draw = np.random.Generator(np.random.Philox(seed))
    texts, labels = [], []
    for _ in range(count):
        good, turned = draw.integers(2), draw.integers(4) == 0
        word = draw.choice(GOOD if good else BAD)
        rest = draw.choice(PLAIN, 5).tolist()
        said = ["not", str(word)] if turned else [str(word)]
        at = int(draw.integers(6))
        texts.append(" ".join([*rest[:at], *said, *rest[at:]]))
        labels.append("good" if bool(good) != bool(turned) else "bad")
    return {"text": texts, "label": labels}


def waves(count=60, seed=0, missing=0.1):
    """A long table: slow waves and fast ones, uneven times, some values missing."""
    draw = np.random.Generator(np.random.Philox(seed))
    table = {name: [] for name in ("id", "t", "a", "b", "kind")}
    for k in range(count):
        fast = bool(draw.integers(2))
        times = np.cumsum(draw.integers(1, 4, size=20))
        phase = draw.random() * 6
        values = np.sin(times * (1.5 if fast else 0.3) + phase)
        for t, value in zip(times.tolist(), values.tolist(), strict=True):
            table["id"].append(f"s{k}")
            table["t"].append(t)
            table["a"].append(None if draw.random() < missing else value)
            table["b"].append(float(draw.standard_normal()))
            table["kind"].append("fast" if fast else "slow")
    return table


@pytest.fixture(scope="module")
def fitted():
    return Classifier(**SMALL, causal=True).fit(reviews(400))


@pytest.fixture(scope="module")
def numeric():
    return Classifier(**SMALL | {"epochs": 20}, id="id", time="t", label="kind").fit(waves())


def test_fitting_is_silent_and_writes_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Classifier(**SMALL | {"epochs": 1}).fit(reviews(60))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_it_learns_and_stands_beside_its_baselines(fitted):
    found = fitted.evaluate()
    names = ["GRU", "majority", "bag of words", "feedforward"]
    assert list(found.test) == list(found.validation) == names
    assert found.validation["GRU"].accuracy > 0.8
    assert found.validation["majority"].accuracy < 0.7
    assert found.validation["bag of words"].accuracy > 0.8
    assert ("does NOT beat" in found.verdict()) != found.beats_best_baseline
    assert found.parameters["feedforward"] == pytest.approx(found.parameters["GRU"], rel=0.1)
    assert all(name in found.table().text() for name in names)
    assert found.test["GRU"].count == 40


def test_the_verdict_says_when_a_baseline_is_better():
    given = SMALL | {"epochs": 1, "lr": 1e-6, "network_only": True}
    found = Classifier(**given).fit(reviews()).evaluate()
    assert found.verdict().startswith("GRU does NOT beat the best baseline, bag of words")
    assert found.verdict().endswith("Prefer bag of words here.")


def test_probabilities_sum_to_one_and_name_the_class(fitted):
    texts = ["a great film", "the plot dull music", "", "xyzzy 😀", "电影"]
    sure = fitted.predict_proba(texts)
    assert sure.shape == (5, 2)
    np.testing.assert_allclose(sure.sum(1), 1)
    assert fitted.predict(texts)[:2] == ["good", "bad"]
    assert fitted.classes_ == ("bad", "good")
    assert fitted.predict_proba([]).shape == (0, 2)


def test_a_text_is_judged_alike_alone_and_beside_others(fitted):
    texts = reviews(50, seed=3)["text"]
    together = fitted.predict_proba([*texts, "film " * 3000])
    apart = np.concatenate([fitted.predict_proba([one]) for one in texts])
    np.testing.assert_allclose(together[:-1], apart, atol=1e-6)


def test_a_stream_judges_word_by_word(fitted):
    judge = fitted.stream()
    words = ["the", "plot", "is", "not", "great", "but", "the", "music", "is", "lovely"]
    for k, word in enumerate(words):
        found = judge.step(word)
        expected = fitted.predict_proba([" ".join(words[: k + 1])])[0]
        assert list(found) == ["bad", "good"]
        np.testing.assert_allclose(list(found.values()), expected, atol=1e-5)
    assert judge.step("") == found
    with pytest.raises(ValueError, match="word must have a word in it at first"):
        fitted.stream().step("")


def test_what_speaks_for_a_class(fitted):
    found = fitted.explain("the plot a lovely film <b>")
    assert found.label == "good"
    assert found.nats[found.pieces.index("lovely")] > 0.5
    assert "&lt;" in found.html()
    assert "<b>" not in found.html()
    other = fitted.explain("the plot a lovely film <b>", "bad")
    np.testing.assert_allclose(other.nats, -found.nats, atol=1e-4)
    assert len(fitted.explain("film " * 5000).pieces) == 100
    assert fitted.explain("").pieces == ()
    with pytest.raises(ValueError, match="label must be one of bad, good; got 'odd'"):
        fitted.explain("film", "odd")


def test_what_a_network_takes_besides_the_recurrence_is_a_choice():
    given = SMALL | {"epochs": 1, "no_feedforward": True, "causal": True}
    sizes = {}
    for only in (False, True):
        model = Classifier(**given, recurrent_only=only).fit(reviews(60))
        sizes[only] = model.fitted.network.pooling.output_size
        judge, text = model.stream(), "the plot fine"
        np.testing.assert_allclose(
            list(judge.step(text).values()), model.predict_proba([text])[0], atol=1e-6
        )
    assert sizes == {False: 3 * (12 + 12), True: 3 * 12}


def test_the_picture_is_drawn_on_axes_given():
    from elman.report import plots

    model = Classifier(**SMALL | {"epochs": 1, "no_feedforward": True}).fit(reviews(60))
    ax = plots.figure()[1][0]
    assert model.plot(ax) is ax
    assert "<svg" in plots.svg(model.plot())


def test_vectors_are_where_words_start_from(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("3 4\nfilm 1 2 3 4\nfine 0 0 0 1\nabsent 9 9 9 9\n")
    given = SMALL | {"epochs": 1, "lr": 1e-9, "embedding": 4, "no_feedforward": True}
    heard = []
    model = Classifier(**given, vectors=path).fit(reviews(60), say=heard.append)
    assert any(re.fullmatch(r"2 of \d+ words start from v.txt", one) for one in heard)
    words = model.fitted.reader.lexicon
    film, fine = (model.fitted.network.front.weight[words.encode(w)[0]] for w in ("film", "fine"))
    assert film[3].item() / fine[3].item() == pytest.approx(4, rel=1e-3)
    assert film[0].item() * 4 == pytest.approx(film[3].item(), rel=1e-3)
    given_ones = torch.stack([film, fine])
    assert given_ones.std().item() == pytest.approx(GIVEN, rel=0.1)
    drawn = model.fitted.network.front.weight[:2]
    assert drawn.std().item() == pytest.approx(START, rel=0.5)
    path.write_text("film 1 2 3\n")
    with pytest.raises(
        DataError, match=r"v.txt: line 1: vectors have 4 numbers; got 3; give --emb"
    ):
        Classifier(**given, vectors=path).fit(reviews(60))
    path.write_text("film 1 2 3 x\n")
    with pytest.raises(DataError, match=r"v.txt: line 1: a word and its numbers"):
        Classifier(**given, vectors=path).fit(reviews(60))
    path.write_text("elsewhere 1 2 3 4\n")
    with pytest.raises(DataError, match=r"v.txt: file: vectors of words that occur are needed"):
        Classifier(**given, vectors=path).fit(reviews(60))


def test_what_reads_backwards_does_not_stream(numeric):
    with pytest.raises(ValueError, match="stream needs a classifier of texts that reads forwards"):
        numeric.stream()


def test_the_same_seed_gives_the_same_model():
    given = SMALL | {"epochs": 2, "no_feedforward": True}
    first, second = (Classifier(**given).fit(reviews(80)) for _ in range(2))
    other = Classifier(**given, seed=1).fit(reviews(80))
    texts = reviews(10, seed=5)["text"]
    assert np.array_equal(first.predict_proba(texts), second.predict_proba(texts))
    assert not np.array_equal(first.predict_proba(texts), other.predict_proba(texts))
    assert first.evaluate() == second.evaluate()


def test_numbers_learn_store_and_predict(numeric, tmp_path):
    found = numeric.evaluate()
    assert list(found.test) == ["GRU", "majority", "summary statistics", "feedforward"]
    assert found.validation["GRU"].accuracy > 0.8
    path = tmp_path / "m.safetensors"
    numeric.save(path)
    loaded, table = Classifier.load(path), waves(10, seed=4)
    sure = loaded.predict_proba(table)
    assert sure.shape == (10, 2)
    assert np.array_equal(sure, numeric.predict_proba(table))
    del table["kind"]
    assert np.array_equal(sure, numeric.predict_proba(table))
    assert numeric.fitted.reader.scaling.masked
    assert numeric.fitted.reader.scaling.gap == 2.0


def test_the_order_of_rows_does_not_matter_where_times_are_told(numeric):
    table = waves(5, seed=6)
    rows = list(zip(*table.values(), strict=True))
    order = np.random.Generator(np.random.Philox(2)).permutation(len(rows))
    mixed = dict(zip(table, zip(*(rows[k] for k in order), strict=True), strict=True))
    found = {mixed["id"][k]: None for k in range(len(rows))}
    sure, other = numeric.predict_proba(table), numeric.predict_proba(mixed)
    for k, name in enumerate(found):
        # A row's place in a product of matrices decides how it is rounded.
        np.testing.assert_allclose(other[k], sure[int(name[1:])], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", ["CfC", "SRU", Leaky])
def test_any_cell_reads_numbers(cell):
    given = SMALL | {"epochs": 2, "no_feedforward": True}
    model = Classifier(cell, **given, id="id", time="t", label="kind").fit(waves(40))
    assert np.isfinite(model.predict_proba(waves(3, seed=1))).all()


def test_a_cell_that_takes_the_time_passed_sees_it():
    given = SMALL | {"epochs": 1, "no_feedforward": True}
    model = Classifier("CfC", **given, id="id", time="t", label="kind").fit(waves(40))
    table = waves(1, seed=1)
    longer = table | {"t": [10 * t for t in table["t"]]}
    assert not np.allclose(model.predict_proba(table), model.predict_proba(longer), atol=1e-6)


def test_several_labels():
    data = reviews(200)
    labels = [";".join(w for w in ("film", "plot", "music") if w in text) for text in data["text"]]
    table = {"text": data["text"], "topics": labels}
    model = Classifier(**SMALL | {"epochs": 12}, label_separator=";").fit(table, label="topics")
    assert model.classes_ == ("film", "music", "plot")
    assert model.evaluate().metric == "f1"
    assert model.evaluate().validation[model.evaluate().network].f1 > 0.8
    assert model.predict(["the film has music", "a scene"]) == [("film", "music"), ()]
    assert (model.predict_proba(["the plot"]) <= 1).all()


def test_class_weights_count_rare_classes_more():
    table = reviews(300, seed=2)
    rare = [k for k, one in enumerate(table["label"]) if one == "good"][15:]
    kept = [k for k in range(300) if k not in set(rare)]
    table = {name: [column[k] for k in kept] for name, column in table.items()}
    given = SMALL | {"epochs": 1, "lr": 1e-5, "no_feedforward": True, "metric": "f1"}
    weighted = Classifier(**given, class_weights="balanced").fit(table)
    plain = Classifier(**given).fit(table)
    flags = np.asarray([[True, False]] * 30 + [[False, True]] * 10)
    np.testing.assert_allclose(weights_of(flags, weighted.settings), [2 / 3, 2])
    assert weights_of(flags, plain.settings) is None


def test_parts_of_their_own_are_taken_as_they_are():
    data, other = reviews(120), reviews(40, seed=8)
    given = SMALL | {"epochs": 2, "no_feedforward": True}
    model = Classifier(**given).fit(data, validation=other, test=reviews(30, seed=9))
    assert model.evaluate().validation["majority"].count == 40
    assert model.evaluate().test["majority"].count == 30
    none = Classifier(**given, test_share=0.0).fit(data, validation=other).evaluate()
    assert none.test == {}
    assert none.table().text().startswith("Validation: 40 examples")
    assert "on the test" not in none.verdict()


def test_equal_texts_are_in_one_part():
    table = reviews(60)
    doubled = {name: column * 3 for name, column in table.items()}
    found = Classifier().read(doubled)
    parts = divide(found, (0.2, 0.2), 0)
    texts = [
        {found.inputs[k] for k in part} for part in (parts.train, parts.validation, parts.test)
    ]
    assert sum(map(len, texts)) == len(set().union(*texts)) == len(set(table["text"]))
    assert len(parts.train) + len(parts.validation) + len(parts.test) == 180


def test_subwords_and_characters():
    given = SMALL | {"epochs": 1, "no_feedforward": True, "longest": 40}
    kinds = {"characters": {}, "subwords": {"vocabulary": 300}, "words+subwords": {}}
    for tokens, more in kinds.items():
        model = Classifier(**given, tokens=tokens, **more).fit(reviews(60))
        sure = model.predict_proba(["größe 😀 \ud800", ""])
        assert np.isfinite(sure).all()


def test_a_word_that_is_not_known_is_seen_by_its_parts():
    given = SMALL | {"epochs": 1, "no_feedforward": True, "min_count": 3}
    table = reviews(60)
    forms = ("boring", "bored", "boredom")
    table["text"] = [f"{text} {forms[k % 3]}" for k, text in enumerate(table["text"])]
    model = Classifier(**given, tokens="words+subwords").fit(table)
    words, known = model.fitted.reader.lexicon, "boring"
    row = words.encode(f"{known} {known}ish zzz")
    assert row.shape == (3, 25)
    assert (row[0, 0] > 1, row[1, 0], row[2, 0]) == (True, 1, 1)
    shared = set(row[0, 1:].tolist()) & set(row[1, 1:].tolist()) - {0}
    assert shared, "the parts of the known word"
    assert not row[2, 1:].any()
    front = model.fitted.network.front
    vectors = front(torch.from_numpy(row)[None])[0]
    for k in range(3):
        parts = [front.weight[p] for p in row[k, 1:] if p]
        mean = torch.stack(parts).mean(0) if parts else 0.0
        torch.testing.assert_close(vectors[k], front.weight[row[k, 0]] + mean)
    found = model.explain(f"a {known}ish film")
    assert (found.pieces, len(found.nats)) == (("a", f"{known}ish", "film"), 3)
    assert "parts of words" in dict(model.fitted.understood)["vocabulary"]


def test_parts_change_only_by_training_and_padding_never():
    front = WordsAndParts(9, 4, 0.5, 0.2)
    x = torch.tensor([[[2, 5, 6, 0], [3, 7, 0, 0], [0, 0, 0, 0]]])
    front(x).sum().backward()
    assert front.weight.grad[0].abs().max() == 0
    assert front.weight[0].abs().max() == 0
    assert front.weight.grad[5].abs().max() + front.weight.grad[7].abs().max() > 0


def test_a_text_of_a_hundred_thousand_characters(fitted):
    long = "a great film " * 8000
    sure = fitted.predict_proba([long, "x" * 100_000])
    assert np.isfinite(sure).all()
    table = reviews(60)
    table["text"] = [f"{text} {'film ' * 40}" for text in table["text"]]
    model = Classifier(**SMALL | {"epochs": 1, "no_feedforward": True}, longest=30).fit(table)
    assert any("are longer than 30: trained on their beginning" in n for n in model.fitted.notes)


def test_evaluation_on_other_examples(fitted):
    found = fitted.evaluate(reviews(50, seed=12))
    assert list(found.test) == ["GRU", "majority"]
    assert found.validation == {}
    assert found.test["GRU"].count == 50
    assert found.test["GRU"].accuracy > 0.8


def test_settings_say_what_they_are():
    from elman.cli.flags import descriptions

    assert set(descriptions(ClassifySettings)) == set(ClassifySettings.__dataclass_fields__)


def test_before_fitting():
    with pytest.raises(RuntimeError, match="must be fitted first"):
        Classifier().predict(["a"])


@pytest.mark.skipif(not SHARED.exists(), reason="needs shared/data")
@pytest.mark.parametrize("name", ["japanese_vowels/JapaneseVowels", "ucr_ecg/ECG200"])
def test_archives_of_sequences_are_read_as_they_are(name):
    ending = ".ts" if "vowels" in name else ".tsv"
    train = SHARED / f"{name}_TRAIN{ending}"
    found = Classifier().read(train)
    assert len(found) == (270 if ending == ".ts" else 100)
    assert len(found.columns) == (12 if ending == ".ts" else 1)
    assert found.classes() == (tuple("123456789") if ending == ".ts" else ("-1", "1"))
    given = {"hidden": 16, "epochs": 3, "no_feedforward": True, "dropout": 0.1}
    model = Classifier(**given, test_share=0.0).fit(found)
    assert list(model.evaluate().validation) == ["GRU", "majority", "summary statistics"]
    assert model.predict_proba(train).shape == (len(found), len(found.classes()))


def test_an_unseen_label_is_refused_with_its_row(fitted):
    table = {"text": ["a", "b"], "label": ["good", "neutral"]}
    with pytest.raises(DataError, match=r"row 1: labels are those of the training.*'neutral'"):
        fitted.evaluate(table)
