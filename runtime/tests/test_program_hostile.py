"""Nothing in a file is trusted: each rule of programs and tapes has a model file that breaks it."""

import copy
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import hostile_nodes
import hostile_programs as base
from elman_runtime import ModelFileError, load, model_file

HOSTILE = {**base.RULES, **hostile_nodes.RULES}


def stored(path, change):
    meta = copy.deepcopy(base.META)
    change(meta)
    model_file.write(path, meta, base.TENSORS | base.EXTRA)


def lines_run(function, *args):
    """How many lines of Python a call runs: work that no loaded machine makes longer."""
    count = 0

    def trace(_frame, event, _arg):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function(*args)
    finally:
        sys.settrace(before)
    return count


def test_the_model_that_is_broken_below_is_right(tmp_path):
    stored(tmp_path / "a", lambda _: None)
    assert load(tmp_path / "a").program() == base.PROGRAM


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=HOSTILE.keys())
def test_refused(tmp_path, change, words):
    path = tmp_path / "model.safetensors"
    stored(path, change)
    with pytest.raises(ModelFileError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert words in message
    assert message.count("; ") >= 2  # the rule; what came; the repair
    assert len(message) < 800
    assert message.isprintable()


def _loaded(path):
    with pytest.raises(ModelFileError):
        load(path)


@pytest.mark.parametrize(
    "case", ["far too many lines", "too many inputs of a node", "too many nodes"]
)
def test_a_large_file_is_refused_with_little_work(tmp_path, case):
    """JSON is read at the speed of C; what Python does is bounded by the limits."""
    stored(tmp_path / "a", HOSTILE[case][0])
    assert lines_run(_loaded, tmp_path / "a") < 200_000


def test_the_largest_allowed_model_is_checked_with_bounded_work(tmp_path):
    lines = [f"r{k} = copy 1.0" for k in range(500)]
    longest = copy.deepcopy(base.META["tapes"][0])
    longest["sections"]["update"] += lines
    row = {"op": "relu", "params": {}, "states": [], "attrs": {}}

    def change(meta):
        meta["tapes"] = [longest] * 4
        rows = [{**row, "inputs": ["n"], "outputs": [f"m{k}"]} for k in range(500)]
        meta["programs"]["main"]["nodes"] += rows

    stored(tmp_path / "a", change)
    assert lines_run(load, tmp_path / "a") < 1_000_000


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path, words in ((tmp_path / "fifo", "got a FIFO"), (tmp_path, "got a folder")):
        with pytest.raises(ModelFileError, match=words):
            load(path)
    golden = Path(__file__).with_name("golden") / "format_1.safetensors"
    shutil.copy(golden, tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert load(tmp_path / "link").digest == load(golden).digest  # a link is the file it names
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OSError, match="loop"):
        load(tmp_path / "loop")
    (tmp_path / "gone").symlink_to(tmp_path / "no")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "gone")


def test_nan_weights_are_refused(tmp_path):
    wrong = base.TENSORS["w"].copy()
    wrong[3, 2] = np.nan
    model_file.write(tmp_path / "a", base.META, base.TENSORS | {"w": wrong}, finite=False)
    with pytest.raises(ModelFileError, match=r"tensor 'w': values are finite; got nan at \(3, 2\)"):
        load(tmp_path / "a")
