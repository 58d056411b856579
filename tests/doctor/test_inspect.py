"""`elman.inspect`: names, values and gradients, beside the same computed by hand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import elman
from elman.cells import builtin
from elman.doctor import examine, inspect
from elman.nn import Mogrifier, Recurrent
from elman.testing import assert_close

B, T, N, H = 3, 6, 4, 5


def further(cell):
    return {name: torch.rand(B, T) for name in cell.inputs if name != "raw"}


def last(out):
    return out[0][:, -1].square().sum()


@pytest.mark.usefixtures("float64")
def test_an_lstm_by_hand():
    layer, x = nn.LSTM(N, H, batch_first=True), torch.randn(B, T, N)
    h = c = torch.zeros(B, H)
    kept = {name: [] for name in "ifgohc"}
    nodes = []
    for t in range(T):
        flat = x[:, t] @ layer.weight_ih_l0.T + layer.bias_ih_l0
        flat = flat + h @ layer.weight_hh_l0.T + layer.bias_hh_l0
        i, f, g, o = flat.chunk(4, 1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        h, c = h.clone(), c.clone()  # moved apart
        nodes.append((h, c))
        for name, value in zip("ifgohc", (i, f, g, o, h, c), strict=True):
            kept[name].append(value)
    flat_nodes = [leaf for pair in nodes for leaf in pair]
    expected = torch.autograd.grad(h.square().sum(), flat_nodes, materialize_grads=True)
    found = inspect(layer, x, loss=last)["l0"]
    for name, values in kept.items():
        assert_close(torch.from_numpy(found[name]), torch.stack(values, 1), terms=H)
    for k, name in enumerate("hc"):
        for t in range(T):
            wanted = expected[2 * t + k]
            assert_close(torch.from_numpy(found.gradients[name][:, t]), wanted, terms=H * T)
    assert found.gates == ("i", "f", "o")
    assert_close(
        torch.from_numpy(found["x.f"] + found["u.f"]), torch.from_numpy(found["pre.f"]), terms=1
    )


@pytest.mark.parametrize("name", builtin())
def test_every_cell_is_looked_into_and_goes_on_as_it_would(name):
    cell = builtin()[name]
    layer = Recurrent(cell, H, H, layers=2).eval()
    x, more, lengths = torch.randn(B, T, H), further(cell), [T, 2, 0]
    if layer.cell.read is not None:
        layer = Recurrent(cell, H, H).eval()
    found = inspect(layer, x, loss=lambda out: out[0].square().sum(), lengths=lengths, **more)
    with elman.engine.use("reference"):
        y, state, states = layer(x, lengths=lengths, states=True, **more)
    assert_close(found.output[0], y, terms=H * T)
    assert list(found.layers) == layer.suffixes
    for suffix, final, over_time in zip(layer.suffixes, state, states, strict=True):
        trace = found[suffix]
        assert trace.states == cell.state
        for leaf, whole, one in zip(final, over_time, cell.state, strict=True):
            value = torch.from_numpy(trace[one])
            assert_close(value[0], whole[0], terms=H * T)
            assert_close(value[0, -1], leaf[0], terms=H * T)
            assert np.isnan(trace[one][1, 2:]).all()
            assert np.isfinite(trace.gradients[one][0]).all()
        for key, value in trace.values.items():
            assert value.shape[:2] == (B, T), key
        assert trace.gradient_norm().max() > 0


def test_gates_that_have_no_variable_are_called_after_what_they_are_made_of():
    def kinds(cell, wanted):
        layer = Recurrent(cell, H, H)
        found = inspect(layer, torch.randn(B, T, H), **further(layer.cell))["l0"]
        return {name: found.kinds[name] for name in wanted}

    assert kinds("MinGRU", ["z"]) == {"z": "sigmoid"}
    assert kinds("HGRN", ["sigmoid(f)"]) == {"sigmoid(f)": "sigmoid"}
    assert kinds("RNN", ["h"]) == {"h": "tanh"}
    assert kinds("CfC", ["late", "g", "tanh(b)"]) == {
        "late": "sigmoid",
        "g": "tanh",
        "tanh(b)": "tanh",
    }
    assert kinds("GRUD", ["update.h", "z", "h"]) == {"update.h": "mul", "z": "sigmoid", "h": "add"}


@pytest.mark.parametrize("ours", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_torchs_layers_and_the_drop_ins_in_every_layout(kind, ours):
    maker = getattr(elman.nn if ours else nn, kind)
    layer = maker(N, H, num_layers=2, bidirectional=True).eval()
    x = torch.randn(T, B, N)
    hx = torch.randn(4, B, H)
    given = (x, (hx, hx.flip(0)) if kind == "LSTM" else hx)
    found = inspect(layer, given, loss=lambda out: out[0].square().sum())
    assert list(found.layers) == ["l0", "l0_reverse", "l1", "l1_reverse"]
    y, state = layer(*given)
    assert_close(found.output[0], y, terms=H * T)
    for a, b in zip(
        torch.utils._pytree.tree_leaves(found.output[1]),
        torch.utils._pytree.tree_leaves(state),
        strict=True,
    ):
        assert_close(a, b, terms=H * T)
    packed = pack_padded_sequence(x, [2, T, 4], enforce_sorted=False)
    rows = inspect(layer, packed)
    assert_close(rows.output[0].data, layer(packed)[0].data, terms=H * T)
    assert sorted(rows["l1_reverse"].lengths) == [2, 4, T]


def test_one_sequence_and_parametrised_weights():
    layer = nn.GRU(N, H)
    torch.nn.utils.parametrizations.orthogonal(layer, "weight_hh_l0")
    x = torch.randn(T, N)
    assert_close(inspect(layer, x).output[0], layer(x)[0], terms=H * T)


class Twice(nn.Module):
    """Calls a layer twice, the second time from where the first ended."""

    def __init__(self):
        super().__init__()
        self.body = nn.ModuleDict({"rnn": Recurrent("GRU", N, H)})
        self.head = nn.Linear(H, 1)

    def forward(self, x):
        _, state = self.body["rnn"](x)
        y, _ = self.body["rnn"](x[:, :2], state)
        return self.head(y)


def test_layers_within_a_model_by_path_and_call():
    model = Twice().train()
    found = inspect(model, torch.randn(B, T, N), loss=lambda y: y.sum())
    assert list(found.layers) == ["body.rnn.l0", "body.rnn.l0#2"]
    assert found["body.rnn.l0"].gradient_norm().min() > 0, "through the state that is handed on"
    assert found["body.rnn.l0#2"]["h"].shape == (B, 2, H)
    assert model.training
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_arrays_are_copies():
    layer = Recurrent("GRU", N, H)
    x = torch.randn(B, T, N)
    found = inspect(layer, x)
    for value in found["l0"].values.values():
        value[:] = 7.0
    assert_close(inspect(layer, x).output[0], layer(x)[0], terms=H * T)


def test_frozen_weights_have_gradients_of_states():
    layer = Recurrent("RNN", N, H).requires_grad_(False)
    assert inspect(layer, torch.randn(B, T, N), loss=last).gradient_norm().min() > 0


def test_a_boundary_cuts_gradients():
    reset = torch.zeros(B, T, dtype=torch.bool)
    reset[:, 3] = True
    layer = Recurrent("LSTM", N, H)
    norm = inspect(layer, torch.randn(B, T, N), loss=last, reset=reset).gradient_norm()
    assert (norm[:3] == 0).all()
    assert (norm[3:] > 0).all()


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def initial_state(self, batch):
        return torch.zeros(batch, N)

    def step(self, x, state):
        new = self.scale * x + 0.5 * state
        return new, new


@pytest.mark.usefixtures("float64")
def test_a_module_with_step():
    x = torch.randn(B, T, N)
    found = inspect(Recurrent(Sum()), x, loss=last, lengths=[T, T, 3])
    trace = found["l0"]
    assert trace.cell is None
    assert trace.states == ("state",)
    ratios = trace.gradients["state"][0, 1:] / trace.gradients["state"][0, :-1]
    assert np.allclose(ratios, 2.0)


def test_what_is_within_a_module_with_step_is_its_own():
    model = nn.ModuleList([Recurrent(Mogrifier(Recurrent("LSTM", N, H))), Recurrent("GRU", H, H)])
    model.forward = lambda x: model[1](model[0](x)[0])
    found = inspect(model, torch.randn(B, T, N), loss=last)
    assert list(found.layers) == ["0.l0", "1.l0"]
    assert examine(model, torch.randn(B, 20, N), deep=True).healthy


def test_a_long_form_without_padding():
    frame = inspect(
        Recurrent("GRU", N, H), torch.randn(B, T, N), loss=last, lengths=[T, 1, 0]
    ).frame()
    assert frame.columns == ["layer", "name", "what", "row", "step", "unit", "value"]
    gates = frame.filter(what="gate", name="z")
    assert len(gates) == (T + 1) * H
    assert set(frame["what"]) == {"state", "gate", "value", "gradient"}
    assert not frame["value"].is_nan().any()


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: inspect(nn.Linear(2, 2), torch.zeros(1, 2)), ValueError, "recurrent layer"),
        (lambda: inspect("LSTM", torch.zeros(1, 2)), TypeError, "torch.nn.Module"),
        (
            lambda: inspect(Recurrent("RNN", N, H), torch.zeros(1, 2, N), loss=lambda y: y[0]),
            TypeError,
            "one number",
        ),
        (
            lambda: inspect(Recurrent("RNN", N, H), torch.zeros(1, 2, N)).gradient_norm(),
            ValueError,
            "give a loss",
        ),
        (
            lambda: inspect(Recurrent("RNN", N, H), torch.zeros(1, 2, N))["l1"],
            KeyError,
            "there are l0",
        ),
        (
            lambda: inspect(Recurrent("RNN", N, H), torch.zeros(1, 2, N))["l0"]["f"],
            KeyError,
            "it has x.h",
        ),
        (
            lambda: inspect(Recurrent("RNN", N, H), torch.zeros(1, 0, N)),
            ValueError,
            "none that ran",
        ),
    ],
)
def test_mistakes_are_explained(call, error, said):
    with pytest.raises(error, match=said):
        call()
