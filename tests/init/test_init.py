"""Initialisers: what they make, what they say, what they refuse."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from elman import cells, init
from elman.nn import Recurrent


def blocks(t: torch.Tensor, count: int) -> list[torch.Tensor]:
    return list(t.detach().chunk(count))


def assert_orthogonal(block: torch.Tensor) -> None:
    rows, columns = block.shape
    small = block.T @ block if rows >= columns else block @ block.T
    torch.testing.assert_close(small, torch.eye(len(small)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("shape", "gates"), [((12, 4), 3), ((4, 4), 1), ((6, 5), 3), ((9, 2), 1)])
def test_orthogonal_for_each_gate(shape, gates) -> None:
    weight = nn.Parameter(torch.zeros(shape))
    assert init.orthogonal_(weight, gates) is weight
    for block in blocks(weight, gates):
        assert_orthogonal(block)
    assert len({round(b.sum().item(), 4) for b in blocks(weight, gates)}) == gates


def test_orthogonal_gain() -> None:
    weight = init.orthogonal_(torch.empty(4, 4), gain=0.5)
    assert_orthogonal(weight * 2)


def test_identity_for_each_gate() -> None:
    weight = nn.Parameter(torch.full((6, 3), 9.0))
    init.identity_(weight, 2, scale=0.5)
    for block in blocks(weight, 2):
        assert torch.equal(block, 0.5 * torch.eye(3))


# --- one value a unit ----------------------------------------------------------------------------


def test_constant_and_uniform() -> None:
    assert init.constant(2.5)(torch.empty(3)).tolist() == [2.5] * 3
    t = init.uniform(-1, 2)(torch.empty(10_000))
    assert -1 <= t.min() < -0.99
    assert 1.99 < t.max() <= 2


def test_log_uniform_gives_each_order_of_magnitude_its_share() -> None:
    t = init.log_uniform(1, 1000)(torch.empty(30_000, dtype=torch.float64))
    assert t.min() >= 1
    assert t.max() <= 1000
    share = torch.histc(t.log10(), 3, 0, 3) / len(t)
    torch.testing.assert_close(share, torch.full((3,), 1 / 3, dtype=share.dtype), atol=0.01, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("r_min", "r_max"), [(0.0, 1.0), (0.4, 0.9), (0.99, 1.0)])
def test_ring_is_uniform_by_area(r_min, r_max, dtype) -> None:
    nu = init.ring(r_min, r_max)(torch.empty(20_000, dtype=dtype))
    assert nu.isfinite().all()
    area = torch.exp(-torch.exp(nu)).double() ** 2
    low, high = r_min**2, r_max**2
    assert area.min() >= low - 1e-5
    assert area.max() <= high + 1e-5
    share = torch.histc((area - low) / (high - low), 4, 0, 1) / len(area)
    torch.testing.assert_close(share, torch.full_like(share, 0.25), atol=0.02, rtol=0)


@pytest.mark.parametrize("bounds", [(0, 1), (-1, 2), (3, 3), (4, 2)])
def test_log_uniform_refuses(bounds) -> None:
    with pytest.raises(ValueError, match="log_uniform: needs 0 < low < high, got low="):
        init.log_uniform(*bounds)


@pytest.mark.parametrize("bounds", [(-0.1, 1), (0.5, 0.5), (0, 1.1)])
def test_ring_refuses(bounds) -> None:
    with pytest.raises(ValueError, match="ring: needs 0 <= r_min < r_max <= 1, got r_min="):
        init.ring(*bounds)


# --- forget gates --------------------------------------------------------------------------------

LAYERS = {
    "torch LSTM": (lambda: nn.LSTM(3, 5, 2, bidirectional=True), 4, 1),
    "torch GRU": (lambda: nn.GRU(3, 5, 2, bidirectional=True), 3, 1),
    "LSTM": (lambda: Recurrent(cells.LSTM, 3, 5, 2, bidirectional=True), 4, 1),
    "GRU": (lambda: Recurrent(cells.GRU, 3, 5, 2, bidirectional=True), 3, 1),
}
SUFFIXES = ["l0", "l0_reverse", "l1", "l1_reverse"]


@pytest.mark.parametrize("name", LAYERS)
def test_forget_bias(name) -> None:
    make, gates, forget = LAYERS[name]
    layer = make()
    before = {n: p.detach().clone() for n, p in layer.named_parameters()}
    done = init.forget_bias_(layer, 2.0)
    assert done == [f"bias_ih_{s}: forget gate = 2" for s in SUFFIXES]
    for name, p in layer.named_parameters():
        for k, (new, old) in enumerate(
            zip(blocks(p, gates), blocks(before[name], gates), strict=True)
        ):
            if name.startswith("bias") and k == forget:
                assert (new == (2 if "_ih_" in name else 0)).all()
            else:
                assert torch.equal(new, old), name


@pytest.mark.parametrize("make", [lambda: nn.RNN(3, 5), lambda: nn.LSTM(3, 5, bias=False)])
def test_forget_bias_where_there_is_none(make) -> None:
    assert init.forget_bias_(make()) == []


@pytest.mark.parametrize("name", LAYERS)
def test_chrono(name) -> None:
    make, gates, forget = LAYERS[name]
    layer = make()
    done = init.chrono_(layer, t_max=100)
    assert sum("forget gate = log U(1, t_max - 1)" in line for line in done) == len(SUFFIXES)
    for suffix in SUFFIXES:
        bias = blocks(getattr(layer, f"bias_ih_{suffix}"), gates)
        hidden = blocks(getattr(layer, f"bias_hh_{suffix}"), gates)
        assert (bias[forget] >= 0).all()
        assert (bias[forget] <= math.log(99)).all()
        assert (hidden[forget] == 0).all()
        if "LSTM" in name:
            assert torch.equal(bias[0], -bias[1])
            assert (hidden[0] == 0).all()


def test_chrono_spreads_over_the_whole_range() -> None:
    layer = Recurrent(cells.LSTM, 1, 400)
    init.chrono_(layer, t_max=50)
    times = blocks(layer.bias_ih_l0, 4)[1].exp()
    assert times.min() < 2
    assert times.max() > 47
    assert times.mean() == pytest.approx(25, abs=3)


def test_chrono_refuses_short_sequences() -> None:
    with pytest.raises(ValueError, match="t_max must be at least 3 steps, got 2"):
        init.chrono_(nn.LSTM(3, 5), 2)


@pytest.mark.parametrize("cell", [cells.MinGRU, cells.MGU])
def test_chrono_where_one_gate_admits_and_forgets(cell) -> None:
    layer = Recurrent(cell, 1, 400)
    (line,) = init.chrono_(layer, t_max=50)
    assert line == "bias_ih_l0: input gate = -log U(1, t_max - 1)"
    times = (-blocks(layer.bias_ih_l0, 2)[0]).exp()
    assert 1 <= times.min() < 2
    assert 47 < times.max() <= 49
    assert not blocks(layer.bias_ih_l0, 2)[1].any()


def left_after(layer, steps: int) -> torch.Tensor:
    """What `steps` steps without input leave of a state of ones: for each unit, its length."""
    state = (layer.cell.State(*(torch.ones(1, layer.hidden_size) for _ in layer.cell.state)),)
    _, (after,) = layer(torch.zeros(1, steps, layer.input_size), state)
    return torch.stack(list(after)).norm(dim=0).squeeze(0) / len(after) ** 0.5


@pytest.mark.parametrize("cell", [cells.LRU, cells.RGLRU, cells.MinGRU])
@torch.no_grad()
def test_length_spreads_memory_over_so_many_steps(cell) -> None:
    layer = Recurrent(cell, 300, 300)
    init.recommended_(layer, length=200)
    # A state halves within ln 2 of its time; times are uniform up to 200 steps.
    assert (left_after(layer, 70) > 0.5).float().mean() == pytest.approx(0.5, abs=0.12)
    assert left_after(layer, 200).max() < 0.4
    assert left_after(layer, 3).min() < 0.4


def test_length_starts_the_last_layer_of_an_indrnn_near_one() -> None:
    layer = Recurrent(cells.IndRNN, 2, 50, layers=2)
    done = init.recommended_(layer, length=100)
    assert "u_l1: U(2^(-1 / length), 1)" in done
    assert layer.u_l0.min() < 0.5
    assert 2 ** (-1 / 100) <= layer.u_l1.min() <= layer.u_l1.max() <= 1


@pytest.mark.parametrize("layer", [Recurrent("RNNReLU", 2, 4), nn.RNN(2, 4, nonlinearity="relu")])
def test_length_makes_u_of_a_relu_network_the_identity(layer) -> None:
    assert "weight_hh_l0: identity" in init.recommended_(layer, length=100)
    assert torch.equal(layer.weight_hh_l0, torch.eye(4))


def test_length_is_chrono_for_gates() -> None:
    layer = nn.LSTM(2, 300)
    init.recommended_(layer, length=100)
    forget = blocks(layer.bias_ih_l0, 4)[1]
    assert math.log(90) < forget.max() <= math.log(99)
    plain = nn.RNN(2, 4)
    assert not any("identity" in line for line in init.recommended_(plain, length=100))


# --- whole layers --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_recommended_touches_all_and_says_so(name) -> None:
    make, gates, forget = LAYERS[name]
    layer = make()
    with torch.no_grad():
        for p in layer.parameters():
            p.fill_(9.0)
    done = init.recommended_(layer)
    said = {line.split(":")[0] for line in done}
    assert said == {n for n, _ in layer.named_parameters()}
    assert not any((p == 9).any() for p in layer.parameters())
    for suffix in SUFFIXES:
        assert f"weight_ih_{suffix}: Glorot uniform, each gate apart" in done
        assert f"weight_hh_{suffix}: orthogonal, each gate apart" in done
        assert f"bias_ih_{suffix}: forget gate = 1" in done
        for block in blocks(getattr(layer, f"weight_hh_{suffix}"), gates):
            assert_orthogonal(block)
        for block in blocks(getattr(layer, f"weight_ih_{suffix}"), gates):
            bound = math.sqrt(6 / sum(block.shape))
            assert 0.7 * bound < block.abs().max() <= bound
        total = getattr(layer, f"bias_ih_{suffix}") + getattr(layer, f"bias_hh_{suffix}")
        wanted = [float(k == forget) for k in range(gates)]
        assert [b.unique().item() for b in blocks(total, gates)] == wanted


def test_recommended_projection() -> None:
    layer = nn.LSTM(3, 6, proj_size=2)
    assert "weight_hr_l0: orthogonal, each gate apart" in init.recommended_(layer)
    assert_orthogonal(layer.weight_hr_l0.detach())
    for block in blocks(layer.weight_hh_l0, 4):
        assert_orthogonal(block)


def test_recommended_finds_layers_inside_a_model() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 3), Recurrent(cells.RNN, 3, 4))
    linear = model[0].weight.detach().clone()
    assert len(init.recommended_(model)) == 5 + 4
    assert torch.equal(model[0].weight, linear)
    assert init.recommended_(nn.Linear(2, 2)) == []


def test_a_cells_own_parameters_keep_their_initialiser() -> None:
    class Timed(cells.Cell):
        gates = ("n",)
        recurrent = ()
        params = {"tau": init.constant(7.0)}

        def update(x, u, s, p):
            return s.h + (x.n - s.h) / p.tau

    layer = Recurrent(Timed, 3, 4)
    init.recommended_(layer)
    assert (layer.tau_l0 == 7).all()


def test_the_same_seed_gives_the_same_layer() -> None:
    torch.manual_seed(5)
    a = Recurrent(cells.LSTM, 3, 4).state_dict()
    torch.manual_seed(5)
    b = Recurrent(cells.LSTM, 3, 4).state_dict()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("make", [lambda: nn.GRU(3, 4), lambda: Recurrent(cells.GRU, 3, 4)])
@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0"])
def test_parametrised_weights_are_refused(make, name) -> None:
    layer = make()
    parametrizations.weight_norm(layer, name)
    with pytest.raises(ValueError, match=f"{name} is parametrised, so writing to it would be lost"):
        init.recommended_(layer)
