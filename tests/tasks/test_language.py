"""The estimator: fit, evaluate, generate, score, save, load, and every mistake with its message."""

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import elman
from elman import Cell
from elman.data import DataError
from elman.ops import tanh
from elman.tasks.language import LanguageModel, LanguageSettings
from elman_runtime import ModelFileError, model_file

DATA = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare" / "input.txt"
POEM = """the rose is red, the violet's blue,
the honey's sweet, and so are you.
"""
WORDS = ["rose", "violet", "honey", "red", "blue", "sweet", "you", "and", "so", "are", "the"]


class Leaky(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return s.h + 0.5 * (tanh(x.n + u.n) - s.h)


def text(words=1500, seed=0):
    draw = np.random.Generator(np.random.Philox(seed))
    chosen = draw.choice(WORDS, words).tolist()
    return "\n".join(" ".join(chosen[k : k + 8]) for k in range(0, words, 8))


SMALL = {"hidden": 24, "embedding": 8, "steps": 100, "evaluate_every": 50, "length": 20}
SMALL |= {"batch_size": 8, "lr": 0.02, "dropout": 0.0, "warmup": 10}


@pytest.fixture(scope="module")
def fitted():
    return LanguageModel(**SMALL).fit(text())


def test_fitting_is_silent_and_writes_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    LanguageModel(**SMALL | {"steps": 2}).fit(text(200))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_it_is_at_the_front_door():
    assert elman.LanguageModel is LanguageModel
    with pytest.raises(AttributeError, match="no attribute 'LanguageModle'"):
        _ = elman.LanguageModle


def test_the_evaluation_has_every_baseline_and_a_verdict(fitted):
    evaluation = fitted.evaluate()
    names = ["LSTM", "feedforward", "5-gram", "unigram", "uniform"]
    assert list(evaluation.test) == list(evaluation.validation) == names
    assert ("does NOT beat" in evaluation.verdict()) != evaluation.beats_best_baseline
    table = evaluation.table().text()
    assert all(name in table for name in names)
    assert evaluation.test["LSTM"].nats < 0.9 * evaluation.test["unigram"].nats
    assert evaluation.test["unigram"].nats < evaluation.test["uniform"].nats
    assert evaluation.test["LSTM"].units == round(0.1 * len(text()))
    sizes = evaluation.parameters
    assert sizes["feedforward"] == pytest.approx(sizes["LSTM"], rel=0.05)


def test_the_verdict_says_when_a_baseline_is_better():
    model = LanguageModel(**SMALL | {"steps": 1}, no_feedforward=True).fit(text())
    verdict = model.evaluate().verdict()
    assert verdict.startswith("LSTM does NOT beat the best baseline, 5-gram, on validation")
    assert verdict.endswith("Prefer 5-gram here.")


def test_the_same_seed_gives_the_same_model():
    first, second = (LanguageModel(**SMALL | {"steps": 20}).fit(text(400)) for _ in range(2))
    other = LanguageModel(**SMALL | {"steps": 20, "seed": 1}).fit(text(400))
    assert first.evaluate() == second.evaluate() != other.evaluate()
    assert first.generate("the", length=30) == second.generate("the", length=30)


def test_it_writes_on_from_prompts(fitted):
    one = fitted.generate("the rose", length=80, seed=3)
    assert len(one) == 80
    assert sum(word in WORDS for word in one.split()[1:-1]) > 0.5 * len(one.split()[1:-1])
    both = fitted.generate(["the rose", "so"], length=80, seed=3)
    assert both[0] == one
    assert "\n" not in fitted.generate("the", length=200, stop="\n")
    assert fitted.generate("the", length=50, temperature=0) == fitted.generate(
        "the", length=50, top_k=1, seed=9
    )
    assert "".join(piece for _, piece in fitted.stream(["so"], length=9)) == fitted.generate(
        "so", length=9
    )


def test_a_score_is_the_probability_of_a_text(fitted):
    good, bad = fitted.score("the rose is red"), fitted.score("xqz the rose is red")
    assert good.nats.shape == (15,)
    assert good.log_probability == pytest.approx(-good.nats.sum())
    assert bad.unknown == "xqz" or set(bad.unknown) == set("xqz")
    assert bad.nats[0] > 13
    assert bad.log_probability == pytest.approx(-bad.nats.sum(), rel=1e-6)
    assert good.bits == pytest.approx(good.nats / np.log(2))
    rows = good.csv().strip().split("\n")
    assert rows[0] == "token,log_probability,surprise_bits"
    assert len(rows) == 16
    assert "<span" in good.picture()
    assert "bits a character" in good.summary("character")
    assert "<!doctype html>" in good.page("Surprise", "character")
    # All texts of one more character share what is left: probabilities sum to one.
    known = [piece.decode() for piece in fitted.fitted.vocabulary.pieces[2:]]
    shares = [np.exp(-fitted.score(f"the ros{one}").nats[-1]) for one in known]
    assert 0.99 < sum(shares) <= 1.000001


def test_a_model_file_is_all_that_it_needs(fitted, tmp_path):
    path = tmp_path / "m.safetensors"
    fitted.save(path)
    loaded = LanguageModel.load(path)
    assert loaded.settings == fitted.settings
    assert loaded.fit_settings == fitted.fit_settings
    assert loaded.evaluate() == fitted.evaluate()
    assert loaded.generate("so", length=40) == fitted.generate("so", length=40)
    assert loaded.score(POEM).log_probability == fitted.score(POEM).log_probability
    with pytest.raises(RuntimeError, match="text must be given where the model was loaded"):
        loaded.evaluate_dynamic()
    first, second = (tmp_path / name for name in ("a.safetensors", "b.safetensors"))
    loaded.save(first)
    fitted.save(second)
    assert first.read_bytes() == second.read_bytes()


def test_a_cell_of_the_users_own_is_given_again_on_loading(tmp_path):
    path = tmp_path / "m.safetensors"
    model = LanguageModel(Leaky, **SMALL | {"steps": 3}, no_feedforward=True).fit(text(300))
    model.save(path)
    with pytest.raises(ValueError, match="no cell is called 'Leaky'"):
        LanguageModel.load(path)
    again = LanguageModel.load(path, cells=[Leaky])
    assert again.generate("a", length=10) == model.generate("a", length=10)


@pytest.mark.parametrize("tokens", ["bytes", "subwords"])
def test_bytes_and_subwords(tokens, tmp_path):
    given = SMALL | {"tokens": tokens, "no_feedforward": True}
    if tokens == "subwords":
        pytest.importorskip("tokenizers", reason="needs tokenizers: pip install 'elman[text]'")
        given |= {"vocabulary": 270, "embedding": 24}
    model = LanguageModel(**given).fit(text() + " é🙂")
    assert model.evaluate().unit == ("byte" if tokens == "bytes" else "character")
    assert model.fitted.network.words.tied == (tokens == "subwords")
    assert model.evaluate().test["LSTM"].nats < model.evaluate().test["uniform"].nats
    path = tmp_path / "m.safetensors"
    model.save(path)
    again = LanguageModel.load(path)
    assert again.generate("the ros", length=20) == model.generate("the ros", length=20)
    scored = again.score("the rosé 🙂")
    assert "".join(scored.pieces) == "the rosé 🙂"
    assert scored.unknown == ""
    if tokens == "subwords":
        assert scored.score.units == 10
        assert scored.score.tokens < 20


def test_the_same_text_costs_as_much_per_character_however_it_is_cut():
    # The uniform baseline over 256 bytes, ASCII: ln 256 nats a byte.
    given = SMALL | {"steps": 2, "no_feedforward": True}
    found = LanguageModel(tokens="bytes", **given).fit(text(300)).evaluate().test["uniform"]
    assert found.bits == pytest.approx(8)


def test_final_trains_on_validation_too():
    model = LanguageModel(**SMALL, final=True, no_feedforward=True).fit(text())
    evaluation = model.evaluate()
    assert evaluation.validation == {}
    assert evaluation.chosen_on == "test"
    assert "on test" in evaluation.verdict()
    assert "Trained on validation too" in evaluation.table().note
    assert model.fitted.corpus.train.units == round(0.9 * len(text()))
    assert model.fitted.result.best == {}


def test_another_text_is_measured_beside_what_the_file_knows(fitted, tmp_path):
    (tmp_path / "other.txt").write_text(text(100, 5))
    evaluation = fitted.evaluate(tmp_path / "other.txt")
    assert list(evaluation.test) == ["LSTM", "unigram", "uniform"]
    assert evaluation.test["LSTM"].nats == pytest.approx(
        fitted.evaluate().test["LSTM"].nats, rel=0.1
    )
    short = fitted.evaluate("so are you").test["LSTM"]
    assert short.nats == pytest.approx(fitted.score("so are you").score.nats, rel=1e-4)
    moved = fitted.evaluate_dynamic(tmp_path / "other.txt", rate=1e-3)
    assert moved.units == evaluation.test["LSTM"].units
    strange = fitted.evaluate("Ω" * 20).test["LSTM"]
    assert strange.nats > 13


def test_several_documents_end(tmp_path):
    paths = []
    for k in range(60):
        paths.append(tmp_path / f"{k:02d}.txt")
        paths[-1].write_text("ab" * (3 + k % 3) + ".")
    model = LanguageModel(**SMALL | {"steps": 150, "no_feedforward": True}).fit(paths)
    assert dict(model.fitted.understood)["text"].startswith("60 documents: 00.txt, 01.txt")
    written = model.generate([""] * 20, length=60)
    assert all(re.fullmatch(r"(ab)+\.", one) for one in written[:3]), written
    assert sum(one.endswith(".") for one in written) > 15


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tokens": "words"}, "tokens must be one of characters, bytes, subwords; got 'words'"),
        ({"hidden": 0}, "hidden must be 1 to"),
        ({"hidden": 2.5}, "hidden must be a whole number"),
        ({"hiden": 3}, "did you mean 'hidden'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"reset": -0.1}, "reset must be at least 0"),
        ({"length": 1}, "length must be 2 to"),
        ({"final": "yes"}, "final must be True or False"),
        ({"vocabulary": 100, "tokens": "bytes"}, "of which there are 256"),
        ({"vocabulary": 100, "tokens": "subwords"}, "must be 257 or more"),
        ({"encoding": "utf-9"}, "encoding must be the name"),
        ({"cell": "LSTMM"}, "no cell is called 'LSTMM'"),
        ({"lr": -1.0}, "lr must be above 0"),
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LanguageModel(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"length": -1}, "length must be a whole number from 0"),
        ({"length": 2.5}, "length must be a whole number"),
        ({"temperature": -1}, "temperature must be 0 or more"),
        ({"top_p": 0}, "top_p must be above 0"),
        ({"top_k": 1.5}, "top_k must be a whole number"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"stop": ""}, "stop must be words"),
        ({"stop": [3]}, "stop must be words"),
    ],
)
def test_writing_that_breaks_its_rule_is_refused(given, message, fitted):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.generate("a", **given)


def test_mistakes_with_text_are_refused(fitted):
    with pytest.raises(RuntimeError, match="must be fitted first"):
        LanguageModel().generate("a")
    with pytest.raises(ValueError, match="prompts must be at least one"):
        fitted.generate([])
    with pytest.raises(TypeError, match="prompts must be a list of str"):
        fitted.generate([3])
    with pytest.raises(ValueError, match="at least one character; got none"):
        fitted.score("")
    with pytest.raises(DataError, match="at least 200 characters"):
        LanguageModel().fit("short")
    with pytest.raises(DataError, match="no such file"):
        fitted.evaluate(Path("none.txt"))


def _huge(meta, tensors):
    meta["settings"]["hidden"] = 10**6


def _more_layers(meta, tensors):
    meta["settings"]["layers"] = 10**5


def _unknown_setting(meta, tensors):
    meta["settings"]["eval"] = "import os"


def _no_bias(meta, tensors):
    del tensors["model.words.bias"]


def _other_vocabulary(meta, tensors):
    tensors["extra.vocabulary"] = tensors["extra.vocabulary"][:-1]


def _unsorted_vocabulary(meta, tensors):
    tensors["extra.vocabulary"] = tensors["extra.vocabulary"][::-1].copy()


def _no_frequencies(meta, tensors):
    del tensors["extra.frequencies"]


def _no_evaluation(meta, tensors):
    meta["evaluation"]["test"] = {}


def _no_data(meta, tensors):
    del meta["data"]


SPOILT = [_huge, _more_layers, _unknown_setting, _no_bias, _other_vocabulary]
SPOILT += [_unsorted_vocabulary, _no_frequencies, _no_evaluation, _no_data]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_file_whose_parts_do_not_fit_together_is_refused(spoil, fitted, tmp_path):
    path = tmp_path / "m.safetensors"
    fitted.save(path)
    stored = model_file.read(path)
    meta, tensors = stored.meta, dict(stored.tensors)
    spoil(meta, tensors)
    model_file.write(path, meta, tensors)
    tracemalloc.start()
    with pytest.raises(ModelFileError, match=r"m\.safetensors: .*must fit together"):
        LanguageModel.load(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    model_file.write(path, {"format": 0, "kind": "state"}, {})
    with pytest.raises(ModelFileError, match="must hold a language model"):
        LanguageModel.load(path)


def test_settings_say_what_they_are():
    from elman.cli.flags import descriptions

    assert set(descriptions(LanguageSettings)) == set(LanguageSettings.__dataclass_fields__)


@pytest.mark.skipif(not DATA.exists(), reason="needs tinyshakespeare in shared/data")
def test_a_small_network_learns_shakespeare():
    play = DATA.read_text()[:200_000]
    given = {"hidden": 64, "steps": 120, "batch_size": 16, "length": 50, "lr": 0.01}
    model = LanguageModel(**given, no_feedforward=True).fit(play)
    scores = model.evaluate().validation
    assert scores["LSTM"].nats < 0.8 * scores["unigram"].nats
    assert any(name in model.generate("", length=2000) for name in (":\n", ".\n\n"))
