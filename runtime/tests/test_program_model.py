"""Model files of format 1: written, read, run; golden files of every format."""

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

import elman_runtime
import program_zoo as zoo
from elman_runtime import ModelFileError, load, model_file, write_model
from elman_runtime.program import evaluate

GOLDEN = Path(__file__).with_name("golden")
DIGESTS = {
    0: "46a544f2ff09c40c396d0aa6566594441bc436ca7bdae0c3c2e346592c003255",
    1: "2a5ae8b69a78af5ef0137dbf2d9f1778ff29634c1d0abc2356524a87620cf217",
}


@pytest.fixture(name="parts")
def _parts():
    program, tensors = zoo.stack(np.random.default_rng(0).standard_normal)
    return {
        "programs": {"main": program},
        "tapes": [zoo.RNN],
        "tensors": tensors | {"extra.words": np.arange(9, dtype="u1")},
        "kind": "Sequential",
        "settings": {"units": 7},
    }


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "model.safetensors"


def test_what_is_written_is_read(path, parts):
    digest = write_model(path, **parts, task="tests", note={"a": [1]})
    model = load(path)
    assert model.digest == digest
    assert dict(model.programs) == parts["programs"]
    assert model.program() == parts["programs"]["main"]
    assert model.tapes == (zoo.RNN,)
    assert model.settings == {"units": 7}
    assert (model.meta["kind"], model.meta["task"], model.meta["note"]) == (
        "Sequential",
        "tests",
        {"a": [1]},
    )
    assert model.kind().name == "step"
    for name, value in parts["tensors"].items():
        np.testing.assert_array_equal(model.tensors[name], value)
    again = write_model(
        path, model.programs, model.tapes, model.tensors, "Sequential", model.settings
    )
    assert again != digest  # without task and note
    assert write_model(path, **parts, task="tests", note={"a": [1]}) == digest


def test_a_model_is_frozen(path, parts):
    write_model(path, **parts)
    with pytest.raises(FrozenInstanceError):
        load(path).digest = ""


def test_programs_by_name(path, parts):
    main = parts["programs"]["main"]
    step = replace(main, outputs=main.outputs[:1])
    write_model(path, **{**parts, "programs": {"main": main, "step": step}})
    model = load(path)
    assert model.runner().program == step
    assert model.runner("main").program == main
    with pytest.raises(ValueError, match=r"has the programs main, step; got 'encode'"):
        model.program("encode")


def test_a_file_of_programs_is_refused_before_it_is_written(path, parts):
    main = parts["programs"]["main"]
    wrong = replace(main, nodes=main.nodes[:-1])
    with pytest.raises(ModelFileError, match="program 'main' output 0: an output was written"):
        write_model(path, **{**parts, "programs": {"main": wrong}})
    with pytest.raises(TypeError, match="'format' is a key of the format"):
        write_model(path, **parts, format=2)
    assert not path.exists()


def test_format_0_is_refused_with_what_to_do():
    path = GOLDEN / "format_0.safetensors"
    stored = model_file.read(path)
    assert stored.digest == DIGESTS[0]
    assert stored.meta["settings"]["cell"] == "GRU"
    assert stored.tensors["weight_ih_l0"].shape == (12, 3)
    with pytest.raises(ModelFileError, match=r"format: 1, .* got 0; load it with elman.load and"):
        load(path)


@pytest.mark.parametrize(
    ("task", "repair"),
    [("forecast", "elman export RUN --series"), ("language", "class of its task")],
)
def test_format_0_of_a_task_is_refused_with_what_that_task_has(tmp_path, task, repair):
    path = tmp_path / "model.safetensors"
    model_file.write(path, {"format": 0, "task": task}, {})
    with pytest.raises(ModelFileError, match=repair):
        load(path)


def test_format_1_gives_what_it_gave():
    model = load(GOLDEN / "format_1.safetensors")
    assert model.digest == DIGESTS[1]
    assert model.settings == {"classes": ["no", "yes"]}
    tokens, wanted = model.tensors["extra.token"], model.tensors["extra.output"]
    near = {"rtol": 1e-5, "atol": 1e-5}
    (steps,), _ = evaluate(model.program("step"), model.tensors, model.tapes, [tokens])
    np.testing.assert_allclose(steps, wanted, **near)
    (end,), _ = evaluate(model.program(), model.tensors, model.tapes, [tokens])
    np.testing.assert_allclose(end, wanted[:, -1], **near)
    runner = model.runner()
    state, found = np.tile(runner.start(), (2, 1)), np.empty((2, 6, 2), "f4")
    runner.run(state, (tokens,), (found,))
    np.testing.assert_allclose(found, wanted, **near)


def test_golden_files_can_be_made_again(tmp_path, monkeypatch):
    """The script that made them still makes the same contents."""
    path = Path(__file__).parents[2] / "tools" / "model_files.py"
    spec = importlib.util.spec_from_file_location("model_files", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    script.main()
    for kept in GOLDEN.iterdir():
        made, wanted = model_file.read(tmp_path / kept.name), model_file.read(kept)
        assert made.meta == wanted.meta
        assert made.tensors.keys() == wanted.tensors.keys()
        for name, value in wanted.tensors.items():
            # The output is computed anew, by another machine perhaps.
            np.testing.assert_allclose(made.tensors[name], value, rtol=1e-12)


def test_a_renamed_model_is_the_same_model(tmp_path):
    shutil.copy(GOLDEN / "format_1.safetensors", tmp_path / "other")
    assert load(tmp_path / "other").digest == DIGESTS[1]


def test_import_leaves_programs_for_later():
    code = (
        "import elman_runtime, sys, json\n"
        "before = 'elman_runtime.program' in sys.modules\n"
        "elman_runtime.load\n"
        "print(json.dumps([before, 'elman_runtime.program' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, True]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        elman_runtime.nothing  # noqa: B018
