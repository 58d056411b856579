"""What a cell may say of its biases and of U, and how its own parameters start."""

import math

import pytest
import torch

from elman import init
from elman.cells import GRUD, HGRN, LRU, MGU, RGLRU, SLSTM, AntisymmetricRNN, Cell, CoRNN, IndRNN
from elman.nn import Recurrent
from elman.ops import tanh


def test_u_is_constrained_whatever_is_stored() -> None:
    layer = Recurrent(AntisymmetricRNN, 2, 3)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.arange(9.0).reshape(3, 3))
    used = layer.first_call(torch.zeros(1, 1, 2)).weights.weight_hh
    assert torch.equal(used, -used.T)
    symmetric = layer.weight_hh_l0 + layer.weight_hh_l0.T
    y, _ = layer(torch.zeros(1, 4, 2), (layer.cell.State(torch.randn(1, 3)),))
    (grad,) = torch.autograd.grad(y.sum(), layer.weight_hh_l0)
    assert (symmetric != 0).any()
    assert torch.equal(grad, -grad.T)


def test_each_block_of_u_is_constrained_by_itself() -> None:
    class Halved(Cell):
        gates = ("a", "b")

        def update(x, u, s, p):
            return tanh(x.a + u.a) * tanh(x.b + u.b)

        def constrain(U):
            assert U.shape == (3, 3)
            return U / 2

    layer = Recurrent(Halved, 2, 3)
    used = layer.first_call(torch.zeros(1, 1, 2)).weights.weight_hh
    assert torch.equal(used, layer.weight_hh_l0 / 2)


def test_a_dropped_weight_stays_antisymmetric() -> None:
    layer = Recurrent(AntisymmetricRNN, 2, 5, weight_drop=0.5)
    x = torch.zeros(1, 1, 2)
    used = layer.first_call(x, masks=layer.draw_masks(1, 1)).weights.weight_hh
    assert torch.equal(used, -used.T)


def test_a_cell_with_shifts_of_its_own_has_no_others() -> None:
    for bias in (True, False):
        layer = Recurrent(CoRNN, 2, 3, bias=bias)
        assert set(dict(layer.named_parameters())) == {"weight_ih_l0", "weight_hh_l0", "b_l0"}
        assert layer.settings["bias"] is False


@pytest.mark.parametrize("cell", [IndRNN, LRU])
def test_without_u_there_is_nothing_to_project_for(cell) -> None:
    with pytest.raises(ValueError, match=f"must be 0, .* {cell.__name__} has no U, got 2"):
        Recurrent(cell, 3, 5, proj_size=2)


def test_a_product_with_another_vector_cannot_be_projected() -> None:
    with pytest.raises(ValueError, match="CfC: a trial step fails"):
        Recurrent("CfC", 3, 5, proj_size=2)


# --- how they start ------------------------------------------------------------------------------


def test_states_of_the_linear_units_start_in_their_rings() -> None:
    lru = Recurrent(LRU, 3, 500)
    size = torch.exp(-torch.exp(lru.nu_l0))
    assert 0.9 <= size.min() < 0.91
    assert 0.99 < size.max() <= 0.999
    assert lru.theta_l0.exp().min() > 0
    assert lru.theta_l0.exp().max() < 2 * math.pi
    rg = Recurrent(RGLRU, 500, 500)
    left = torch.exp(-8 * torch.nn.functional.softplus(rg.lam_l0.detach()))
    assert 0.9 <= left.min() < left.mean() < left.max() <= 0.9991
    assert abs(left.mean().item() - 0.9495) < 0.01


def test_gates_that_keep_start_open() -> None:
    assert (Recurrent(SLSTM, 3, 4).bias_ih_l0[4:8] == 1).all()
    assert (Recurrent("LayerNormLSTM", 3, 4).shift_f_l0 == 1).all()
    assert (Recurrent(HGRN, 3, 4).bias_ih_l0[8:] == 1).all()
    assert (Recurrent(GRUD, 3, 4).bias_ih_l0[4:8] == 1).all()
    # An open gate of MGU admits the new value.
    assert (Recurrent(MGU, 3, 4).bias_ih_l0 == 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: init.log_of_uniform(0.0), "log_of_uniform: needs high > 0, got 0.0"),
        (lambda: init.softplus_decay(0.9, 1.0), "needs 0 < low < high < 1 and power > 0"),
        (lambda: init.softplus_decay(0.5, 0.9, -1.0), "power=-1.0"),
    ],
)
def test_initialisers_refuse_what_has_no_meaning(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# --- what the equations promise ------------------------------------------------------------------


def test_slstm_takes_gates_that_would_overflow() -> None:
    layer = Recurrent(SLSTM, 1, 2)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1.0)
    for size in (-300.0, 300.0):
        y, state = layer(torch.full((1, 20, 1), size), reset=torch.arange(20)[None] == 10)
        assert y.isfinite().all()
        assert (state[0].n >= 1).all()
        y.sum().backward()
        assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_the_oscillators_neither_grow_nor_stop_the_gradient() -> None:
    x = torch.randn(1, 500, 3, requires_grad=True)
    y, _ = Recurrent(CoRNN, 3, 16)(x)
    assert y.abs().max() < 1
    (grad,) = torch.autograd.grad(y[:, -1].sum(), x)
    assert grad[:, 400].abs().sum() > 0


def test_a_long_gap_makes_gru_d_forget() -> None:
    layer, x = Recurrent(GRUD, 3, 4), torch.randn(1, 2, 3)
    state = (GRUD.State(torch.randn(1, 4)),)
    near, _ = layer(x, state, dt=torch.tensor([[0.0, 1.0]]))
    far, _ = layer(x, state, dt=torch.tensor([[1e6, 1.0]]))
    fresh, _ = layer(x, dt=torch.tensor([[0.0, 1.0]]))
    assert torch.allclose(far, fresh)
    assert not torch.allclose(near, fresh)
