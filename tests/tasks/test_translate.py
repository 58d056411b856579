"""The translator: fit, predict, search, evaluate, save, load, attention, and every mistake."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import elman
from elman import Cell
from elman.data import DataError
from elman.ops import tanh
from elman.tasks.translate import TranslateSettings, Translator
from elman.tasks.translating.batches import batch
from elman.tasks.translating.decoding import encode
from elman_runtime import ModelFileError, model_file

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

WORDS = {
    "der": "the",
    "hund": "dog",
    "mann": "man",
    "frau": "woman",
    "sieht": "sees",
    "rote": "red",
    "kleine": "small",
    "ball": "ball",
    "und": "and",
    "hier": "here",
}
SMALL = {"hidden": 32, "embedding": 32, "vocabulary": 300, "batch_size": 16, "lr": 1e-2}
SMALL |= {"warmup": 10, "evaluate_every": 60, "dropout": 0.0, "input_dropout": 0.0}
SMALL |= {"word_dropout": 0.0, "no_feedforward": True, "ema": 0.9}


class Leaky(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return s.h + 0.5 * (tanh(x.n + u.n) - s.h)


def sentences(count=300, seed=0):
    """German words in some order, and their translations in the opposite one."""
    draw = np.random.Generator(np.random.Philox(seed))
    source, target = [], []
    for _ in range(count):
        words = draw.choice(list(WORDS), draw.integers(2, 5)).tolist()
        source.append(" ".join(words))
        target.append(" ".join(WORDS[word] for word in reversed(words)))
    return source, target


@pytest.fixture(scope="module")
def fitted():
    return Translator(**SMALL, steps=240).fit(*sentences())


def test_it_learns_what_no_dictionary_can(fitted):
    evaluation = fitted.evaluate()
    assert evaluation.network == "GRU"
    assert list(evaluation.validation) == ["GRU", "dictionary", "memory", "copy"]
    assert evaluation.validation["GRU"].bleu > 60 > evaluation.validation["dictionary"].bleu
    assert evaluation.verdict().startswith("GRU beats the best baseline, ")
    assert all(name in evaluation.table().text() for name in evaluation.test)
    assert "tok:13a" in evaluation.table().text()


def test_fitting_is_silent_and_writes_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Translator(**SMALL, steps=2).fit(*sentences(60))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_the_verdict_says_when_a_baseline_is_better():
    model = Translator(**SMALL, steps=1).fit(*sentences(80))
    verdict = model.evaluate().verdict()
    assert re.match(r"GRU does NOT beat the best baseline, \w+, on validation", verdict)
    assert re.search(r"Prefer \w+ here\.$", verdict)


def test_it_is_at_the_front_door():
    assert elman.Translator is Translator


def test_the_same_seed_gives_the_same_model():
    both = [Translator(**SMALL, steps=4, seed=3).fit(*sentences(60)) for _ in range(2)]
    first, second = (model.fitted.network.state_dict() for model in both)
    assert all(first[name].equal(second[name]) for name in first)


@pytest.mark.parametrize("cell", ["LSTM", "RNN", Leaky])
def test_any_cell_translates(cell):
    model = Translator(cell, **SMALL, steps=2).fit(*sentences(60))
    assert isinstance(model.predict("der hund"), str)


def test_the_feedforward_network_stands_beside_it():
    model = Translator(**SMALL | {"no_feedforward": False}, steps=3).fit(*sentences(60))
    sizes = model.evaluate().parameters
    assert sizes["feedforward"] == pytest.approx(sizes["GRU"], rel=0.1)
    assert "feedforward" in model.evaluate().validation


# Searching.


def test_a_line_alone_is_a_line_among_others(fitted):
    source, _ = sentences(30, seed=5)
    together = fitted.search(source)
    for line, found in zip(source, together, strict=True):
        (alone,) = fitted.search([line])
        assert [one.text for one in alone] == [one.text for one in found]
        assert alone[0].score == pytest.approx(found[0].score, abs=1e-5)


def test_the_score_of_a_translation_is_that_of_the_teacher(fitted):
    source, _ = sentences(5, seed=6)
    vocabulary = fitted.fitted.vocabulary
    for line in source:
        (found,) = fitted.search([line], length_penalty=0)[0]
        pair = (encode(vocabulary, line), encode(vocabulary, found.text))
        x = batch([pair])
        with torch.no_grad():
            logits = fitted.fitted.network(x.source, x.lengths, x.before, x.counted)
        own = logits.log_softmax(-1).gather(1, x.after[x.counted][:, None]).sum()
        assert found.log_probability == pytest.approx(float(own), abs=1e-4)
        assert found.score == pytest.approx(found.log_probability)


def test_several_translations_come_the_best_first(fitted):
    for found in fitted.search(sentences(5, seed=7)[0], beam=6, n_best=4):
        assert len(found) == 4
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        assert len({one.text for one in found}) > 1


def test_empty_lines_are_empty(fitted):
    assert fitted.predict(["", "der hund", " \t\u00a0"])[::2] == ["", ""]
    assert fitted.predict("") == ""
    assert fitted.predict([]) == []


def test_spaces_of_any_kind_are_spaces(fitted):
    one, other = fitted.predict(["der hund sieht", "  der\thund\u3000 sieht\r"])
    assert one == other


@pytest.mark.parametrize(
    "line", ["日本語の文章です。", "👩‍👩‍👧 🎉", "नमस्ते", "\x00\x07", "a" * 3000]
)
def test_other_scripts_are_translated_somehow(fitted, line):
    assert isinstance(fitted.predict(line, beam=1), str)


def test_a_very_long_line_is_cut_and_translated(fitted):
    words = "der hund sieht. " * 6250
    assert len(words) == 100_000
    found = fitted.search([words, "der hund"], beam=1, n_best=1)
    assert len(found[0]) == 1
    assert len(found[0][0].text) > 1000
    assert found[1][0].text == fitted.predict("der hund", beam=1)


# Attention.


def test_attention_is_a_distribution_over_the_source(fitted):
    found = fitted.attention("der hund sieht")
    assert found.weights.shape == (len(found.target), len(found.source))
    np.testing.assert_allclose(found.weights.sum(1), 1, atol=1e-5)
    assert found.source[-1] == found.target[-1] == "∎"
    ax = fitted.plot_attention("der hund sieht", "sees dog the")
    assert [one.get_text() for one in ax.get_xticklabels()][-1] == "∎"


def test_tokens_that_go_on_with_a_word_are_marked(fitted):
    source = fitted.attention("qwqwq, der", "dog").source
    assert source[:7] == ("␣", "q", "-w", "-q", "-w", "-q", ","), "a mark is no part of a word"
    assert not source[7].startswith("-")


def test_attention_as_a_page_is_escaped(fitted):
    html = fitted.attention("<b> & 日本", "<i>").html()
    assert "<b>" not in html
    assert "<i>" not in html


# Files.


def test_saved_is_the_same(fitted, tmp_path):
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    loaded = Translator.load(path)
    source, _ = sentences(10, seed=8)
    assert loaded.predict(source) == fitted.predict(source)
    assert loaded.evaluate() == fitted.evaluate()
    assert loaded.fitted.samples == fitted.fitted.samples
    assert loaded.settings == fitted.settings


def test_a_cell_of_ones_own_is_given_again(tmp_path):
    path = tmp_path / "model.safetensors"
    Translator(Leaky, **SMALL, steps=1).fit(*sentences(60)).save(path)
    with pytest.raises(ValueError, match="Leaky"):
        Translator.load(path)
    assert Translator.load(path, [Leaky]).cell is Leaky


def _change(path, change):
    stored = model_file.read(path)
    meta, tensors = dict(stored.meta), dict(stored.tensors)
    change(meta, tensors)
    model_file.write(path, meta, tensors)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m, t: m.update(task="language"), "must hold a translator of format 0 or 1"),
        (lambda m, t: m.update(format=9), "must hold a translator of format 0 or 1"),
        (lambda m, t: m["settings"].update(hidden=10**6), "layers or a width that differ"),
        (lambda m, t: m["settings"].update(layers=2), "layers or a width that differ"),
        (lambda m, t: m["settings"].update(embedding=8), "subwords, and a tensor for"),
        (lambda m, t: m["settings"].update(beam=0), "beam must be 1 to"),
        (lambda m, t: m["settings"].update(colour="red"), "colour"),
        (lambda m, t: m.pop("evaluation"), "no 'evaluation'"),
        (lambda m, t: t.pop("extra.vocabulary"), "no 'extra.vocabulary'"),
        (lambda m, t: t.pop("model.readout.bias"), "readout.bias is missing"),
        (
            lambda m, t: t.update({"extra.vocabulary": np.frombuffer(b"{}", np.uint8)}),
            "stored vocabulary of subwords that is none",
        ),
        (
            lambda m, t: t.update({"extra.samples": np.frombuffer(b"[[1]]", np.uint8)}),
            "parts must fit together",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused(fitted, tmp_path, change, words):
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    _change(path, change)
    with pytest.raises(ModelFileError, match=re.escape(words)):
        Translator.load(path)


# Mistakes.


def test_it_must_be_fitted_first():
    with pytest.raises(RuntimeError, match=r"must be fitted first: call fit, or Translator\.load"):
        Translator().predict("a")


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"hiden": 3}, TypeError, "no setting is called 'hiden'; did you mean 'hidden'?"),
        ({"hidden": 0}, ValueError, "hidden must be 1 to 1,000,000; got 0"),
        ({"hidden": 2.5}, TypeError, "hidden must be a whole number; got 2.5"),
        ({"vocabulary": 100}, ValueError, "vocabulary must be 257 to"),
        ({"dropout": 1.0}, ValueError, "dropout must be at least 0 and below 1; got 1.0"),
        ({"smoothing": math.nan}, ValueError, "smoothing must be at least 0 and below 1"),
        ({"held_out": 0.5}, ValueError, "held_out must be at most 0.4"),
        ({"no_feedforward": 1}, TypeError, "no_feedforward must be True or False; got 1"),
        ({"encoding": "utf-99"}, ValueError, "encoding must be the name of a text encoding"),
        ({"length_penalty": -1}, ValueError, "length_penalty must be 0 to 10; got -1"),
        ({"beam": 5000}, ValueError, "beam must be 1 to 1,000; got 5000"),
    ],
)
def test_settings_that_break_their_rule(given, kind, words):
    with pytest.raises(kind, match=re.escape(words)):
        Translator(**given)


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ({"beam": 0}, ValueError, "beam must be 1 to 1,000; got 0"),
        ({"beam": 2, "n_best": 3}, ValueError, "n_best must not exceed beam"),
        ({"length_penalty": "1"}, TypeError, "length_penalty must be a number"),
    ],
)
def test_searches_that_break_their_rule(fitted, how, kind, words):
    with pytest.raises(kind, match=re.escape(words)):
        fitted.search(["a"], **how)


def test_lines_must_be_text(fitted):
    with pytest.raises(TypeError, match="lines must be str; got int at 1; convert it"):
        fitted.predict(["a", 3])


def test_a_run_that_was_killed_goes_on_to_the_same_weights(tmp_path):
    source, target = sentences(80)
    # The same schedule and evaluations, however long the run is.
    settings = SMALL | {"schedule": "constant", "evaluate_every": 2}
    whole = Translator(**settings, steps=8).fit(source, target)
    folder = tmp_path / "run"
    Translator(**settings, steps=4).fit(source, target, run_dir=folder)
    after = Translator(**settings, steps=8).fit(source, target, run_dir=folder, resume=True)
    one, other = (m.fitted.network.state_dict() for m in (whole, after))
    assert all(one[name].equal(other[name]) for name in one)


DATA = Path(__file__).parents[3] / "shared" / "data" / "multi30k_task1"


@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/multi30k_task1")
def test_multi30k_is_read():
    files = {p: (DATA / f"{p}.de.gz", DATA / f"{p}.en.gz") for p in ("train", "val")}
    pairs = Translator().read(*files["train"], validation=files["val"])
    assert (len(pairs.train), len(pairs.validation), len(pairs.test)) == (29_000, 1_014, 0)


def test_settings_have_words_for_each_field():
    for name in vars(TranslateSettings()):
        assert f"`{name}`" in TranslateSettings.__doc__


def test_too_little_is_refused():
    with pytest.raises(DataError, match="training needs at least 20 pairs; got 8"):
        Translator(**SMALL).fit(*sentences(10))
