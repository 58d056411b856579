"""Engines below `Recurrent`: T = 0, extremes of padding, the reference on odd ground."""

import dataclasses

import pytest
import torch
from torch.autograd import forward_ad

from elman import cells, engine
from elman.cells import GRU, LSTM, RNN, Cell, RNNReLU
from elman.engine import Call, Weights, aten, reference
from elman.nn import Recurrent
from elman.ops import log, tanh
from elman.testing import assert_close
from elman.trace import trace

B, T, I, H = 3, 5, 2, 4  # noqa: E741


def call(cell, dtype=torch.float64, **options) -> Call:
    torch.manual_seed(1)
    layer = Recurrent(cell, I, H, dtype=dtype)
    x = torch.randn(B, T, I, dtype=dtype)
    return dataclasses.replace(layer.first_call(x), **options)


@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("cell", [LSTM, GRU])
def test_no_steps(cell, states) -> None:
    given = call(cell, states=states)
    found = engine.run(dataclasses.replace(given, x=given.x[:, :0]))
    assert found.output.shape == (B, 0, H)
    assert found.state is given.state
    if states:
        assert all(leaf.shape == (B, 0, H) for leaf in found.states)
    else:
        assert found.states is None


def test_no_steps_of_a_cell_that_has_no_derivative_at_zero() -> None:
    class Logs(Cell):
        gates = ("n",)
        inputs = ("dt",)

        def update(x, u, s, p):
            return tanh(x.n + u.n) * log(x.dt)

    layer = Recurrent(Logs, I, H)
    first = tuple(Logs.State(torch.ones(B, H, requires_grad=True)) for _ in range(1))
    y, state = layer(torch.zeros(B, 0, I), first, dt=torch.zeros(B, 0))
    (y.sum() + state[0].h.sum()).backward()
    assert (first[0].h.grad == 1).all()
    assert all(p.grad is None or (p.grad == 0).all() for p in layer.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_c_is_frozen_exactly_on_padding(dtype, scale) -> None:
    """Whatever the weights: the column must outweigh them."""
    given = call(LSTM, dtype)
    weights = dataclasses.replace(given.weights, weight_hh=given.weights.weight_hh * scale)
    given = dataclasses.replace(given, weights=weights, lengths=torch.tensor([T, 2, 0]))
    padded = given.x.clone()
    padded[1, 2:], padded[2] = 0, 0
    given = dataclasses.replace(given, x=padded)
    found = aten.run(given).state
    for row, length in enumerate([T, 2, 0]):
        alone = dataclasses.replace(
            given,
            x=given.x[row : row + 1, :length],
            lengths=None,
            state=LSTM.State(*(s[row : row + 1] for s in given.state)),
        )
        c = aten.run(alone).state.c if length else alone.state.c
        assert_close(found.c[row : row + 1], c, terms=T * (I + H), what=f"c of row {row}")


@pytest.mark.parametrize("cell", [RNN, RNNReLU, GRU, LSTM])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_two_engines_agree_in_one_direction(cell, reverse) -> None:
    for lengths in (None, torch.tensor([T, 2, 0])):
        given = call(cell, reverse=reverse, lengths=lengths)
        if lengths is not None:
            beyond = ~given.valid
            given = dataclasses.replace(given, x=given.x.masked_fill(beyond[..., None], 0))
        a, b = aten.run(given), reference.run(given)
        assert_close(a.output, b.output, terms=T * (I + H), what="output")
        for x, y in zip(a.state, b.state, strict=True):
            assert_close(x, y, terms=T * (I + H), what="state")


@pytest.mark.errors
def test_the_reference_runs_complex_numbers_and_double_backward() -> None:
    class Rotating(Cell):
        gates = ("n",)
        recurrent = ()

        def update(x, u, s, p):
            return 0.9j * s.h + x.n

    weights = Weights(torch.randn(H, I, dtype=torch.complex128, requires_grad=True))
    x = torch.randn(B, T, I, dtype=torch.complex128)
    state = Rotating.State(torch.zeros(B, H, dtype=torch.complex128))
    output = engine.run(Call(Rotating, x, state, weights)).output
    total = output.abs().square().sum()
    (first,) = torch.autograd.grad(total, weights.weight_ih, create_graph=True)
    (second,) = torch.autograd.grad(first.abs().square().sum(), weights.weight_ih)
    assert second.abs().min() > 0


@pytest.mark.parametrize("cell", [LSTM, GRU])
def test_per_sample_gradients_go_to_the_reference(cell) -> None:
    layer, x = Recurrent(cell, I, H, dtype=torch.float64), torch.randn(B, T, I).double()
    weights = {n: p.detach() for n, p in layer.named_parameters()}

    def loss(own, one):
        return torch.func.functional_call(layer, own, (one[None],))[0].square().sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0))(weights, x)
    for row in range(B):
        total = loss(dict(layer.named_parameters()), x[row])
        alone = torch.autograd.grad(total, list(layer.parameters()))
        for name, value in zip(weights, alone, strict=True):
            assert_close(each[name][row], value, terms=T * H, what=name)


@pytest.mark.parametrize("cell", [LSTM, GRU])
def test_forward_derivatives_go_to_the_reference(cell) -> None:
    layer, x = Recurrent(cell, I, H), torch.randn(B, T, I)
    way = torch.randn_like(x)
    _, found = torch.func.jvp(lambda v: layer(v)[0], (x,), (way,))
    with forward_ad.dual_level():
        y = layer(forward_ad.make_dual(x, way))[0]
        again = forward_ad.unpack_dual(y).tangent
    step = 1e-3 * way
    expected = (layer(x + step)[0] - layer(x - step)[0]) / 2e-3
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(again, found)


def test_reading_an_unknown_name_names_the_known_ones() -> None:
    weights = Weights(torch.zeros(H, I), torch.zeros(H, H))

    class Wrong(Cell):
        gates = ("n",)

        def update(x, u, s, p):
            return u.m + x.n

    state = Wrong.State(torch.zeros(B, H))
    with pytest.raises(AttributeError, match=r"Wrong.update reads u.m; recurrent gates are"):
        reference.run(Call(Wrong, torch.zeros(B, T, I), state, weights))


SCANS = [c for c in cells.builtin().values() if trace(c).is_scan and not trace(c).needs_whole_rows]


@pytest.mark.parametrize("cell", SCANS)
def test_units_are_shared_out_where_they_need_not_know_of_each_other(cell) -> None:
    """More than 256 units run in parts: each part has its own share of the parameters."""
    torch.manual_seed(0)
    layer = Recurrent(cell, 300, 300, dtype=torch.float64)
    x = torch.randn(2, 3, 300, dtype=torch.float64, requires_grad=True)
    inputs = {name: torch.rand(2, 3).double() for name in cell.inputs if name != "raw"}
    found = []
    for name in ("native", "reference"):
        with engine.use(name):
            y, (state,) = layer(x, lengths=[3, 2], **inputs)
        total = sum((leaf.sin().sum() for leaf in (y, *state)), torch.zeros(()))
        found.append([y, *state, *torch.autograd.grad(total, [x, *layer.parameters()])])
    for k, (a, e) in enumerate(zip(*found, strict=True)):
        assert_close(a, e, terms=2000, what=f"{k}")
