"""Layers as files."""

import pytest
import torch

import elman
from elman.cells import Cell
from elman.nn import Recurrent
from elman.ops import tanh
from elman_runtime import ModelFileError, model_file


class Leaky(Cell):
    gates = ("n",)
    constants = {"rate": 0.1}

    def update(x, u, s, p):
        return s.h + p.rate * (tanh(x.n + u.n) - s.h)


FULL = {
    "layers": 2,
    "bidirectional": True,
    "residual": True,
    "layer_norm": True,
    "dropout": 0.1,
    "zoneout": {"c": 0.5},
    "learn_initial_state": True,
    "dtype": torch.float64,
}


@pytest.mark.parametrize("options", [{}, FULL, {"proj_size": 2, "bias": False}], ids=str)
def test_a_layer_comes_back_as_it_was(tmp_path, options):
    layer = Recurrent("LSTM", 3, 5, **options).eval()
    elman.save(layer, tmp_path / "layer.safetensors")
    again = elman.load(tmp_path / "layer.safetensors")
    x = torch.randn(2, 4, 3, dtype=layer.weight_ih_l0.dtype)
    assert torch.equal(layer(x)[0], again(x)[0])
    assert again.settings == layer.settings
    assert not again.training


def test_a_cell_of_ones_own_is_given_again(tmp_path):
    path = tmp_path / "leaky.safetensors"
    layer = Recurrent(Leaky, 3, 5, constants={"rate": 0.7})
    elman.save(layer, path)
    with pytest.raises(ValueError, match="no cell is called 'Leaky'"):
        elman.load(path)
    assert elman.load(path, cells=[Leaky]).constants == {"rate": 0.7}


@pytest.mark.errors
def test_other_modules_are_refused_by_name(tmp_path):
    with pytest.raises(TypeError, match="got Linear"):
        elman.save(torch.nn.Linear(2, 3), tmp_path / "x.safetensors")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    elman.state.save(Recurrent("GRU", 3, 5).initial_state(2), path)
    with pytest.raises(ValueError, match="holds 'state'"):
        elman.load(path)
    path.write_bytes(b"\x80\x04 not a model")
    with pytest.raises(ModelFileError):
        elman.load(path)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_tensors_that_do_not_fit_are_refused(tmp_path, change):
    path = tmp_path / "x.safetensors"
    elman.save(Recurrent("GRU", 3, 5), path)
    stored = model_file.read(path)
    tensors = dict(stored.tensors)
    if change == "missing":
        del tensors["bias_hh_l0"]
    elif change == "extra":
        tensors["more"] = tensors["bias_hh_l0"]
    else:
        tensors["bias_hh_l0"] = tensors["bias_hh_l0"][:-1]
    model_file.write(path, stored.meta, tensors)
    with pytest.raises(
        ValueError, match="more is not expected" if change == "extra" else "bias_hh"
    ):
        elman.load(path)
