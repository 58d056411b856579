"""A bag of words beside the network: added by a weight that validation chooses, stored, judged."""

import dataclasses

import numpy as np
import pytest
import torch

from elman import Classifier
from elman.tasks.classifying.batches import logits_of
from elman.tasks.classifying.blending import best_factor
from elman.tasks.classifying.counting import by_counting
from elman.tasks.classifying.learning import divided
from elman.tasks.classifying.measuring import probabilities
from elman.testing import assert_close
from elman_runtime import ModelFileError, model_file
from elman_runtime.classify import TextClassifier

SMALL = {"hidden": 6, "embedding": 5, "steps": 30, "lr": 0.05, "no_feedforward": True}
WORDS = {"good": ["fine", "great", "fun"], "bad": ["dull", "poor", "awful"]}
TEXTS = [f"it's a {WORDS['good' if k % 2 else 'bad'][k % 3]} film, no. {k}!" for k in range(80)]
TABLE = {"text": TEXTS, "label": ["good" if k % 2 else "bad" for k in range(80)]}
UNSEEN = ["It's FINE, truly fun, fun fun", "a dull poor film", "", "zebra", "fun " * 1200]
KINDS = {
    "words": {},
    "words and parts": {"tokens": "words+subwords", "keep_case": True},
    "several labels": {"label_separator": ";"},
}


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return Classifier(**SMALL, **KINDS[request.param]).fit(TABLE)


def flags_of(count, draw):
    return np.eye(2, dtype=bool)[draw.integers(2, size=count)]


def test_words_count_for_as_much_as_they_help():
    draw = np.random.Generator(np.random.Philox(3))
    flags = flags_of(400, draw)
    signal = 2.0 * (flags - 0.5)
    network, words = (signal + draw.standard_normal((400, 2)) for _ in range(2))
    noise = draw.standard_normal((400, 2))
    assert 0.5 < best_factor(network, words, flags, False) < 2
    assert best_factor(network, 10 * words, flags, False) == pytest.approx(
        best_factor(network, words, flags, False) / 10, rel=0.1
    )
    assert best_factor(network, noise, flags, False) < 0.1
    assert best_factor(10 * signal, noise, flags, False) == 0
    assert best_factor(noise, words, flags, False) > 2
    assert best_factor(network[:0], words[:0], flags[:0], False) == 0


def test_the_scores_are_those_of_the_baseline_that_is_shown():
    own = Classifier(**SMALL)
    data = divided(own.read(TABLE), own.settings, 0)
    found = by_counting(data)["bag of words"]
    assert_close(
        found.bag.scores_of(data.test.examples.inputs),
        torch.tensor(found.test, dtype=torch.float32),
        terms=200,
    )


def test_probabilities_are_of_both_scores_together(model):
    fitted, texts = model.fitted, UNSEEN
    encoded = [fitted.reader.lexicon.encode(text) for text in texts]
    own = logits_of(fitted.network, encoded, 2)
    both = (own + fitted.bag.scores_of(texts)) / fitted.temperature
    several = model.settings.several
    np.testing.assert_allclose(model.predict_proba(texts), probabilities(both, several), rtol=1e-6)
    alone = probabilities(own / fitted.temperature, several)
    assert abs(model.predict_proba(texts) - alone).max() > 0.01


def test_the_results_say_what_it_is(model):
    found = model.evaluate()
    names = ["GRU + bag of words", "GRU alone", "majority", "bag of words"]
    assert list(found.test) == list(found.validation) == names
    both, alone, words = (found.validation[names[k]].loss for k in (0, 1, 3))
    assert both <= min(alone, words) + 1e-3
    assert list(found.others) == ["majority", "bag of words"]
    counts = found.parameters
    assert counts[names[0]] == counts["GRU alone"] + counts["bag of words"]
    again = model.evaluate(TABLE)
    assert list(again.test) == [names[0], "majority"]
    assert again.parameters == {names[0]: counts[names[0]]}


@pytest.mark.parametrize(
    "given", [{"network_only": True}, {"causal": True}, {"tokens": "characters"}]
)
def test_the_network_alone(given):
    model = Classifier(**SMALL | {"steps": 2}, **given).fit(TABLE)
    assert model.fitted.bag is None
    assert model.evaluate().network == "GRU"
    assert "GRU alone" not in model.evaluate().validation


def test_the_file_says_the_same_with_torch_and_without(model, tmp_path):
    path = tmp_path / "m.safetensors"
    model.save(path)
    wanted = model.predict_proba(UNSEEN)
    loaded = Classifier.load(path)
    assert np.array_equal(loaded.predict_proba(UNSEEN), wanted)
    loaded.save(tmp_path / "again.safetensors")
    assert path.read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    small = TextClassifier(path)
    got = np.stack([small.probabilities(text) for text in UNSEEN])
    assert_close(got, torch.tensor(wanted, dtype=torch.float32), terms=20_000)
    assert [port.name for port in small.model.program().inputs][-1] == "scores"


def test_what_matters_is_of_both(model):
    found = model.explain("a fine film", "good")
    whole, without = model.predict_proba(["a fine film", "a film"])[:, 1]
    odds = [np.log(one / (1 - one)) for one in (whole, without)]
    assert found.nats[1] == pytest.approx(odds[0] - odds[1], abs=1e-4)


def _unsorted(tensors):
    tensors["extra.bag_keys"] = tensors["extra.bag_keys"][::-1]


def _narrow(tensors):
    tensors["extra.bag_weight"] = tensors["extra.bag_weight"][:, :1]


def _missing(tensors):
    del tensors["extra.bag_bias"]


def _twice(tensors):
    tensors["extra.bag_words"] = np.frombuffer(b"a\na", np.uint8)


def _short(tensors):
    tensors["extra.bag_keys"] = tensors["extra.bag_keys"][1:]


def _none(tensors):
    for name in ("words", "keys", "weight", "bias"):
        del tensors[f"extra.bag_{name}"]


@pytest.mark.parametrize("spoil", [_unsorted, _narrow, _missing, _twice, _short])
def test_a_damaged_bag_is_refused(spoil, tmp_path):
    path = tmp_path / "m.safetensors"
    Classifier(**SMALL).fit(TABLE).save(path)
    stored = model_file.read(path)
    tensors = dict(stored.tensors)
    spoil(tensors)
    model_file.write(path, stored.meta, tensors)
    with pytest.raises(ModelFileError, match="must fit together"):
        Classifier.load(path)
    with pytest.raises(ModelFileError, match=r"extra\.bag: a bag of words"):
        TextClassifier(path)


def test_a_bag_that_a_program_waits_for_is_missed(tmp_path):
    path = tmp_path / "m.safetensors"
    Classifier(**SMALL).fit(TABLE).save(path)
    stored = model_file.read(path)
    tensors = dict(stored.tensors)
    _none(tensors)
    model_file.write(path, stored.meta, tensors)
    with pytest.raises(ModelFileError, match="program 'main'"):
        TextClassifier(path)
    with pytest.raises(ModelFileError, match="a bag of words that is missing"):
        Classifier.load(path)


def test_a_bag_of_twice_the_weight_adds_twice():
    bag = Classifier(**SMALL).fit(TABLE).fitted.bag
    ids = bag.encode("a fine film")
    np.testing.assert_allclose(bag.times(2).scores(ids), 2 * bag.scores(ids), rtol=1e-6)
    same = dataclasses.replace(bag, keys=bag.keys[:0], weight=bag.weight[:0])
    np.testing.assert_array_equal(same.scores(ids), bag.bias)
