"""A model of torch's own layers, accelerated, is the same model with the same numbers."""

import functools
import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import elman
from elman import engine
from elman.testing import assert_close, dropin_cases
from elman.testing.tolerance import compare as measure

NAMES = ("RNN", "LSTM", "GRU")
CELLS = ("RNNCell", "LSTMCell", "GRUCell")
B, T, IN, H = 2, 4, 3, 5
TERMS = 3 * T * (IN + H + B)


def make(name="LSTM", *args, **options):
    torch.manual_seed(1)
    return getattr(nn, name)(IN, H, *args, **options)


class Tagger(nn.Module):
    """A model as users write them."""

    def __init__(self, rnn):
        super().__init__()
        self.rnn = rnn
        self.out = nn.Linear(H, 2)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


def tagger():
    torch.manual_seed(1)
    return Tagger(nn.LSTM(IN, H))


def leaves(state):
    return state if isinstance(state, tuple) else (state,)


def left(module, x):
    """Outputs and states of a call, and every gradient."""
    x = x.clone().requires_grad_()
    out = [t for part in leaves(module(x)) for t in leaves(part)]
    torch.manual_seed(2)
    into = [x, *module.parameters()]
    return [*out, *torch.autograd.grad(out, into, [torch.randn_like(t) for t in out])]


def same(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert_close(a, b, terms=TERMS)


# --- numbers -------------------------------------------------------------------------------------


def test_200_random_configurations_give_torch_s_numbers(monkeypatch):
    """Layouts, layers, directions, dropout, projections, packed or single rows, hx, each engine."""

    def accelerated(name):
        return lambda *args, **options: elman.accelerate(getattr(nn, name)(*args, **options)).model

    ours = SimpleNamespace(**{name: accelerated(name) for name in NAMES})
    monkeypatch.setattr(dropin_cases, "elman_nn", ours)
    for c in dropin_cases.configurations(200, seed=5):
        for k in dropin_cases.compare(c):
            worst = measure(k.actual, k.expected, terms=c.terms, what=k.what)
            assert worst.ratio <= 1, f"{c}: {worst}"


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("forced", [None, "reference"])
@pytest.mark.parametrize("shape", [(B, IN), (IN,)])
@pytest.mark.parametrize("name", CELLS)
def test_cells_give_torch_s_numbers(name, shape, forced):
    cell, x = make(name), torch.randn(*shape)
    expected = left(cell, x)
    assert elman.accelerate(cell).model is cell
    with engine.use(forced):
        same(left(cell, x), expected)
    assert type(cell) is getattr(elman.nn, name)


@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"bidirectional": True}])
@pytest.mark.parametrize("name", NAMES)
def test_outputs_lie_in_memory_as_torch_s_do(name, options):
    """`y.view(...)` works where it did, and dropout after the layer draws the same mask."""
    rnn, x = make(name, 2, **options), torch.randn(T, B, IN)
    expected = [y.stride() for part in rnn(x) for y in leaves(part)]
    elman.accelerate(rnn)
    assert [y.stride() for part in rnn(x) for y in leaves(part)] == expected


# --- what stays ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*NAMES, *CELLS])
def test_everything_but_the_class_stays(name):
    model = nn.ModuleDict({"rnn": make(name)}).double().eval()
    rnn = model["rnn"]
    rnn.note = "a user's own"
    rnn.register_buffer("mean", torch.ones(2))
    next(rnn.parameters()).requires_grad_(False)
    before = {k: id(v) for k, v in vars(rnn).items()}
    parameters, keys = [*model.parameters()], list(model.state_dict())
    elman.accelerate(model)
    assert model["rnn"] is rnn
    assert type(rnn) is getattr(elman.nn, name)
    assert {k: id(v) for k, v in vars(rnn).items()} == before
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    assert list(model.state_dict()) == keys
    assert repr(rnn) == repr(getattr(nn, name)(IN, H))


def test_an_optimiser_made_before_goes_on():
    model, twin, x = tagger(), tagger(), torch.randn(T, B, IN)
    optimisers = [torch.optim.Adam(m.parameters(), 0.1) for m in (model, twin)]
    for k in range(3):
        if k == 1:
            elman.accelerate(model)
        for m, optimiser in zip((model, twin), optimisers, strict=True):
            optimiser.zero_grad()
            m(x).square().mean().backward()
            optimiser.step()
    same([p.detach() for p in model.parameters()], [p.detach() for p in twin.parameters()])


def test_a_shared_module_is_swapped_once_and_stays_shared():
    rnn = make()
    model = nn.ModuleDict({"a": rnn, "b": nn.Sequential(rnn), "c": make()})
    model["c"].weight_hh_l0 = rnn.weight_hh_l0
    report = elman.accelerate(model)
    assert [(f.names, f.swapped) for f in report.found] == [(("a", "b.0"), True), (("c",), True)]
    assert model["a"] is model["b"][0] is rnn
    assert model["c"].weight_hh_l0 is rnn.weight_hh_l0
    assert "a, b.0" in str(report)


def test_hooks_are_called_as_before():
    model, heard = tagger(), []
    rnn = model.rnn
    rnn.register_forward_pre_hook(lambda m, args: heard.append("before"))
    rnn.register_forward_hook(lambda m, args, out: heard.append("after"))
    rnn.register_full_backward_hook(lambda m, into, out: heard.append("backward"))
    rnn.register_state_dict_post_hook(lambda *_: heard.append("saved"))
    rnn.register_load_state_dict_pre_hook(lambda *_: heard.append("loading"))
    rnn.weight_hh_l0.register_hook(lambda g: heard.append("gradient"))
    elman.accelerate(model)
    model(torch.randn(T, B, IN, requires_grad=True)).sum().backward()
    model.load_state_dict(model.state_dict())
    assert sorted(heard) == sorted(["before", "after", "gradient", "backward", "saved", "loading"])


# --- what is left --------------------------------------------------------------------------------


class Reversed(nn.LSTM):
    def forward(self, input, hx=None):
        return super().forward(input.flip(0), hx)


class Renamed(nn.GRU):
    pass


class Custom(nn.RNNBase):
    def forward(self, input):
        return input


def wrapped():
    rnn = make()
    rnn.forward = lambda x, forward=rnn.forward: forward(2 * x)
    return rnn


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: Reversed(IN, H), "a subclass with its own forward"),
        (lambda: Custom("GRU", IN, H), "a subclass with its own forward"),
        (lambda: Renamed(IN, H), r"a subclass: yours, derive it from elman\.nn\.GRU"),
        (lambda: parametrizations.weight_norm(Reversed(IN, H), "weight_hh_l0"), "own forward"),
        (lambda: torch.jit.script(make()), r"compiled by torch\.jit"),
        (wrapped, "its forward was replaced: accelerate first"),
        (lambda: elman.nn.LSTM(IN, H), "elman's already"),
        (lambda: elman.nn.GRUCell(IN, H), "elman's already"),
    ],
)
def test_what_is_not_safe_is_left_with_the_reason(build, reason):
    model = nn.ModuleDict({"odd": build(), "plain": make()})
    odd = model["odd"]
    before = type(odd)
    report = elman.accelerate(model)
    assert model["odd"] is odd
    assert type(odd) is before
    assert [f.names for f in report.swapped] == [("plain",)]
    assert re.search(reason, report.left[0].reason)


@pytest.mark.parametrize("wrap", [lambda f: f, functools.wraps(nn.LSTM.forward)])
def test_a_forward_replaced_on_torch_s_class_is_kept(wrap, monkeypatch):
    monkeypatch.setattr(nn.LSTM, "forward", wrap(lambda self, input: (input,)))
    report = elman.accelerate(nn.ModuleList([make(), make("GRU")]))
    assert [f.reason for f in report.found] == ["torch.nn.LSTM.forward was replaced", ""]


def test_a_script_module_s_children_are_left():
    model = torch.jit.script(tagger())
    report = elman.accelerate(model)
    assert [(f.kind, f.names, f.swapped) for f in report.found] == [("LSTM", ("rnn",), False)]


@pytest.mark.errors
def test_only_a_module_can_be_accelerated():
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got list"):
        elman.accelerate([make()])


# --- the way back and the report -----------------------------------------------------------------


def test_restore_gives_torch_s_classes_back():
    model, x = nn.ModuleDict({name: make(name) for name in (*NAMES, *CELLS)}), torch.randn(T, B, IN)
    ours = model["own"] = elman.nn.LSTM(IN, H)
    expected = [left(model[name], x if name in NAMES else x[0]) for name in (*NAMES, *CELLS)]
    parameters = [*model.parameters()]
    report = elman.accelerate(model)
    assert len(report.swapped) == 6
    assert report.restore() is model
    assert report.restore() is model
    assert [type(model[name]) for name in (*NAMES, *CELLS)] == [
        getattr(nn, name) for name in (*NAMES, *CELLS)
    ]
    assert type(ours) is elman.nn.LSTM
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    for name, before in zip((*NAMES, *CELLS), expected, strict=True):
        same(left(model[name], x if name in NAMES else x[0]), before)
    assert len(elman.accelerate(model).swapped) == 6


def test_a_second_report_takes_back_only_its_own():
    model = tagger()
    first, second = elman.accelerate(model), elman.accelerate(model)
    assert [f.reason for f in second.found] == ["elman's already"]
    second.restore()
    assert type(model.rnn) is elman.nn.LSTM
    first.restore()
    assert type(model.rnn) is nn.LSTM


def test_restore_refuses_what_was_changed_since_and_changes_nothing():
    model = nn.ModuleDict({"a": make("GRU"), "b": make()})
    report = elman.accelerate(model)
    model["b"].forward = model["b"].forward
    with pytest.raises(ValueError, match="restore: b has got a forward of its own since accel"):
        report.restore()
    del model["b"].forward
    model["b"].__class__ = type("FSDPLSTM", (elman.nn.LSTM,), {})
    with pytest.raises(ValueError, match="restore: b has become FSDPLSTM since accelerate: undo"):
        report.restore()
    assert type(model["a"]) is elman.nn.GRU


def test_the_report_is_a_table():
    model = nn.ModuleDict({"rnn": make("GRU"), "odd": Reversed(IN, H), "out": nn.Linear(H, 2)})
    assert str(elman.accelerate(model)).splitlines() == [
        "1 of 2 recurrent modules swapped",
        "module  class     done     why",
        "rnn     GRU       swapped",
        "odd     Reversed  left     a subclass with its own forward",
    ]
    assert "(the model)" in str(elman.accelerate(make()))
    assert str(elman.accelerate(nn.Linear(3, 2))) == "no recurrent layer of torch found"
    assert "ModuleDict" not in repr(elman.accelerate(model))


def test_an_accelerated_layer_has_what_the_drop_in_has():
    model, x = tagger(), torch.randn(T, B, IN)
    elman.accelerate(model)
    y, _ = model.rnn(x, lengths=[4, 2])
    assert not y[2:, 1].any()
    assert engine.explain(model.rnn, x).chosen
