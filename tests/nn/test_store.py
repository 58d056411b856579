"""Modules as files."""

import re

import pytest
import torch
from torch import nn

import elman
from elman.cells import Cell
from elman.nn import CannotStore, Last, Recurrent
from elman.nn.store import arrays
from elman.ops import tanh
from elman.testing import assert_close
from elman_runtime import ModelFileError, model_file
from elman_runtime import model as models


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


def test_a_cell_of_ones_own_comes_back_without_its_class(tmp_path):
    path = tmp_path / "leaky.safetensors"
    layer = Recurrent(Leaky, 3, 5, constants={"rate": 0.7})
    elman.save(layer, path)
    again, x = elman.load(path), torch.randn(2, 4, 3)
    assert again.cell is not Leaky
    assert torch.equal(layer(x)[0], again(x)[0])
    given = elman.load(path, cells=[Leaky])
    assert given.cell is Leaky
    assert given.constants == {"rate": 0.7}


def test_a_cell_of_another_name_and_the_same_equations_is_not_taken(tmp_path):
    path = tmp_path / "gru.safetensors"
    stranger = type("GRU", (Leaky,), {})
    elman.save(Recurrent(stranger, 3, 5), path)
    assert elman.load(path).cell not in (elman.cells.GRU, Leaky)


def test_gradients_of_a_cell_that_comes_from_a_file(tmp_path):
    layer = Recurrent(Leaky, 3, 5)
    elman.save(layer, tmp_path / "x", quiet=True)
    again, x = elman.load(tmp_path / "x"), torch.randn(2, 4, 3)
    for one in (layer, again):
        one(x, lengths=[4, 2])[0].square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert_close(again.get_parameter(name).grad, parameter.grad, terms=100, what=name)


def test_what_is_trained_comes_back_where_a_cell_constrains_it(tmp_path):
    layer = Recurrent("AntisymmetricRNN", 3, 5)
    elman.save(layer, tmp_path / "x", quiet=True)
    again = elman.load(tmp_path / "x")
    assert again.cell is elman.cells.AntisymmetricRNN
    assert torch.equal(again.weight_hh_l0, layer.weight_hh_l0)


def test_a_parametrised_layer_comes_back_with_what_it_used(tmp_path):
    layer, x = Recurrent("GRU", 3, 5), torch.randn(2, 4, 3)
    nn.utils.parametrizations.orthogonal(layer, "weight_hh_l0")
    elman.save(layer, tmp_path / "x", quiet=True)
    again = elman.load(tmp_path / "x")
    assert type(again) is Recurrent
    assert torch.equal(again(x)[0], layer(x)[0])


def test_a_cell_without_a_tape_is_stored_as_settings(tmp_path, capsys):
    class Branching(Cell):
        gates = ("n",)

        def update(x, u, s, p):
            return tanh(x.n + u.n) if bool((s.h < 9).all()) else s.h

    layer, x = Recurrent(Branching, 3, 5), torch.randn(2, 4, 3)
    assert elman.save(layer, tmp_path / "x") == ()
    assert "no program" in capsys.readouterr().out
    assert torch.equal(elman.load(tmp_path / "x", cells=[Branching])(x)[0], layer(x)[0])
    with pytest.raises(ValueError, match="no cell is called 'Branching'"):
        elman.load(tmp_path / "x")


def test_files_of_format_0_are_read(tmp_path):
    layer, x = Recurrent("LSTM", 3, 5), torch.randn(2, 4, 3)
    meta = {"format": 0, "kind": "Recurrent", "settings": layer.settings}
    model_file.write(tmp_path / "x", meta, arrays(layer))
    assert torch.equal(elman.load(tmp_path / "x")(x)[0], layer(x)[0])


def test_the_parity_is_printed_unless_told_otherwise(tmp_path, capsys):
    found = elman.save(Recurrent("GRU", 3, 5), tmp_path / "x")
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert f"{found[0].difference:.1e}" in said
    elman.save(Recurrent("GRU", 3, 5), tmp_path / "x", quiet=True)
    assert capsys.readouterr().out == ""


def test_a_module_that_is_not_what_its_layers_say_is_refused(tmp_path):
    layer = nn.Linear(3, 2)
    layer.register_forward_hook(lambda module, x, y: y + 1)
    with pytest.raises(CannotStore, match="differs from torch by 1"):
        elman.save(layer, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_saving_leaves_the_module_as_it_was(tmp_path):
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))
    model[0].eval()
    before = torch.random.get_rng_state()
    elman.save(model, tmp_path / "x", quiet=True)
    assert [m.training for m in model.modules()] == [True, False, True]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.errors
@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv1d(2, 3, 1), "the model is torch.nn.Conv1d, which no program can say"),
        (nn.Sequential(nn.Linear(2, 3), nn.ELU()), "1 is torch.nn.ELU, which"),
        (nn.Sequential(nn.LSTM(2, 3), nn.Linear(3, 1)), "1: takes one value"),
        (Recurrent(elman.nn.InputDecay(2, 3)), "InputDecay"),
        (nn.Bilinear(2, 2, 1), "the model is torch.nn.Bilinear"),
        (nn.Tanh(), "Tanh takes x, of any shape: pass example="),
        (elman.cells.GRU, "a torch module is stored, got type"),
    ],
    ids=["kind", "within", "pair", "stepped", "two", "any", "class"],
)
def test_what_cannot_be_stored_is_named(tmp_path, module, message):
    with pytest.raises(CannotStore, match=re.escape(message)):
        elman.save(module, tmp_path / "x.safetensors")


def test_a_tokens_table_and_an_example_say_what_goes_in(tmp_path):
    model = nn.Sequential(nn.Embedding(4, 3), Recurrent("GRU", 3, 5), Last())
    for example in (None, torch.tensor([[3, 0, 1]])):
        elman.save(model, tmp_path / "x", example, quiet=True)
        found = models.load(tmp_path / "x").program("main").inputs
        assert [(v.shape, v.kind) for v in found] == [(("T",), "int")]


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
