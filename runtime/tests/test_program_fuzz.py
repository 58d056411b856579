"""Broken files by the hundred: each is refused with ModelFileError, or loads and runs.

`tools/fuzz_model_file.py` looks for longer, guided by the lines that a file reaches.
"""

import importlib.util
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman_runtime import ModelFileError, load, native
from elman_runtime.program import OPS, NumpyRunner, kind_of, runner


def _script():
    path = Path(__file__).parents[2] / "tools" / "fuzz_model_file.py"
    spec = importlib.util.spec_from_file_location("fuzz_model_file", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


fuzz = _script()


@pytest.fixture(name="seeds", scope="module")
def _seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    fuzz.seeds(folder)
    return folder


def test_what_is_broken_below_is_right_and_has_every_op(seeds):
    used = set()
    for path in sorted(seeds.glob("*.safetensors")):
        if path.name == "format_0.safetensors":
            continue
        assert fuzz.demand(path) >= 1
        used |= {n.op for p in load(path).programs.values() for n in p.nodes}
    assert used == OPS.keys()


@settings(derandomize=True, deadline=None, max_examples=400)
@given(seed=st.integers(0, 1 << 48), number=st.integers(0, 8))
def test_any_broken_file_is_refused_or_runs(seeds, seed, number):
    rng = random.Random(seed)
    data = sorted(seeds.glob("*.safetensors"))[number].read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(fuzz.mutated(data, rng, lambda old: fuzz.scrambled(old, rng)))
        fuzz.demand(path)


def test_the_breaking_reaches_both_ends(seeds):
    """Some of what is broken still runs, and most does not: else nothing was tried above."""
    paths = sorted(seeds.glob("*.safetensors"))
    rng, ran = random.Random(0), 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(200):
            data = rng.choice(paths).read_bytes()
            path = Path(folder) / "a"
            path.write_bytes(fuzz.mutated(data, rng, lambda old: fuzz.scrambled(old, rng)))
            ran += fuzz.demand(path) > 0
    assert 10 < ran < 150


def states_and_outputs(made):
    """Two rows and three steps from the start: all outputs, then the states."""
    program = made.program
    state = np.tile(made.start(), (2, 1))
    inputs = [fuzz._input(v, 2, 3) for v in program.inputs]
    ready = [x if x.dtype.kind == "i" else x.astype(made.dtype) for x in inputs]
    outputs = [np.empty((2, 3, *v.shape[1:]), made.dtype) for v in program.outputs]
    made.run(state, ready, outputs)
    return [*outputs, state]


@pytest.mark.skipif(not native.engines(), reason="no compiled engine here")
def test_both_runners_agree_on_odd_programs(seeds, tmp_path):
    rng, compared = random.Random(1), 0
    paths = [p for p in sorted(seeds.glob("*.safetensors")) if p.name != "format_0.safetensors"]
    for _ in range(400):
        data = rng.choice(paths).read_bytes()
        (tmp_path / "a").write_bytes(fuzz.mutated(data, rng, lambda old: old))
        try:
            model = load(tmp_path / "a")
        except ModelFileError:
            continue
        for program in model.programs.values():
            if kind_of(program).name != "step" or not fuzz._cheap(program, model):
                continue
            parts = (program, model.tensors, model.tapes)
            twin = NumpyRunner(*parts)
            near = 1e-3 if twin.dtype == np.float32 else 1e-8
            pairs = zip(states_and_outputs(runner(*parts)), states_and_outputs(twin), strict=True)
            for found, wanted in pairs:
                np.testing.assert_allclose(found, wanted, rtol=near, atol=near)
            compared += 1
    assert compared > 40
