"""A classifier that starts from a language model."""

import importlib.util

import numpy as np
import pytest
import torch

from elman import Classifier
from elman.tasks.language import LanguageModel
from elman_runtime import ModelFileError, model_file

TEXT = "a fine film. a dull film! the plot is fine, the music dull. " * 60
TABLE = {
    "text": [f"the {'fine' if k % 2 else 'dull'} film {k % 9}" for k in range(60)],
    "label": ["good" if k % 2 else "bad" for k in range(60)],
}
SIZES = {"hidden": 7, "embedding": 5}
STILL = {"steps": 1, "lr": 1e-12, "no_feedforward": True, "ema": 0.0, "weight_decay": 0.0}


@pytest.fixture(scope="module", params=["characters", "subwords"])
def written(request, tmp_path_factory):
    if request.param == "subwords" and importlib.util.find_spec("tokenizers") is None:
        pytest.skip("needs the library tokenizers")
    path = tmp_path_factory.mktemp("language") / "model.safetensors"
    model = LanguageModel("GRU", **SIZES, steps=3, tokens=request.param, no_feedforward=True)
    model.fit(TEXT).save(path)
    return model, path


def started(written, **more):
    model, path = written
    given = SIZES | STILL | {"tokens": model.settings.tokens, "pretrained": path} | more
    return Classifier("GRU", **given)


@pytest.mark.parametrize("causal", [True, False])
def test_its_tokens_and_its_recurrence_are_the_start(causal, written):
    heard = []
    model = started(written, causal=causal).fit(TABLE, say=heard.append)
    theirs, own = written[0].fitted, model.fitted
    assert any("start from" in one for one in heard)
    assert torch.allclose(own.network.recurrent.weight_hh_l0, theirs.network.recurrent.weight_hh_l0)
    tokens = theirs.vocabulary.encode("fine film").astype(np.int64)
    vectors = theirs.network.words.embed(torch.from_numpy(tokens))
    lexicon = own.reader.lexicon
    assert torch.allclose(own.network.front(torch.from_numpy(lexicon.encode("fine film"))), vectors)
    assert lexicon.pieces("fine film") == [theirs.vocabulary.decode([k]) for k in tokens]


def test_it_is_a_classifier_like_any_other(written, tmp_path):
    model = started(written, causal=True).fit(TABLE)
    model.save(tmp_path / "m.safetensors")
    again = Classifier.load(tmp_path / "m.safetensors")
    assert again.settings == model.settings
    assert np.array_equal(again.predict_proba(["fine"]), model.predict_proba(["fine"]))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"hidden": 8}, r"hidden must be that of the language model .*, 7; got 8; give hidden=7"),
        ({"embedding": 6}, "embedding must be that of"),
        ({"tokens": "words"}, "tokens must be that of"),
        ({"layers": 2}, "layers must be that of"),
        ({"vocabulary": 300}, "vocabulary is the language model's"),
    ],
)
def test_what_does_not_agree_is_refused_with_the_repair(more, words, written):
    with pytest.raises(ValueError, match=words):
        started(written, **more).fit(TABLE)


def test_numbers_and_other_files_are_refused(written, tmp_path):
    with pytest.raises(ValueError, match="pretrained is a language model, for texts"):
        started(written, id="id")
    path = tmp_path / "m.safetensors"
    started(written).fit(TABLE).save(path)
    with pytest.raises(ModelFileError, match="must hold a language model; got 'classify'"):
        started(written, pretrained=path).fit(TABLE)
    file = model_file.read(written[1])
    small = {n: t for n, t in file.tensors.items() if n != "model.recurrent.weight_hh_l0"}
    model_file.write(path, file.meta, small)
    with pytest.raises(ModelFileError, match=r"none for recurrent.weight_hh_l0"):
        started(written, pretrained=path).fit(TABLE)
