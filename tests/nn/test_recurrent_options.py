"""Each option of `Recurrent`, by its effect."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from elman import init
from elman.cells import GRU, LSTM, RNN, Cell
from elman.nn import Recurrent
from elman.ops import sigmoid, tanh

B, T, I, H = 3, 6, 4, 5  # noqa: E741

pytestmark = pytest.mark.usefixtures("float64")


def stacked(layer: Recurrent, x: torch.Tensor, between) -> torch.Tensor:
    """Layers run one at a time, with `between(k, below, y)` after each."""
    y = x
    for k in range(layer.layers):
        one = Recurrent(layer.cell, y.shape[2], H)
        own = {n: p for n, p in layer.named_parameters() if n.endswith(f"_l{k}")}
        one.load_state_dict({n.replace(f"_l{k}", "_l0"): p for n, p in own.items()})
        y = between(k, y, lambda v, one=one: one(v)[0])
    return y


# --- between layers ------------------------------------------------------------------------------


def test_residual_adds_what_came_in_to_every_layer_after_the_first() -> None:
    layer, x = Recurrent(GRU, I, H, 3, residual=True), torch.randn(B, T, I)
    expected = stacked(layer, x, lambda k, below, run: run(below) + below if k else run(below))
    torch.testing.assert_close(layer(x)[0], expected)


def test_layer_norm_stands_before_every_layer_after_the_first() -> None:
    layer, x = Recurrent(GRU, I, H, 3, layer_norm=True), torch.randn(B, T, I)
    assert len(layer.norms) == 2
    for norm in layer.norms:
        torch.nn.init.normal_(norm.weight)

    def between(k, below, run):
        return run(layer.norms[k - 1](below) if k else below)

    torch.testing.assert_close(layer(x)[0], stacked(layer, x, between))


def test_residual_passes_by_the_norm() -> None:
    layer, x = Recurrent(GRU, I, H, 2, layer_norm=True, residual=True), torch.randn(B, T, I)
    expected = stacked(
        layer, x, lambda k, below, run: run(layer.norms[0](below)) + below if k else run(below)
    )
    torch.testing.assert_close(layer(x)[0], expected)


# --- dropout: the same units at every step -------------------------------------------------------


def test_nothing_is_dropped_in_evaluation() -> None:
    rates = dict.fromkeys(["dropout", "input_dropout", "output_dropout"], 0.5)
    rates |= {"state_dropout": 0.5, "weight_drop": 0.5}
    layer, plain = Recurrent(GRU, I, H, 2, **rates).eval(), Recurrent(GRU, I, H, 2)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(B, T, I)
    torch.testing.assert_close(layer(x)[0], plain(x)[0])


def test_output_dropout_is_one_mask_for_all_steps() -> None:
    layer, x = Recurrent(GRU, I, H, output_dropout=0.5), torch.randn(B, T, I)
    y, _ = layer(x)
    ratio = y / layer.eval()(x)[0]
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))
    assert set(ratio[:, 0].flatten().round(decimals=9).tolist()) == {0.0, 2.0}


def test_input_dropout_is_one_mask_for_all_steps() -> None:
    layer = Recurrent(GRU, I, H, input_dropout=0.5)
    x = torch.randn(B, T, I, requires_grad=True)
    layer(x)[0].sum().backward()
    dropped = x.grad == 0
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert 0 < dropped[:, 0].sum() < B * I


def test_dropout_between_layers_is_one_mask_for_all_steps_and_two_rows_differ() -> None:
    layer = Recurrent(GRU, I, H, 2, dropout=0.5)
    masks = layer.draw_masks(B, T)
    x = torch.randn(B, T, I)
    expected = stacked(
        layer, x, lambda k, below, run: run(below * masks.between[0][:, None] if k else below)
    )
    torch.testing.assert_close(layer(x, masks=masks)[0], expected)
    assert masks.between.unique().tolist() == [0, 2]
    assert not torch.equal(masks.between[0, 0], masks.between[0, 1])


def test_state_dropout_masks_what_u_multiplies_and_not_the_state() -> None:
    layer, x = Recurrent(GRU, I, H, state_dropout=0.4), torch.randn(B, T, I)
    masks = layer.draw_masks(B, T)
    y, h = [], torch.zeros(B, H)
    for t in range(T):
        xs = functional.linear(x[:, t], layer.weight_ih_l0, layer.bias_ih_l0).chunk(3, 1)
        us = functional.linear(h * masks.state[0], layer.weight_hh_l0, layer.bias_hh_l0).chunk(3, 1)
        r, z = sigmoid(xs[0] + us[0]), sigmoid(xs[1] + us[1])
        n = tanh(xs[2] + r * us[2])
        h = n + z * (h - n)
        y.append(h)
    torch.testing.assert_close(layer(x, masks=masks)[0], torch.stack(y, 1))
    assert layer.eval()(x)[0].sub(torch.stack(y, 1)).abs().max() > 1e-3


@pytest.mark.parametrize("cell", [GRU, LSTM])
def test_weight_drop_drops_entries_of_u_for_the_whole_pass(cell) -> None:
    layer, x = Recurrent(cell, I, H, weight_drop=0.5), torch.randn(B, T, I)
    y, _ = layer(x)
    y.sum().backward()
    dropped = layer.weight_hh_l0.grad == 0
    assert 0.3 < dropped.double().mean() < 0.7
    plain = Recurrent(cell, I, H)
    plain.load_state_dict(layer.state_dict())
    with torch.no_grad():
        plain.weight_hh_l0.copy_(torch.where(dropped, 0, 2 * layer.weight_hh_l0))
    torch.testing.assert_close(y, plain(x)[0])


@pytest.mark.parametrize(
    "name", ["dropout", "input_dropout", "output_dropout", "state_dropout", "weight_drop"]
)
def test_masks_keep_the_expectation(name) -> None:
    layer = Recurrent(GRU, 40, 40, 2, **{name: 0.3})
    masks = layer.draw_masks(40, 1)
    field = {"dropout": "between", "state_dropout": "state", "weight_drop": "weight"}.get(
        name, name.removesuffix("_dropout")
    )
    drawn = getattr(masks, field)
    assert drawn.mean() == pytest.approx(1, abs=0.05)
    others = {"input", "between", "output", "state", "weight", "keep"} - {field}
    assert all(getattr(masks, other) is None for other in others)


def test_masks_are_drawn_anew_and_by_the_seed() -> None:
    layer, x = Recurrent(GRU, I, H, input_dropout=0.5, zoneout=0.5), torch.randn(B, T, I)
    first, second = layer(x)[0], layer(x)[0]
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    first = layer(x)[0]
    torch.manual_seed(3)
    assert torch.equal(layer(x)[0], first)


# --- zoneout -------------------------------------------------------------------------------------


def test_zoneout_keeps_old_values_and_draws_for_every_step() -> None:
    layer, x = Recurrent(LSTM, I, H, zoneout={"c": 0.5}), torch.randn(B, T, I)
    masks = layer.draw_masks(B, T)
    assert masks.keep[0][0] == 1.0
    keep = masks.keep[0][1]
    assert keep.shape == (B, T, H)
    assert not torch.equal(keep[:, 0], keep[:, 1])
    _, _, ((_, c),) = layer(x, masks=masks, states=True)
    before = torch.cat([torch.zeros(B, 1, H), c[:, :-1]], 1)
    assert torch.equal(c == before, keep == 0)


def test_zoneout_in_evaluation_is_its_expectation() -> None:
    layer, x = Recurrent(RNN, I, H, zoneout=0.3), torch.randn(1, 1, I)
    state = (RNN.State(torch.randn(1, H)),)
    many = 20_000
    _, drawn = layer(x.expand(many, 1, I), (RNN.State(state[0].h.expand(many, H)),))
    _, expected = layer.eval()(x, state)
    torch.testing.assert_close(drawn[0].h.mean(0), expected[0].h[0], atol=0.03, rtol=0)


# --- training: step = sequence -------------------------------------------------------------------

EVERYTHING = {
    "dropout": 0.3,
    "input_dropout": 0.3,
    "output_dropout": 0.3,
    "state_dropout": 0.3,
    "weight_drop": 0.3,
    "zoneout": 0.3,
    "residual": True,
    "layer_norm": True,
}


@pytest.mark.parametrize("proj_size", [0, 3])
def test_steps_are_the_sequence_in_training(proj_size) -> None:
    options = EVERYTHING | {"proj_size": proj_size}
    layer, x = Recurrent(LSTM, I, H, 3, **options), torch.randn(B, T, I)
    masks = layer.draw_masks(B, T)
    y, final = layer(x, masks=masks)
    state, ys = layer.initial_state(B), []
    for t in range(T):
        one, state = layer.step(x[:, t], state, masks=masks.at(t))
        ys.append(one)
    torch.testing.assert_close(torch.stack(ys, 1), y)
    for a, b in zip(state, final, strict=True):
        torch.testing.assert_close(a.h, b.h)
        torch.testing.assert_close(a.c, b.c)


def test_step_in_training_asks_for_masks() -> None:
    layer = Recurrent(GRU, I, H, state_dropout=0.1)
    x, state = torch.randn(B, I), layer.initial_state(B)
    with pytest.raises(ValueError, match=r"pass masks=layer.draw_masks\(batch, steps\).at\(t\)"):
        layer.step(x, state)
    layer.eval().step(x, state)
    Recurrent(GRU, I, H).step(x, state)


def test_masks_of_some_steps_are_a_value() -> None:
    masks = Recurrent(GRU, I, H, zoneout=0.5).draw_masks(B, T)
    assert masks.at(2).keep[0][0].shape == (B, 1, H)
    assert replace(masks, keep=None).at(2).keep is None


# --- state, projection, constants ----------------------------------------------------------------


def test_a_learned_initial_state_starts_as_the_cell_says_and_gets_gradients() -> None:
    class Started(Cell):
        gates = ("n",)
        state = ("h", "c")
        params = {"tau": init.constant(4.0)}

        def update(x, u, s, p):
            c = s.c + (tanh(x.n + u.n) - s.c) / p.tau
            return tanh(c), c

        def start(p):
            return 0.0, 1 / p.tau

    layer = Recurrent(Started, I, H, bidirectional=True, learn_initial_state=True)
    assert (layer.c_0_l0 == 0.25).all()
    y, _ = layer(torch.randn(B, T, I), lengths=[T, 2, 0])
    y.sum().backward()
    for suffix in layer.suffixes:
        for name in ("h_0", "c_0"):
            assert (getattr(layer, f"{name}_{suffix}").grad != 0).all()


def test_a_learned_initial_state_is_what_a_reset_returns_to() -> None:
    layer, x = Recurrent(GRU, I, H, learn_initial_state=True), torch.randn(B, T, I)
    torch.nn.init.normal_(layer.h_0_l0)
    reset = torch.zeros(B, T, dtype=torch.bool)
    reset[:, 3] = True
    torch.testing.assert_close(layer(x, reset=reset)[0][:, 3:], layer(x[:, 3:])[0])


def test_projection_has_torchs_meaning() -> None:
    layer, twin = (
        Recurrent(LSTM, I, H, 2, proj_size=2),
        torch.nn.LSTM(I, H, 2, proj_size=2, batch_first=True),
    )
    twin.load_state_dict(layer.state_dict())
    x = torch.randn(B, T, I)
    y, state = layer(x)
    expected, (h, c) = twin(x)
    torch.testing.assert_close(y, expected)
    for k in range(2):
        torch.testing.assert_close(state[k].h, h[k])
        torch.testing.assert_close(state[k].c, c[k])
    assert layer.initial_state(3)[0].h.shape == (3, 2)


@pytest.mark.parametrize("proj_size", [1, 2, 4])
def test_projection_is_refused_where_update_reads_the_state(proj_size) -> None:
    with pytest.raises(ValueError, match=r"GRU: .*proj_size needs an update"):
        Recurrent(GRU, I, H, proj_size=proj_size)


def test_constants() -> None:
    class Leaky(Cell):
        gates = ("n",)
        constants = {"rate": 0.1, "gain": 2.0}

        def update(x, u, s, p):
            return s.h + p.rate * (p.gain * tanh(x.n + u.n) - s.h)

    layer, x = Recurrent(Leaky, I, H, constants={"rate": 1.0}), torch.randn(B, T, I)
    assert layer.constants == {"rate": 1.0, "gain": 2.0}
    plain = Recurrent(RNN, I, H)
    with torch.no_grad():
        for name, p in plain.named_parameters():
            p.copy_(getattr(layer, name) * (2 if name == "weight_hh_l0" else 1))
    torch.testing.assert_close(layer(x)[0], 2 * plain(x)[0])
    assert Leaky.constants["rate"] == 0.1


def test_states_of_every_step() -> None:
    layer = Recurrent(LSTM, I, H, 2, bidirectional=True)
    y, final, kept = layer(torch.randn(B, T, I), states=True)
    assert len(kept) == 4
    assert all(leaf.shape == (B, T, H) for one in kept for leaf in one)
    torch.testing.assert_close(torch.cat([kept[2].h, kept[3].h], -1), y)
    torch.testing.assert_close(kept[0].c[:, -1], final[0].c)
    torch.testing.assert_close(kept[1].c[:, 0], final[1].c)


def test_last_is_right_for_ragged_rows_and_both_directions() -> None:
    layer, x = Recurrent(LSTM, I, H, 2, bidirectional=True), torch.randn(B, T, I)
    y, state = layer(x, lengths=[2, T, 1])
    last = layer.last(state)
    for row, length in enumerate([2, T, 1]):
        torch.testing.assert_close(last[row, :H], y[row, length - 1, :H])
        torch.testing.assert_close(last[row, H:], y[row, 0, H:])


def test_what_is_printed() -> None:
    assert repr(Recurrent(GRU, 3, 5)) == "Recurrent(GRU, 3, 5)"
    assert "layers=2, bidirectional" in repr(Recurrent(GRU, 3, 5, 2, bidirectional=True))
