"""Every module of elman.nn, and every cell, in torch and as a program."""

import numpy as np
import pytest
import torch
from torch import nn

import elman
from elman.nn import CannotStore, Recurrent
from elman.nn.baselines import FeedForward, LinearMap, NLinear
from elman.nn.builder import Builder
from elman.nn.from_file import ProgramModule
from elman.nn.tied import Tied
from elman.testing import assert_close
from elman_runtime import model as models
from elman_runtime.program import evaluate, kind_of, runner

TERMS = 400
B, T, I = 3, 6, 5  # noqa: E741
CELLS = sorted(elman.cells.builtin())
DTYPES = [torch.float32, torch.float64]

# What stores each module of elman.nn: the module, and whether its states are those of `step`.
STORED = {
    "Recurrent": lambda: Recurrent("LSTM", I, 4, layers=2, residual=True, layer_norm=True),
    "RNN": lambda: elman.nn.RNN(I, 4, 2, nonlinearity="relu", batch_first=True),
    "LSTM": lambda: elman.nn.LSTM(I, 4, 2, bidirectional=True, batch_first=True),
    "GRU": lambda: elman.nn.GRU(I, 4, bias=False, batch_first=True),
    "CausalConv1d": lambda: elman.nn.CausalConv1d(I, 4, 3, dilation=2),
    "Last": lambda: elman.nn.Last(),
    "Pool": lambda: elman.nn.Pool("mean"),
    "AttentionPool": lambda: elman.nn.AttentionPool(I),
    "Pooling": lambda: elman.nn.Pooling(I),
    "SteppedModule": lambda: Recurrent(elman.nn.CausalConv1d(I, 4, 2)),
}
REFUSED = {
    "InputDecay": lambda: Recurrent(elman.nn.InputDecay(I - 1, 4)),
    "Mogrifier": lambda: Recurrent(elman.nn.Mogrifier(Recurrent("GRU", I, 4))),
    "RNNCell": lambda: elman.nn.RNNCell(I, 4),
    "LSTMCell": lambda: elman.nn.LSTMCell(I, 4),
    "GRUCell": lambda: elman.nn.GRUCell(I, 4),
    "ProgramModule": None,  # made of a program, by elman.load
}
OPTIONS = {
    "both ways": {"layers": 2, "bidirectional": True},
    "projection": {"proj_size": 2, "layers": 2},
    "zoneout": {"zoneout": {"c": 0.3}},
    "learned start": {"learn_initial_state": True, "bidirectional": True},
    "residual, norms": {"layers": 3, "residual": True, "layer_norm": True, "bias": False},
    "dropout": {"layers": 2, "dropout": 0.5, "state_dropout": 0.5, "weight_drop": 0.5},
}


def modules():
    found = (getattr(elman.nn, name) for name in elman.nn.__all__)
    return sorted(m.__name__ for m in found if isinstance(m, type) and issubclass(m, nn.Module))


def lowered(module, *inputs, named=(), each=False):
    """A module as a program, the builder, and values of what it returns."""
    b = Builder(each=each)
    values = [b.input(f"x{k}", "T", *x.shape[2:]) for k, x in enumerate(inputs)]
    by_name = {name: b.input(name, "T", *x.shape[2:]) for name, x in named}
    made = b.lower(module, *values, **by_name)
    y = made[0] if type(made) is tuple else made
    return b.build(y=y), b


def run(program, b, *inputs, lengths=None):
    arrays = [x.numpy() for x in inputs]
    return evaluate(program, b.tensors, b.tapes, arrays, lengths)[0][0]


def output(result):
    return result[0] if isinstance(result, tuple) else result


def random_(module):
    """Distinct weights everywhere, so that no swap goes unseen."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter) + 0.1)
    return module.eval()


def test_every_module_is_enrolled():
    assert set(modules()) <= set(STORED) | set(REFUSED), "say in this file how it is stored"
    assert not set(STORED) & set(REFUSED)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", STORED)
@torch.no_grad()
def test_a_module_and_its_program_agree(name, dtype):
    module, x = random_(STORED[name]().to(dtype)), torch.randn(B, T, I, dtype=dtype)
    program, b = lowered(module, x)
    assert_close(run(program, b, x), output(module(x)), terms=TERMS, what=name)


@pytest.mark.parametrize("name", STORED)
@torch.no_grad()
def test_whole_programs_keep_lengths(name):
    module, x = random_(STORED[name]()), torch.randn(B, T, I)
    lengths = [T, 0, 2]
    program, b = lowered(module, x)
    dirty = x.clone()
    for row, length in enumerate(lengths):
        dirty[row, length:] = torch.nan
    got = run(program, b, dirty, lengths=np.array(lengths))
    whole = name == "CausalConv1d"  # which takes no lengths in torch, and needs none
    wanted = output(module(x) if whole else module(x, lengths=torch.tensor(lengths)))
    if wanted.dim() == 3:
        beyond = torch.arange(T) >= torch.tensor(lengths)[:, None]
        wanted = wanted.masked_fill(beyond[..., None], 0.0)
    assert_close(got, wanted, terms=TERMS, what=name)


@pytest.mark.parametrize("name", STORED)
@torch.no_grad()
def test_step_programs_run_step_by_step(name):
    module, x = random_(STORED[name]()), torch.randn(B, T, I)
    if name == "LSTM":
        module = random_(elman.nn.LSTM(I, 4, 2, batch_first=True))
    program, b = lowered(module, x, each=True)
    assert kind_of(program).name == "step"
    steps = runner(program, b.tensors, b.tapes)
    state = np.repeat(steps.start()[None], B, 0)
    for t in range(T):
        got = np.empty((B, 1, program.outputs[0].shape[-1]), steps.dtype)
        steps.run(state, [x[:, t : t + 1].numpy()], [got])
        so_far = output(module(x[:, : t + 1]))
        wanted = so_far if so_far.dim() == 2 else so_far[:, -1]
        assert_close(got[:, 0], wanted, terms=TERMS, what=f"{name}, step {t}")


@pytest.mark.parametrize("name", [name for name, make in REFUSED.items() if make])
def test_what_is_not_stored_is_refused_by_name(name, tmp_path):
    with pytest.raises(CannotStore, match=name):
        elman.save(REFUSED[name](), tmp_path / "x", example=torch.zeros(B, T, I))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CELLS)
@torch.no_grad()
def test_every_cell_with_its_states(name, dtype):
    cell = elman.cells.by_name(name)
    layer, x = random_(Recurrent(cell, I, I, dtype=dtype)), torch.randn(B, T, I, dtype=dtype)
    further = {n: torch.rand(B, T, dtype=dtype) for n in cell.inputs if n != "raw"}
    b = Builder()
    value = b.input("x", "T", I)
    y, (state,) = b.lower(layer, value, **{n: b.input(n, "T") for n in further})
    program = b.build(y=y, **{f"final_{n}": v for n, v in zip(cell.state, state, strict=True)})
    lengths = [T, 3, 0]
    arrays = [v.numpy() for v in (x, *further.values())]
    got, _ = evaluate(program, b.tensors, b.tapes, arrays, np.array(lengths))
    y, (final,) = layer(x, lengths=lengths, **further)
    for a, e, what in zip(got[1:], final, cell.state, strict=True):
        # The first state of a row without steps is given as 0 by `last`.
        assert_close(a[:2], e[:2], terms=TERMS, what=what)
    assert_close(got[0], y, terms=TERMS, what="y")


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@torch.no_grad()
def test_every_option_of_a_layer_that_evaluation_knows(options):
    layer, x = random_(Recurrent("LSTM", I, 4, **options)), torch.randn(B, T, I)
    program, b = lowered(layer, x)
    assert_close(run(program, b, x), layer(x)[0], terms=TERMS)
    assert set(b.tensors) == set(layer.state_dict())


@torch.no_grad()
def test_a_step_from_states_that_are_values():
    layer = random_(Recurrent("LSTM", I, 4, layers=2, zoneout=0.2))
    x, questions = torch.randn(B, T, I), torch.randn(3, I)
    b = Builder()
    _, state = b.lower(layer, b.input("x", T, I), name="layer")
    asked = b.constant("questions", questions)
    with b.inside("layer"):
        y, new = layer.lower_step(b, asked, state)
    program = b.build(y=y, c=new[1].c)
    assert kind_of(program).name == "window"
    got, _ = evaluate(program, b.tensors, b.tapes, [x.numpy()])
    _, state = layer(x)
    for k, question in enumerate(questions):
        y, new = layer.step(question.expand(B, I), state)
        assert_close(got[0][:, k], y, terms=TERMS, what="y")
        assert_close(got[1][:, k], new[1].c, terms=TERMS, what="c")


@torch.no_grad()
def test_shared_weights_are_stored_once():
    words, tokens = random_(Tied(7, 4, 4)), torch.randint(7, (B, T))
    b = Builder()
    embedded = words.lower_embed(b, b.input("x", "T", kind="int"))
    program = b.build(y=words.lower_logits(b, embedded))
    assert sorted(b.tensors) == ["bias", "weight"]
    got = evaluate(program, b.tensors, b.tapes, [tokens.numpy()])[0][0]
    assert_close(got, words.logits(words.embed(tokens)), terms=TERMS)


@pytest.mark.parametrize("make", [LinearMap, NLinear, lambda n, h: FeedForward(n, h, 4)])
@torch.no_grad()
def test_networks_without_a_memory(make):
    net, x = random_(make(8, 3)), torch.randn(B, 8)
    b = Builder()
    program = b.build(y=b.lower(net, b.input("window", 8)))
    assert_close(run(program, b, x), net(x), terms=TERMS)


def test_loading_gives_a_module_that_trains(tmp_path):
    model = nn.Sequential(
        nn.Embedding(7, I),
        Recurrent("SLSTM", I, 4, layers=2),
        elman.nn.Pool("max"),
        nn.Linear(4, 2),
    )
    random_(model)
    elman.save(model, tmp_path / "x", quiet=True)
    again, tokens = elman.load(tmp_path / "x"), torch.randint(7, (B, T))
    assert isinstance(again, ProgramModule)
    assert set(again.state_dict()) == set(model.state_dict())
    for one in (model, again):
        one(tokens).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert_close(again.get_parameter(name).grad, parameter.grad, terms=TERMS, what=name)


@pytest.mark.parametrize("name", STORED)
@torch.no_grad()
def test_loading_gives_the_same_with_lengths_and_states(name, tmp_path):
    module, x = random_(STORED[name]()), torch.randn(B, T, I)
    elman.save(module, tmp_path / "x", example=x, quiet=True)
    model = models.load(tmp_path / "x")
    again = ProgramModule(model).eval()
    for program in model.programs:
        lengths = np.array([T, 2, 1])
        said = (model.program(program), model.tensors, model.tapes)
        (got,), states = evaluate(*said, [x.numpy()], lengths)
        (made,), ends = again.run(program, [x], lengths=torch.from_numpy(lengths))
        for a, e in zip((made, *ends), (got, *states), strict=True):
            assert_close(a, e, terms=TERMS, what=program)
        if kind_of(model.program(program)).name == "step":
            (rest,), _ = again.run(program, [x], states=ends)
            (wanted,), _ = evaluate(*said, [x.numpy()], states=states)
            assert_close(rest, wanted, terms=TERMS, what=program)
