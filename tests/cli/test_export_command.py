"""`elman export`."""

import pytest

import elman
from elman.cli import main

pytest.importorskip("onnx", reason="needs onnx: pip install 'elman[export]'")


def run(*words):
    with pytest.raises(SystemExit) as end:
        main((), ["export", *map(str, words)])
    return end.value.code


@pytest.fixture
def layer(tmp_path):
    elman.save(elman.nn.Recurrent("GRU", 3, 8), tmp_path / "model.safetensors", quiet=True)
    return tmp_path


def test_a_folder_or_a_file_becomes_onnx(layer, capsys):
    for source in (layer, layer / "model.safetensors"):
        assert run(source, "--onnx", layer / "out.onnx") == 0
        shown = capsys.readouterr()
        assert shown.out == f"{layer / 'out.onnx'}: inputs x, state_in_h_l0\n"
        assert "state_out_NAME" in shown.err
        (layer / "out.onnx").unlink()


def test_a_program_that_is_none(layer, capsys):
    assert run(layer, "--onnx", layer / "out.onnx", "--program", "step") == 2
    assert "has the programs main" in capsys.readouterr().err
    assert not (layer / "out.onnx").exists()


def test_a_file_that_is_no_model(tmp_path, capsys):
    (tmp_path / "x").write_bytes(b"no model")
    assert run(tmp_path / "x", "--onnx", tmp_path / "out.onnx") == 2
    assert "Traceback" not in capsys.readouterr().err
