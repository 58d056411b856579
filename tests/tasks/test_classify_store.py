"""A classifier as one file: the same after loading, and refused where its parts do not fit."""

import tracemalloc

import numpy as np
import pytest

from elman import Cell, Classifier
from elman.ops import tanh
from elman_runtime import ModelFileError, model_file

SMALL = {"hidden": 4, "embedding": 6, "epochs": 1, "no_feedforward": True, "causal": True}
TABLE = {
    "text": [f"a {'fine' if k % 2 else 'dull'} film {k % 7}" for k in range(60)],
    "label": ["good" if k % 2 else "bad" for k in range(60)],
}


class Leaky(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return s.h + 0.5 * (tanh(x.n + u.n) - s.h)


@pytest.fixture(scope="module")
def fitted():
    return Classifier(**SMALL).fit(TABLE)


def test_a_model_file_is_all_that_it_needs(fitted, tmp_path):
    path = tmp_path / "m.safetensors"
    fitted.save(path)
    loaded = Classifier.load(path)
    texts = [*TABLE["text"][:9], ""]
    assert loaded.settings == fitted.settings
    assert loaded.evaluate() == fitted.evaluate()
    assert np.array_equal(loaded.predict_proba(texts), fitted.predict_proba(texts))
    other = tmp_path / "n.safetensors"
    loaded.save(other)
    assert path.read_bytes() == other.read_bytes()


def _huge(meta, tensors):
    meta["settings"]["hidden"] = 900_000


def _layers(meta, tensors):
    meta["settings"]["layers"] = 3


def _unknown(meta, tensors):
    meta["settings"]["colour"] = "red"


def _classes(meta, tensors):
    tensors["extra.classes"] = np.frombuffer(b'["a"]', np.uint8)


def _words(meta, tensors):
    tensors["extra.vocabulary"] = tensors["extra.vocabulary"][:-6]


def _temperature(meta, tensors):
    meta["temperature"] = 0


def _shares(meta, tensors):
    del tensors["extra.shares"]


def _evaluation(meta, tensors):
    meta["evaluation"]["methods"] = []


@pytest.mark.parametrize(
    "spoil", [_huge, _layers, _unknown, _classes, _words, _temperature, _shares, _evaluation]
)
def test_a_file_whose_parts_do_not_fit_together_is_refused(spoil, fitted, tmp_path):
    path = tmp_path / "m.safetensors"
    fitted.save(path)
    stored = model_file.read(path)
    meta, tensors = stored.meta, dict(stored.tensors)
    spoil(meta, tensors)
    model_file.write(path, meta, tensors)
    tracemalloc.start()
    with pytest.raises(ModelFileError, match=r"m\.safetensors: .*must fit together"):
        Classifier.load(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    model_file.write(path, {"format": 0, "kind": "state"}, {})
    with pytest.raises(ModelFileError, match="must hold a classifier"):
        Classifier.load(path)


def test_a_cell_of_the_users_own_is_given_again_on_loading(tmp_path):
    path = tmp_path / "m.safetensors"
    model = Classifier(Leaky, **SMALL).fit(TABLE)
    model.save(path)
    with pytest.raises(ValueError, match="no cell is called 'Leaky'"):
        Classifier.load(path)
    again = Classifier.load(path, cells=[Leaky])
    assert np.array_equal(again.predict_proba(["a"]), model.predict_proba(["a"]))
