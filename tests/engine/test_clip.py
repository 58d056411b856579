"""Gradients of the state clipped at every step: `Recurrent(..., clip_steps=...)`."""

from dataclasses import replace

import pytest
import torch

from elman.cells import GRU, LRU, LSTM, IndRNN, LayerNormLSTM, RNNReLU
from elman.engine import EngineUnavailable, explain, use
from elman.nn import Recurrent
from elman.testing import assert_close
from elman.testing.case import Case, Size, outcome
from elman.testing.sequences import ragged
from elman_runtime import native

SIZE = Size(5, 6, 3, 7)
needs_native = pytest.mark.skipif(not native.available, reason="there is no compiled module")


def shortened(gradient, most):
    return gradient * (most / gradient.norm(dim=-1, keepdim=True)).clamp(max=1.0)


@pytest.mark.usefixtures("float64")
def test_it_is_what_clipping_by_hand_gives():
    """h_t = W x_t + U h_{t-1}, every entry above zero, so that the chain can be written out."""
    layer = Recurrent(RNNReLU, 3, 4, clip_steps=0.7, engine="reference")
    with torch.no_grad():
        for p in layer.parameters():
            p.uniform_(0.1, 0.5)
    x = torch.rand(2, 5, 3, requires_grad=True)
    y, _ = layer(x)
    upstream = torch.randn_like(y)
    y.backward(upstream)
    g, expected = torch.zeros(2, 4), []
    for t in range(4, -1, -1):
        g = shortened(g + upstream[:, t], 0.7)
        expected.insert(0, g @ layer.weight_ih_l0)
        g = g @ layer.weight_hh_l0
    torch.testing.assert_close(x.grad, torch.stack(expected, 1).detach())
    assert (torch.stack(expected).norm(dim=-1) > 0).all()


@pytest.mark.usefixtures("float64")
def test_a_limit_that_is_not_met_changes_no_bit():
    case = Case(LSTM, SIZE, torch.float64)
    layer = case.layer()
    a = case.arguments(layer)
    with use("reference"):
        free = outcome(layer, a)
        layer.clip_steps = 1e6
        bound = outcome(layer, a)
    assert all(torch.equal(free[name], bound[name]) for name in free)


@pytest.mark.usefixtures("float64")
def test_explosion_is_cut_row_by_row():
    """One row explodes; the gradients of the other stay as they were."""
    layer = Recurrent(RNNReLU, 1, 1, bias=False, clip_steps=2.0, engine="reference")
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1.0)
        layer.weight_hh_l0.fill_(3.0)
    x = torch.tensor([[1.0] * 20, [-1.0] * 19 + [1.0]])[..., None].requires_grad_()
    layer(x)[0][:, -1].sum().backward()
    assert x.grad[0].flatten().tolist() == pytest.approx([2.0] * 19 + [1.0])
    assert x.grad[1].flatten().tolist() == pytest.approx([0.0] * 19 + [1.0])


OPTIONS = {
    "plain": {},
    "both ways": {"bidirectional": True},
    "projected": {"proj_size": 3},
    "regularised": {"zoneout": 0.3, "state_dropout": 0.2},
}


@needs_native
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("cell", [LSTM, GRU, LayerNormLSTM, LRU], ids=lambda c: c.__name__)
def test_native_clips_as_the_reference_does(cell, option, dtype):
    if option == "projected" and cell is not LSTM:
        pytest.skip("reads its first state other than through U")
    case = Case(cell, SIZE, dtype)
    layer = case.layer(**OPTIONS[option])
    a = ragged(case.arguments(layer))
    a = replace(a, reset=torch.rand(a.x.shape[:2]) < 0.2)
    masks = layer.draw_masks(*a.x.shape[:2])

    def run(layer, a):
        return layer(a.x, a.state, lengths=a.lengths, reset=a.reset, masks=masks)

    with use("reference"):
        free = outcome(layer, a, run)
    layer.clip_steps = 0.5
    with use("reference"):
        expected = outcome(layer, a, run)
    with use("native"):
        found = outcome(layer, a, run)
    gradients = [name for name in expected if "gradient" in name]
    assert any(not torch.equal(free[name], expected[name]) for name in gradients)
    for name, value in found.items():
        assert_close(value, expected[name], terms=SIZE.batch * SIZE.time * 40, what=name)


@needs_native
def test_native_takes_the_norm_of_all_units_of_a_wide_scan():
    """Units of a scan are shared out among threads from 257 on; a norm needs them all."""
    layer = Recurrent(IndRNN, 2, 300, clip_steps=0.1).double()
    x = torch.randn(2, 4, 2, dtype=torch.float64)

    def gradient(engine):
        with use(engine):
            layer.zero_grad()
            layer(x)[0].sum().backward()
        return layer.weight_ih_l0.grad.clone()

    torch.testing.assert_close(gradient("native"), gradient("reference"), rtol=1e-12, atol=1e-12)


@needs_native
def test_the_choice_of_an_engine_knows_it():
    layer, x = Recurrent(LSTM, 3, 5, clip_steps=1.0), torch.randn(2, 4, 3)
    found = explain(layer, x)
    assert found.chosen == "native"
    assert "single step" in next(v.reason for v in found if v.engine == "torch")
    with use("torch"), pytest.raises(EngineUnavailable, match="clip_steps=None"):
        layer(x)


@needs_native
@pytest.mark.plain_code
def test_torch_compile_clips_too():
    layer, x = Recurrent(GRU, 3, 5, clip_steps=0.05, engine="native"), torch.randn(2, 4, 3)
    layer(x)[0].sum().backward()
    expected = layer.weight_hh_l0.grad.clone()
    layer.zero_grad()
    torch.compile(layer, fullgraph=True, backend="aot_eager")(x)[0].sum().backward()
    torch.testing.assert_close(layer.weight_hh_l0.grad, expected)


@pytest.mark.errors
@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf"), "1", True])
def test_a_bad_limit_is_refused(bad):
    with pytest.raises(ValueError, match="clip_steps: must be above 0"):
        Recurrent(GRU, 3, 5, clip_steps=bad)


def test_per_sample_gradients_are_clipped():
    layer = Recurrent(GRU, 3, 5, clip_steps=0.05, engine="reference")
    weights = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(weights, row):
        return torch.func.functional_call(layer, weights, (row[None],))[0].sum()

    x = torch.randn(2, 4, 3)
    both = torch.func.vmap(torch.func.grad(loss), (None, 0))(weights, x)["weight_hh_l0"]
    layer(x)[0].sum().backward()
    torch.testing.assert_close(both.sum(0), layer.weight_hh_l0.grad)
