"""Calls without options but lengths, one compiled call each way: the same as all other ways."""

import pytest
import torch
from torch.autograd import gradgradcheck

import elman
from elman import cells
from elman.cells import GRU, LSTM, RNN, Cell
from elman.engine import Call, native_plain, use
from elman.engine.native_arguments import Room
from elman.engine.plans import trouble_with
from elman.nn import Recurrent
from elman.testing import assert_close
from elman_runtime import native

pytestmark = pytest.mark.skipif(
    not native.available, reason="elman-runtime was installed without its compiled module"
)
B, T, I, H = 3, 6, 5, 9  # noqa: E741
TERMS = B * T * (I + H) * 4


def call_of(layer: Recurrent, x: torch.Tensor, **options) -> Call:
    return layer.first_call(x, **options)


def is_plain(cell: type[Cell]) -> bool:
    if cell.inputs or trouble_with(cell, cell.constants, False) is not None:
        return False
    return native_plain.fits(call_of(Recurrent(cell, I, H), torch.zeros(B, T, I)))


ALL = [cell for name in cells.__all__ if isinstance(cell := getattr(cells, name), type)]
PLAIN = [cell for cell in ALL if issubclass(cell, Cell) and cell is not Cell and is_plain(cell)]


def outcome(layer: Recurrent, x: torch.Tensor, state, **options) -> dict[str, torch.Tensor]:
    """Outputs, and the gradients of all that goes in."""
    y, final = layer(x, state, **options)
    outputs = [y, *(leaf for one in final for leaf in one)]
    torch.manual_seed(7)
    up = [torch.randn(o.shape, dtype=o.dtype) for o in outputs]
    given = {"x": x, **dict(layer.named_parameters())}
    given |= {f"state {k}": leaf for k, leaf in enumerate(leaf for one in state for leaf in one)}
    found = torch.autograd.grad(outputs, list(given.values()), up, allow_unused=True)
    pairs = zip(given, found, strict=True)
    gradients = {f"gradient of {name}": g for name, g in pairs if g is not None}
    return {str(k): o for k, o in enumerate(outputs)} | gradients


def made(cell: type[Cell], dtype=torch.float32, **options):
    torch.manual_seed(3)
    layer = Recurrent(cell, I, H, dtype=dtype, **options)
    for p in layer.parameters():
        torch.nn.init.uniform_(p, 0.1, 0.5)
    x = torch.randn(B, T, I, dtype=dtype, requires_grad=True)
    state = layer.initial_state(B)
    leaves = [cell.State(*(torch.rand(s.shape, dtype=dtype) for s in one)) for one in state]
    for one in leaves:
        for leaf in one:
            leaf.requires_grad_()
    return layer, x, tuple(leaves)


def test_most_cells_are_plain():
    assert {RNN, GRU, LSTM, cells.MinGRU, cells.LRU} <= set(PLAIN)
    assert len(PLAIN) >= 15


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cell", PLAIN, ids=lambda c: c.__name__)
def test_plain_is_the_general_way_and_the_reference(cell, dtype, bidirectional, monkeypatch):
    layer, x, state = made(cell, dtype, bidirectional=bidirectional, layers=1)
    with use("native"):
        found = outcome(layer, x, state)
        monkeypatch.setattr(native_plain, "MOST", 0)
        by_torch = outcome(layer, x, state)
        monkeypatch.setattr(native_plain, "fits", lambda _: False)
        general = outcome(layer, x, state)
    with use("reference"):
        reference = outcome(layer, x, state)
    assert found.keys() == by_torch.keys() == general.keys() == reference.keys()
    for name, value in found.items():
        for other in (by_torch, general, reference):
            assert_close(value, other[name], terms=TERMS, what=name)


@pytest.mark.parametrize(
    ("maker", "sets", "own"),
    [
        ("GenuineIntel", ["sse2", "avx2", "avx512"], False),
        ("AuthenticAMD", ["sse2", "avx2", "avx512"], True),
        ("AuthenticAMD", ["sse2", "avx2"], False),
        ("", ["neon"], False),
    ],
)
def test_own_products_at_every_size_where_mkl_has_none(maker, sets, own, monkeypatch):
    monkeypatch.setattr(torch._C, "has_mkl", True)
    monkeypatch.setattr(native, "maker", lambda: maker)
    monkeypatch.setattr(native, "engines", lambda: sets)
    assert native_plain._leads() is own


@pytest.mark.parametrize("lengths", [[T, 2, 0], [1, T, 4], [0, 0, 0]])
@pytest.mark.parametrize("time_first", [False, True])
@pytest.mark.parametrize("cell", PLAIN, ids=lambda c: c.__name__)
def test_what_lies_beyond_a_length_is_left_out(cell, time_first, lengths, monkeypatch):
    layer, x, state = made(cell, bidirectional=True, layers=1)
    x = x.detach().clone()
    for row, length in zip(x, lengths, strict=True):
        row[length:] = torch.nan
    if time_first:
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    x.requires_grad_()
    assert native_plain.fits(call_of(layer, x, lengths=lengths))
    with use("native"):
        found = outcome(layer, x, state, lengths=lengths)
        monkeypatch.setattr(native_plain, "fits", lambda _: False)
        general = outcome(layer, x, state, lengths=lengths)
    with use("reference"):
        reference = outcome(layer, x, state, lengths=lengths)
    assert found.keys() == general.keys() == reference.keys()
    for name, value in found.items():
        for other in (general, reference):
            assert_close(value, other[name], terms=TERMS, what=name)
    beyond = torch.arange(T) >= torch.tensor(lengths)[:, None]
    assert not found["0"][beyond].any()
    assert not found["gradient of x"][beyond].any()


@pytest.mark.parametrize("time_first", [False, True])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("rows", "units"), [(1, 40), (7, 40), (2, 128), (3, 320)])
@pytest.mark.parametrize("cell", [LSTM, GRU, cells.MinGRU, cells.LRU])
def test_w_x_of_some_steps_at_a_time_is_that_of_all(
    cell, rows, units, count, time_first, threads, monkeypatch
):
    """Steps of one call are those of two: where the next W x is made leaves no trace."""
    threads(count)
    monkeypatch.setattr(native_plain, "MOST", 1 << 40)
    torch.manual_seed(0)
    layer, steps, cut = Recurrent(cell, I, units), 60, 41
    x = torch.randn(rows, steps, I)
    if time_first:
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    with use("native"), torch.no_grad():
        y, final = layer(x)
        first, between = layer(x[:, :cut])
        second, last = layer(x[:, cut:], between)
        short, _ = layer(x, lengths=[cut] * rows)
    assert torch.equal(y, torch.cat([first, second], 1))
    assert all(map(torch.equal, final[0], last[0]))
    assert torch.equal(short[:, :cut], first)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", [LSTM, GRU])
def test_w_x_by_another_thread_is_that_of_one(cell, bidirectional, rows, threads):
    torch.manual_seed(0)
    layer = Recurrent(cell, 64, 64, bidirectional=bidirectional)
    x = torch.randn(100, rows, 64).transpose(0, 1).requires_grad_()
    found = []
    for count in (1, 2):
        threads(count)
        with use("native"):
            y = layer(x)[0]
            found.append([y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])])
    assert all(map(torch.equal, *found))
    with use("reference"):
        assert_close(found[1][0], layer(x)[0], terms=100 * 64)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_drop_ins_take_and_give_their_own_layout(name, bias, batch_first, monkeypatch):
    torch.manual_seed(0)
    layer = getattr(elman.nn, name)(I, H, bias=bias, batch_first=batch_first)
    x = torch.randn(*((B, T) if batch_first else (T, B)), I, requires_grad=True)
    seen = []
    plain = native_plain.layer
    monkeypatch.setattr(native_plain, "layer", lambda *a: seen.append(1) or plain(*a))

    def run(hx):
        with use("native"):
            y, final = layer(x, hx)
        final = final if isinstance(final, tuple) else (final,)
        up = [torch.ones_like(o) for o in (y, *final)]
        return [y, *final, *torch.autograd.grad((y, *final), [x, *layer.parameters()], up)]

    states = [torch.randn(1, B, H) for _ in range(1 + (name == "LSTM"))]
    hx = tuple(states) if name == "LSTM" else states[0]
    found = [run(None), run(hx)]
    assert len(seen) == 2
    with use("reference"):
        layer(x, hx)
    assert len(seen) == 2
    monkeypatch.setattr(native_plain, "MOST", 0)
    by_torch = [run(None), run(hx)]
    monkeypatch.setattr(native_plain, "serves", lambda _: False)
    monkeypatch.setattr(native_plain, "fits", lambda _: False)
    for others in (by_torch, [run(None), run(hx)]):
        for one, other in zip(found, others, strict=True):
            for a, b in zip(one, other, strict=True):
                assert a.shape == b.shape
                assert_close(a, b, terms=TERMS)


@pytest.mark.parametrize("most", [0, native_plain.MOST])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", [LSTM, GRU, cells.MinGRU])
def test_what_lies_in_memory_time_first_comes_out_so(cell, reverse, most, monkeypatch):
    monkeypatch.setattr(native_plain, "MOST", most)
    layer, x, state = made(cell, bidirectional=reverse)
    turned = x.detach().transpose(0, 1).contiguous().requires_grad_()
    with use("native"):
        found = outcome(layer, x, state)
        x_turned = turned.transpose(0, 1)
        other = outcome(layer, x_turned, state)
        if not reverse:
            assert layer(x, state)[0].is_contiguous()
            assert layer(x_turned, state)[0].transpose(0, 1).is_contiguous()
    for name, value in found.items():
        assert_close(other[name], value, terms=TERMS, what=name)


def test_gradients_that_nobody_wants_are_not_made():
    layer, x, state = made(GRU)
    layer.weight_hh_l0.requires_grad_(False)
    layer.bias_ih_l0.requires_grad_(False)
    with use("native"):
        layer(x.detach(), state)[0].sum().backward()
    assert layer.weight_hh_l0.grad is None
    assert layer.bias_ih_l0.grad is None
    expected = layer.weight_ih_l0.grad.clone()
    layer.weight_ih_l0.grad = None
    with use("reference"):
        layer(x.detach(), state)[0].sum().backward()
    assert_close(layer.weight_ih_l0.grad, expected, terms=TERMS)


def test_tensors_that_are_not_dense():
    layer, _, state = made(LSTM)
    wide = torch.randn(B, T, 2 * I)[..., ::2]
    layer.weight_hh_l0.data = torch.randn(H, 4 * H).t()
    with use("native"):
        found = layer(wide, state)[0]
    with use("reference"):
        assert_close(found, layer(wide, state)[0], terms=TERMS)


def test_large_outputs_are_the_same(monkeypatch):
    layer, x, state = made(GRU)
    with use("native"):
        expected = outcome(layer, x, state)
        asked, lend = [], native.lend
        monkeypatch.setattr(Room, "LARGE", 1)
        monkeypatch.setattr(native, "lend", lambda *a: asked.append(a[1]) or lend(*a))
        found = outcome(layer, x, state)
    weights = sorted(p.numel() for p in layer.parameters())
    assert {B * T * H, B * T * I, *weights} <= set(asked)  # y, x's gradient and those of weights
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_what_a_caller_holds_is_not_lent_again():
    layer, x = elman.nn.LSTM(256, 256), torch.randn(40, 32, 256)  # each of y, dx, dW and dU is lent
    held = []
    for _ in range(3):
        x = x.detach().requires_grad_()
        y = layer(x)[0]
        held.append([y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])])
    for later in held[1:]:
        assert all(torch.equal(a, b) for a, b in zip(held[0], later, strict=True))
    addresses = [t.data_ptr() for some in held for t in some]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("units", [4096, 4097])
@pytest.mark.parametrize("cell", [cells.MinGRU, cells.LRU], ids=lambda c: c.__name__)
def test_arrays_beyond_caches_are_those_of_each_row(cell, units):
    rows, steps = 4, 257  # 16 MiB in all; 4,097 floats are no whole number of vectors
    layer = Recurrent(cell, 1, units)
    x = torch.randn(rows, steps, 1, requires_grad=True)
    up = torch.randn(rows, steps, layer.output_size)

    def gradients(x, up):
        state = tuple(s.detach().requires_grad_() for s in layer.initial_state(len(x))[0])
        y = layer(x, (cell.State(*state),))[0]
        return y, *torch.autograd.grad(y, [x, *state, *layer.parameters()], up)

    with use("native"):
        found = gradients(x, up)
        each = [gradients(one, d) for one, d in zip(x.split(1), up.split(1), strict=True)]
    apart = 2 + len(cell.state)  # what has a row for each of x
    for k, (whole, *parts) in enumerate(zip(found, *each, strict=True)):
        if k < apart:
            assert torch.equal(whole, torch.cat(parts))
        else:
            assert_close(whole, sum(parts), terms=rows * steps)


READ_OUT = (cells.HGRN, cells.LRU)


@pytest.mark.parametrize("cell", READ_OUT, ids=lambda c: c.__name__)
def test_an_output_that_is_no_state_may_be_changed_in_place(cell):
    layer, x, state = made(cell)
    with use("native"):
        layer(x, state)[0].mul_(2).sum().backward()
    with use("reference"):
        expected = torch.autograd.grad((2 * layer(x, state)[0]).sum(), x)[0]
    assert_close(x.grad, expected, terms=TERMS)


@pytest.mark.parametrize("most", [0, native_plain.MOST])
def test_what_one_pass_keeps_no_other_takes(most, monkeypatch):
    monkeypatch.setattr(native_plain, "MOST", most)
    torch.manual_seed(0)
    layer = elman.nn.LSTM(32, 64)
    inputs = [torch.randn(100, 8, 32) for _ in range(3)]  # over 1 MiB each, which is lent

    def gradients(x, y):
        return torch.autograd.grad(y.square().sum(), layer.weight_hh_l0)[0]

    with use("reference"):
        expected = [gradients(x, layer(x)[0]) for x in inputs]
    with use("native"):
        for _ in range(2):
            outputs = [layer(x)[0] for x in inputs]
            for x, y, right in zip(inputs, outputs, expected, strict=True):
                assert_close(gradients(x, y), right, terms=800 * 96 * 4)
            del outputs, y


def test_an_output_that_was_read_may_not_be_changed_in_place():
    layer, x, state = made(RNN)
    with use("native"):
        y = layer(x, state)[0]
        y.mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


@pytest.mark.parametrize("cell", [GRU, LSTM, cells.MinGRU])
def test_second_derivatives_and_several_gradients_at_once(cell):
    layer, x, state = made(cell, torch.float64)

    def run(x, *leaves):
        with use("native"):
            y, final = layer(x, (cell.State(*leaves),))
        return (y, *final[0])

    assert gradgradcheck(run, (x, *state[0]), atol=1e-6)
    y = run(x, *state[0])[0]
    up = torch.randn(4, *y.shape, dtype=torch.float64)
    many = torch.autograd.grad(y, x, up, is_grads_batched=True, retain_graph=True)[0]
    for one, u in zip(many, up, strict=True):
        assert_close(one, torch.autograd.grad(y, x, u, retain_graph=True)[0], terms=TERMS)


OPTIONS = {
    "reset": ({}, {"reset": torch.zeros(B, T, dtype=torch.bool)}),
    "clip_steps": ({"clip_steps": 1.0}, {}),
    "zoneout": ({"zoneout": 0.5}, {}),
    "proj_size": ({"proj_size": 4}, {}),
    "state_dropout": ({"state_dropout": 0.5}, {}),
    "states": ({}, {"states": True}),
}


@pytest.mark.parametrize(("made_with", "called_with"), OPTIONS.values(), ids=OPTIONS)
def test_options_go_another_way(made_with, called_with):
    layer = Recurrent(LSTM, I, H, **made_with)
    assert not native_plain.fits(call_of(layer, torch.zeros(B, T, I), **called_with))


@pytest.mark.parametrize("shape", [(0, T, I), (B, 0, I)])
def test_calls_without_values_go_another_way(shape):
    x = torch.zeros(shape)
    assert not native_plain.serves(x)
    assert not native_plain.fits(call_of(Recurrent(LSTM, I, H), x))
