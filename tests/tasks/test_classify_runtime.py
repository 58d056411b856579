"""A classifier's file where there is no torch: the same probabilities, or a clear refusal."""

import csv
import io
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import elman
from elman import Cell, Classifier
from elman.ops import tanh
from elman.testing import assert_close
from elman_runtime import Stream, load, model_file
from elman_runtime.classify import TextClassifier
from elman_runtime.errors import ModelFileError
from elman_runtime.lexicon import inputs_of
from elman_runtime.program import evaluate

SMALL = {"hidden": 6, "embedding": 5, "steps": 30, "lr": 0.05, "no_feedforward": True}
SMALL |= {"batch_size": 8}
WORDS = {"good": ["fine", "großartig", "fun"], "bad": ["dull", "poor", "awful"]}
TEXTS = [f"it's a {WORDS['good' if k % 2 else 'bad'][k % 3]} film, no. {k}!" for k in range(80)]
TABLE = {"text": TEXTS, "label": ["good" if k % 2 else "bad" for k in range(80)]}
SEVERAL = {
    "text": TEXTS,
    "label": ["good;new" if k % 2 else ("", "bad")[k % 3 > 0] for k in range(80)],
}
KINDS = {
    "both ways": (TABLE, {}),
    "causal": (TABLE, {"causal": True, "layers": 2}),
    "characters": (TABLE, {"causal": True, "tokens": "characters", "recurrent_only": True}),
    "words and parts": (TABLE, {"causal": True, "tokens": "words+subwords"}),
    "words and parts, both ways": (TABLE, {"tokens": "words+subwords", "layers": 2}),
    "several labels": (SEVERAL, {"causal": True, "label_separator": ";", "cell": "LSTM"}),
    "raw input": (
        TABLE,
        {"causal": True, "cell": "SRU", "pooling": "attention", "keep_case": True},
    ),
    "time passed": (TABLE, {"causal": True, "cell": "CfC"}),
}
UNSEEN = ["It's FINE, truly fun", "a dull poor film", "", "...", "zebra", "fun " * 1200]

WITHOUT_TORCH = """
import runpy, sys
for name in ("torch", "elman"):
    sys.modules[name] = None
sys.argv = ["elman_runtime", *sys.argv[1:]]
runpy.run_module("elman_runtime", run_name="__main__")
"""


class Untaped(Cell):
    """Mixes the units of a row, which no instruction does."""

    gates = ("n",)

    def update(x, u, s, p):
        return tanh(x.n + u.n) + 0.0 * (s.h.flip(-1) if hasattr(s.h, "flip") else s.h[::-1])


@pytest.fixture(scope="module", params=KINDS)
def stored(request, tmp_path_factory):
    table, settings = KINDS[request.param]
    model = Classifier(**SMALL | settings).fit(table)
    # Attention begins at the mean, where a mistake in its scores would go unseen.
    for name, parameter in model.fitted.network.named_parameters():
        if name.endswith("outer.weight") and "pooling" in name:
            torch.nn.init.normal_(parameter)
    path = tmp_path_factory.mktemp("classify") / "model.safetensors"
    model.save(path)
    return model, path


def terms(model):
    widths = (p.shape[-1] for p in model.fitted.network.parameters() if p.dim() > 1)
    return 1200 * sum(widths)


def classify(*arguments, texts=()):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "classify", *map(str, arguments)],
        input="".join(f"{text}\n" for text in texts),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def test_the_program_says_what_torch_says(stored):
    model, path = stored
    wanted = model.predict_proba(UNSEEN)
    found = TextClassifier(path)
    got = np.stack([found.probabilities(text) for text in UNSEEN])
    assert found.classes == model.classes_
    assert_close(got, torch.tensor(wanted, dtype=torch.float32), terms=terms(model))
    labels = [one if isinstance(one, str) else ";".join(one) for one in model.predict(UNSEEN)]
    assert [found.label(sure) for sure in got] == labels


def test_whole_sequences_side_by_side_and_the_step_after_the_last_token(stored):
    model, path = stored
    file = load(path)
    tokens = [model.fitted.reader.lexicon.encode(text) for text in UNSEEN[:5]]
    lengths = np.array([len(one) for one in tokens])
    rows = np.zeros((5, lengths.max(), *tokens[0].shape[1:]), np.int64)
    for row, one in zip(rows, tokens, strict=True):
        row[: len(one)] = one
    given, bag = inputs_of(rows), model.fitted.bag
    given += [] if bag is None else [bag.scores_of(UNSEEN[:5])]
    main = evaluate(file.program(), file.tensors, file.tapes, given, lengths)[0][0]
    wanted = torch.tensor(model.predict_proba(UNSEEN[:5]), dtype=torch.float32)
    assert_close(main, wanted, terms=terms(model))
    if not model.settings.causal:
        assert list(file.programs) == ["main"]
        return
    if rows.ndim == 3:  # of many inputs: judged by the runner, in the tests beside this one
        return
    stream = Stream(file)
    assert stream.program == "step"
    last = stream.push(tokens[0])[-1]
    assert_close(last, wanted[0], terms=terms(model))


def test_a_stream_ends_at_the_whole_judgement(stored):
    model, path = stored
    if not model.settings.causal:
        with pytest.raises(ValueError, match="reads forwards alone"):
            model.stream()
        with pytest.raises(ValueError, match="reads forwards alone"):
            TextClassifier(path).stream()
        return
    for judge in (model.stream(), TextClassifier(path).stream()):
        with pytest.raises(ValueError, match="word must have a word in it at first; got ''"):
            judge.step("")
        for word in UNSEEN[0].split():
            found = judge.step(word)
        assert list(found) == list(model.classes_)
        wanted = torch.tensor(model.predict_proba(UNSEEN[:1])[0], dtype=torch.float32)
        if model.settings.tokens != "characters":
            assert_close(list(found.values()), wanted, terms=terms(model))
        with pytest.raises(TypeError, match="word must be str"):
            judge.step(b"fine")


def test_lines_are_judged_without_torch(stored):
    model, path = stored
    done = classify(path.parent, texts=UNSEEN)
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[0] == ["row", "label", *(f"p({name})" for name in model.classes_)]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3", "4", "5", "6"]
    sure = np.array([[float(one) for one in row[2:]] for row in rows[1:]])
    np.testing.assert_allclose(sure, model.predict_proba(UNSEEN), atol=1e-4)


def test_loading_keeps_the_network_and_saving_again_the_bytes(stored, tmp_path):
    model, path = stored
    again = Classifier.load(path)
    assert np.array_equal(again.predict_proba(UNSEEN), model.predict_proba(UNSEEN))
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert load(path).meta["format"] == 1


@pytest.mark.parametrize("tokens", ["words", "characters", "words+subwords"])
def test_words_are_judged_one_by_one(tokens, tmp_path):
    model = Classifier(**SMALL, causal=True, tokens=tokens).fit(TABLE)
    model.save(tmp_path / "m.safetensors")
    done = classify(tmp_path / "m.safetensors", "--by-word", texts=["a fine film", "dull"])
    rows = list(csv.reader(io.StringIO(done.stdout)))[1:]
    assert [row[:2] for row in rows] == [["1", "a"], ["1", "fine"], ["1", "film"], ["2", "dull"]]
    wanted = model.predict_proba(["a", "a fine", "a fine film", "dull"])
    np.testing.assert_allclose([[float(p) for p in row[2:]] for row in rows], wanted, atol=1e-4)


@pytest.mark.parametrize("cell", ["GRU", "CfC"])
@pytest.mark.parametrize("time", ["t", ""])
def test_sequences_of_numbers_with_masks_and_gaps(cell, time, tmp_path):
    draw = np.random.Generator(np.random.Philox(0))
    table = {name: [] for name in ("id", "t", "a", "kind")}
    for k in range(24):
        for t in np.cumsum(draw.integers(1, 4, size=9)).tolist():
            value = None if draw.random() < 0.1 else float(np.sin(t * (1.5 if k % 2 else 0.3)))
            for column, one in zip(table.values(), (k, t, value, "ab"[k % 2]), strict=True):
                column.append(one)
    settings = SMALL | {"columns": "a", "causal": True}
    model = Classifier(cell, **settings, id="id", time=time, label="kind").fit(table)
    model.save(tmp_path / "m.safetensors")
    file = load(tmp_path / "m.safetensors")
    x = np.stack(model.fitted.reader.encode(model.read(table)))
    wanted = torch.tensor(model.predict_proba(table), dtype=torch.float32)
    main, step = (
        evaluate(file.program(name), file.tensors, file.tapes, [x])[0][0]
        for name in ("main", "step")
    )
    assert_close(main, wanted, terms=terms(model))
    assert_close(step[:, -1], wanted, terms=terms(model))
    assert_close(Stream(file).push(x[0])[-1], wanted[0], terms=terms(model))
    with pytest.raises(ModelFileError, match="a classifier of texts; got one of numbers"):
        TextClassifier(file)


def test_a_cell_without_a_tape_has_no_program_and_streams_in_torch(tmp_path):
    model = Classifier(Untaped, **SMALL, causal=True).fit(TABLE)
    model.save(tmp_path / "m.safetensors")
    assert model_file.read(tmp_path / "m.safetensors").meta["format"] == 0
    again = Classifier.load(tmp_path / "m.safetensors", cells=[Untaped])
    judge = again.stream()
    for word in TEXTS[0].split():
        found = judge.step(word)
    np.testing.assert_allclose(list(found.values()), model.predict_proba(TEXTS[:1])[0], atol=1e-5)


def test_what_cannot_be_judged_is_refused_without_a_traceback(tmp_path):
    path = tmp_path / "layer.safetensors"
    elman.save(torch.nn.Sequential(torch.nn.Linear(3, 2)), path, quiet=True)
    done = classify(path, texts=["a"])
    assert done.returncode == 2
    assert "kind: a classifier of texts; got 'Sequential'" in done.stderr
    Classifier(**SMALL).fit(TABLE).save(path)
    done = classify(path, "--by-word", texts=["a"])
    assert done.returncode == 2
    assert "reads forwards alone" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("extra.classes", np.frombuffer(b'["a"', np.uint8), "extra.classes: a list of names"),
        ("extra.classes", np.frombuffer(b'["a"]', np.uint8), "to the probabilities of 1"),
        ("extra.vocabulary", np.frombuffer(b"a\na", np.uint8), "extra.vocabulary: a vocabulary"),
        ("extra.vocabulary", np.frombuffer(b"a\nb", np.uint8), "from 4 tokens"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(name, array, words, tmp_path):
    path = tmp_path / "m.safetensors"
    Classifier(**SMALL | {"steps": 1}, network_only=True).fit(TABLE).save(path)
    file = model_file.read(path)
    model_file.write(path, file.meta, {**file.tensors, name: array})
    with pytest.raises(ModelFileError, match=words):
        TextClassifier(path)
