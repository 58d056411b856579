"""`elman export`."""

import importlib.util

import numpy as np
import pytest

import elman
import elman_runtime
from elman.cli import main
from elman.tasks.forecast import Forecaster

needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("onnx") is None, reason="needs onnx: pip install 'elman[export]'"
)


def run(*words):
    with pytest.raises(SystemExit) as end:
        main((), ["export", *map(str, words)])
    return end.value.code


@pytest.fixture
def layer(tmp_path):
    elman.save(elman.nn.Recurrent("GRU", 3, 8), tmp_path / "model.safetensors", quiet=True)
    return tmp_path


@needs_onnx
def test_a_folder_or_a_file_becomes_onnx(layer, capsys):
    for source in (layer, layer / "model.safetensors"):
        assert run(source, "--onnx", layer / "out.onnx") == 0
        shown = capsys.readouterr()
        assert shown.out == f"{layer / 'out.onnx'}: inputs x, state_in_h_l0\n"
        assert "state_out_NAME" in shown.err
        (layer / "out.onnx").unlink()


@needs_onnx
def test_a_program_that_is_none(layer, capsys):
    assert run(layer, "--onnx", layer / "out.onnx", "--program", "step") == 2
    assert "has the programs main" in capsys.readouterr().err
    assert not (layer / "out.onnx").exists()


def test_a_file_that_is_no_model(tmp_path, capsys):
    (tmp_path / "x").write_bytes(b"no model")
    assert run(tmp_path / "x", "--onnx", tmp_path / "out.onnx") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_image_is_what_a_c_program_loads(layer, capsys):
    assert run(layer, "--image", layer / "out.elman") == 0
    assert capsys.readouterr().out == f"{layer / 'out.elman'}: program main\n"
    assert (layer / "out.elman").read_bytes()[:4]


def test_a_series_of_a_forecaster_becomes_a_file_that_streams_without_it(tmp_path, capsys):
    y = {name: (k + 1) * np.sin(np.arange(120) * 0.5) for k, name in enumerate("ab")}
    table = {
        "unique_id": [name for name in y for _ in range(120)],
        "ds": [*range(120)] * 2,
        "y": [float(v) for one in y.values() for v in one],
    }
    forecaster = Forecaster(4, season=12, window=24, segment=4, hidden=4, steps=2).fit(table)
    forecaster.save(tmp_path / "run.safetensors")
    assert run(tmp_path / "run.safetensors", "--model", tmp_path / "b.safetensors") == 2
    assert "series must be one of 'a', 'b'" in capsys.readouterr().err
    words = (tmp_path / "run.safetensors", "--series", "b", "--model", tmp_path / "b.safetensors")
    assert run(*words) == 0
    stream = elman_runtime.Stream(tmp_path / "b.safetensors")
    stream.feed(y["b"][-24:, None])
    np.testing.assert_array_equal(stream.output()[0], forecaster.stream("b").output()[0])
    assert run(*words) == 2, "a file that is there is kept"


def test_nothing_to_write(layer, capsys):
    assert run(layer) == 2
    assert "--onnx, --image or --model must be given" in capsys.readouterr().err
