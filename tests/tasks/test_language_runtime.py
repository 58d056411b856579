"""A language model's file where there is no torch: the same text, or a clear refusal."""

import os
import subprocess
import sys

import pytest

from elman.tasks.language import LanguageModel

TEXT = "the rose is red, the violet blue; " * 120

WITHOUT_TORCH = """
import runpy, sys
for name in ("torch", "elman"):
    sys.modules[name] = None
sys.argv = ["elman_runtime", *sys.argv[1:]]
runpy.run_module("elman_runtime", run_name="__main__")
"""


@pytest.fixture(scope="module", params=["characters", "bytes"])
def stored(request, tmp_path_factory):
    settings = {"hidden": 24, "steps": 30, "no_feedforward": True, "tokens": request.param}
    model = LanguageModel("GRU", **settings).fit(TEXT)
    path = tmp_path_factory.mktemp("language") / "model.safetensors"
    model.save(path)
    return model, path


def generate(*arguments):
    command = [sys.executable, "-c", WITHOUT_TORCH, "generate", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def test_without_torch_the_same_seed_writes_the_same(stored):
    model, path = stored
    done = generate(path, "--prompt", "the ", "--length", 60, "--seed", 7)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the " + model.generate("the ", length=60, seed=7) + "\n"


def test_the_folder_of_a_run_and_several_prompts(stored):
    model, path = stored
    done = generate(path.parent, "--prompt", "red", "--prompt", "blue", "--length", 9, "--top-k", 3)
    written = model.generate(["red", "blue"], length=9, top_k=3)
    texts = ["red" + written[0], "blue" + written[1]]
    assert done.stdout == f"--- 1\n{texts[0]}\n--- 2\n{texts[1]}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--length", "-1"], "length must be a whole number from 0 up; got -1"),
        (["--top-p", "7"], "top_p must be above 0, to 1"),
        (["--stop", ""], "stop must be words of at least one character"),
    ],
)
def test_mistakes_are_said_without_a_traceback(stored, arguments, words):
    done = generate(stored[1], *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_language_model_is_refused(tmp_path):
    import torch

    import elman

    path = tmp_path / "layer.safetensors"
    elman.save(torch.nn.Sequential(torch.nn.Linear(3, 2)), path, quiet=True)
    done = generate(path)
    assert done.returncode == 2
    assert "kind: a language model; got 'Sequential'" in done.stderr
    missing = generate(tmp_path / "none.safetensors")
    assert missing.returncode == 2
    assert "none.safetensors" in missing.stderr
