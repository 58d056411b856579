"""A translator's file where there is no torch: the same translations, or a clear refusal."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import elman_runtime
from elman import Cell
from elman.cells import by_name
from elman.nn import Builder
from elman.tasks.translate import Translator
from elman.tasks.translating.batches import padded
from elman.tasks.translating.network import TranslationNetwork
from elman.tasks.translating.program import programs_of
from elman_runtime import ModelFileError, model_file
from elman_runtime.model import write_model
from elman_runtime.program import evaluate
from elman_runtime.translate import ProgramTranslator

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

WORDS = {"der": "the", "hund": "dog", "mann": "man", "sieht": "sees", "große": "tall", "🎉": "yes"}
SMALL = {"hidden": 24, "embedding": 24, "vocabulary": 290, "lr": 2e-2, "steps": 60, "ema": 0.9}
LINES = ["der hund sieht", "", "große mann 🎉", "  der\tmann ", "etwas anderes, noch nie gesehen."]

WITHOUT_TORCH = """
import runpy, sys
for name in ("torch", "elman"):
    sys.modules[name] = None
sys.argv = ["elman_runtime", *sys.argv[1:]]
runpy.run_module("elman_runtime", run_name="__main__")
"""


def sentences():
    draw = np.random.Generator(np.random.Philox(3))
    rows = [draw.choice(list(WORDS), draw.integers(2, 5)).tolist() for _ in range(120)]
    return [" ".join(row) for row in rows], [" ".join(WORDS[w] for w in row[::-1]) for row in rows]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    model = Translator(**SMALL, no_feedforward=True).fit(*sentences())
    path = tmp_path_factory.mktemp("translate") / "model.safetensors"
    model.save(path)
    return model, path


def translate(path, text, *arguments):
    command = [sys.executable, "-c", WITHOUT_TORCH, "translate", *map(str, [path, *arguments])]
    raw = text if isinstance(text, bytes) else text.encode()
    return subprocess.run(command, input=raw, capture_output=True, env=dict(os.environ))


@pytest.mark.parametrize("cell", ["GRU", "LSTM", "MinGRU", "RNN"])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_programs_are_the_network(cell, layers):
    torch.manual_seed(2)
    network = TranslationNetwork(by_name(cell), 19, 6, 5, layers, dropout=0.5, weight_drop=0.3)
    network = network.double().eval()
    builder = Builder()
    programs = programs_of(network, builder)
    run = builder.tensors, builder.tapes
    source, lengths = padded([[3, 4, 5, 0], [7, 0], [9, 2, 11, 12, 13, 0]])
    state, memory = network.encode(source, lengths)
    made, _ = evaluate(programs["encode"], *run, [source.numpy()], lengths.numpy())
    token = torch.tensor([0, 0, 0])
    for _ in range(4):
        expected, state = network.step(token, state, memory)
        (found, *new), _ = evaluate(programs["step"], *run, [token.numpy(), *made], lengths.numpy())
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=0, atol=1e-12)
        made, token = (*made[:2], *new), expected.argmax(1)
    names = {f"model.{name}" for name in network.state_dict()}
    assert names - set(builder.tensors) == {"model.attention.score.weight"}, "v is stored as (A,)"


def test_without_torch_the_same_translations(stored):
    model, path = stored
    done = translate(path, "\n".join(LINES))
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split("\n")[:-1] == model.predict(LINES)
    assert done.stdout.decode().split("\n")[1] == ""


def test_several_of_each_and_the_folder_of_a_run(stored):
    model, path = stored
    done = translate(path.parent, LINES[0] + "\r\n", "--n-best", 3, "--length-penalty", 0.5)
    expected = model.search(LINES[:1], n_best=3, length_penalty=0.5)[0]
    rows = [row.split("\t") for row in done.stdout.decode().splitlines()]
    assert [(int(row[0]), row[2]) for row in rows] == [(1, one.text) for one in expected]
    for row, one in zip(rows, expected, strict=True):
        assert float(row[1]) == pytest.approx(one.score, abs=1e-4)


def test_a_file_of_format_0_is_read_and_stored_again_with_programs(stored, tmp_path):
    model, path = stored
    found, old = model_file.read(path), tmp_path / "old.safetensors"
    meta = {k: v for k, v in found.meta.items() if k not in ("kind", "programs", "tapes")}
    names = {f"model.{name}" for name in model.fitted.network.state_dict()}
    own = {n: a for n, a in found.tensors.items() if n in names or n.startswith("extra.")}
    model_file.write(old, {**meta, "format": 0}, own)
    with pytest.raises(ModelFileError, match="format: 1, which holds programs; got 0"):
        elman_runtime.load(old)
    again = Translator.load(old)
    assert again.predict(LINES) == model.predict(LINES)
    again.save(old)
    assert old.read_bytes() == path.read_bytes()


class Untraced(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return torch.sin(x.n + u.n)


def test_a_cell_without_a_tape_is_stored_without_programs(tmp_path):
    path = tmp_path / "model.safetensors"
    model = Translator(Untraced, **SMALL | {"steps": 1}, no_feedforward=True).fit(*sentences())
    model.save(path)
    assert model_file.read(path).meta["format"] == 0
    assert Translator.load(path, [Untraced]).predict(LINES) == model.predict(LINES)


def test_in_python_one_line_alone_is_one_among_others(stored):
    model, path = stored
    own = ProgramTranslator(elman_runtime.load(path))
    source = sentences()[0][:20]
    found = own.translate(source)
    assert [one[0].text for one in found] == model.predict(source)
    assert own.translate(source[:1])[0][0].text == found[0][0].text
    assert found[3][0].score == pytest.approx(model.search(source)[3][0].score, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("a", ["--beam", 0], "beam must be 1 to 1,000; got 0"),
        ("a", ["--n-best", 4, "--beam", 2], "n_best must not exceed beam"),
        ("a", ["--length-penalty", -1], "length_penalty must be 0 to 10"),
        (b"a\n\xff\n", [], "standard input: line 2: the text must be UTF-8; got the byte 0xff"),
    ],
)
def test_mistakes_are_said_without_a_traceback(stored, text, arguments, words):
    done = translate(stored[1], text, *arguments)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def _without(model, path, programs=None, tensors=None, kind="Translator", **settings):
    """The file of `model` once more, something in it changed."""
    kept = model.tensors if tensors is None else tensors
    own = model.programs if programs is None else programs
    write_model(path, own, model.tapes, kept, kind, {**model.settings, **settings})
    return elman_runtime.load(path)


def test_what_is_no_translator_is_refused(stored, tmp_path):
    model, path = elman_runtime.load(stored[1]), tmp_path / "other.safetensors"
    swapped = {"encode": model.program("step"), "step": model.program("encode")}
    bare = {name: a for name, a in model.tensors.items() if name != "extra.vocabulary"}
    broken = {**model.tensors, "extra.vocabulary": np.frombuffer(b"{}", np.uint8)}
    for changed, words in (
        ({"kind": "LanguageModel"}, "kind: a translator; got 'LanguageModel'"),
        ({"programs": {"encode": model.program("encode")}}, "one called 'step'; got encode"),
        ({"programs": swapped}, "'step' takes a token and what 'encode' gives"),
        ({"tensors": bare}, "extra.vocabulary: bytes; got none"),
        ({"tensors": broken}, "extra.vocabulary: a vocabulary"),
        ({"beam": 0}, "settings: beam must be 1 to 1,000; got 0"),
    ):
        with pytest.raises(ModelFileError, match=words):
            ProgramTranslator(_without(model, path, **changed))
