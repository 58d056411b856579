"""The drop-in cells are torch's cells in one engine, and the library's own step in the other."""

import copy

import pytest
import torch
import torch._dynamo
from torch import nn

import elman
from elman import engine
from elman.testing import assert_close

B, IN, H = 3, 4, 5
KINDS = [
    ("RNNCell", {}),
    ("RNNCell", {"nonlinearity": "relu"}),
    ("LSTMCell", {}),
    ("GRUCell", {}),
]


def pair(name, **options):
    cells = []
    for classes in (elman.nn, nn):
        torch.manual_seed(1)
        cells.append(getattr(classes, name)(IN, H, **options))
    return cells


def leaves(state):
    return state if isinstance(state, tuple) else (state,)


def left(cell, x, first):
    """The new state, and gradients of input, state and parameters."""
    out = leaves(cell(x, first if len(first) > 1 else first[0]) if first else cell(x))
    torch.manual_seed(2)
    into = [x, *first, *cell.parameters()]
    return [*out, *torch.autograd.grad(out, into, [torch.randn_like(s) for s in out])]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("forced", [None, "torch", "reference"])
@pytest.mark.parametrize("batch", [(), (1,), (B,)])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("name", "options"), KINDS)
def test_gives_torch_s_numbers(name, options, bias, given, batch, forced):
    ours, theirs = pair(name, bias=bias, **options)
    x = torch.randn(*batch, IN, requires_grad=True)
    states = 2 if name == "LSTMCell" else 1
    first = tuple(torch.randn(*batch, H, requires_grad=True) for _ in range(states if given else 0))
    with engine.use(forced):
        found = left(ours, x, first)
    for mine, other in zip(found, left(theirs, x, first), strict=True):
        assert_close(mine, other, terms=IN + H + B)


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_is_torch_s_class_with_torch_s_names(name, options):
    ours, theirs = pair(name, **options)
    assert isinstance(ours, getattr(nn, name))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_steps_are_the_layer(name, options):
    cell, _ = pair(name, **options)
    layer = getattr(elman.nn, name.removesuffix("Cell"))(IN, H, **options)
    layer.load_state_dict({f"{k}_l0": v for k, v in cell.state_dict().items()})
    x, state = torch.randn(6, B, IN), None
    for x_t in x:
        state = cell(x_t, state)
    assert_close(leaves(state)[0], layer(x)[0][-1], terms=6 * (IN + H))


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_explain_and_copies(name, options):
    cell, _ = pair(name, **options)
    x = torch.randn(B, IN)
    assert engine.explain(cell, x).chosen == "torch"
    torch.testing.assert_close(copy.deepcopy(cell)(x), cell(x))
    doubled = {k: v * 2 for k, v in cell.named_parameters()}
    found = leaves(torch.func.functional_call(cell, doubled, (x,)))[0]
    assert not torch.equal(found, leaves(cell(x))[0])


@pytest.mark.plain_code
@pytest.mark.parametrize(("name", "options"), KINDS)
def test_compiles_whole(name, options):
    torch._dynamo.reset()
    cell, _ = pair(name, **options)
    x = torch.randn(B, IN)
    torch.testing.assert_close(torch.compile(cell, fullgraph=True, backend="eager")(x), cell(x))


@pytest.mark.errors
def test_errors_name_the_argument_and_the_rule():
    cell = elman.nn.GRUCell(IN, H)
    with pytest.raises(ValueError, match=r"input must be \(batch, input_size=4\) or \(4,\)"):
        cell(torch.randn(B, IN + 1))
    with pytest.raises(ValueError, match=r"hx: h must be \(3, 5\), got \(3, 4\)"):
        cell(torch.randn(B, IN), torch.zeros(B, 4))
    with pytest.raises(TypeError, match=r"pair \(h, c\)"):
        elman.nn.LSTMCell(IN, H)(torch.randn(B, IN), torch.zeros(B, H))
    with pytest.raises(ValueError, match="nonlinearity: must be 'tanh' or 'relu'"):
        elman.nn.RNNCell(IN, H, nonlinearity="sine")(torch.randn(B, IN))
