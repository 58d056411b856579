"""The native engine under all that people do to a layer: weights changed, gradients taken twice."""

import copy
import io
from dataclasses import replace

import pytest
import torch
from torch.nn.utils.parametrizations import orthogonal
from torch.utils.checkpoint import checkpoint

from elman import engine, nn
from elman.cells import GRU, LSTM, RNN, LayerNormGRU, MinGRU, PeepholeLSTM, RNNReLU
from elman.engine import EngineUnavailable, explain, use
from elman.nn import Recurrent
from elman.testing import assert_close
from elman.testing.case import Arguments, Case, Size, outcome
from elman.testing.sequences import ragged
from elman_runtime import native

pytestmark = pytest.mark.skipif(
    not native.available, reason="elman-runtime was installed without its compiled module"
)
SIZE = Size(5, 4, 3, 7)
B, T, I, H = SIZE  # noqa: E741
TERMS = B * T * (I + H) * 4
CELLS = (GRU, MinGRU, PeepholeLSTM)


def made(cell, dtype=torch.float32, **options) -> tuple[Recurrent, Arguments]:
    """A layer with random weights, and arguments for it."""
    case = Case(cell, SIZE, dtype)
    layer = case.layer(**options)
    return layer, case.arguments(layer)


def native_outcome(layer: Recurrent, a: Arguments) -> dict[str, torch.Tensor]:
    """What the native engine gives, which is what the reference gives."""
    with use("reference"):
        expected = outcome(layer, a)
    with use("native"):
        found = outcome(layer, a)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert_close(value, expected[name], terms=TERMS, what=name)
    return found


def run(layer: torch.nn.Module, x: torch.Tensor, **options) -> torch.Tensor:
    with use("native"):
        return layer(x, **options)[0]


# --- weights that change -------------------------------------------------------------------------


def fused_steps(layer: Recurrent, x: torch.Tensor) -> None:
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
    for _ in range(2):
        optimizer.zero_grad()
        run(layer, x).square().sum().backward()
        optimizer.step()


def data_scaled(layer: Recurrent, x: torch.Tensor) -> None:
    for parameter in layer.parameters():
        parameter.data.mul_(1.5)


def data_replaced(layer: Recurrent, x: torch.Tensor) -> None:
    for parameter in layer.parameters():
        parameter.data = parameter.data + 0.1


def one_number(layer: Recurrent, x: torch.Tensor) -> None:
    layer.weight_ih_l0.detach().numpy()[-1, -1] += 1


@pytest.mark.parametrize("change", [fused_steps, data_scaled, data_replaced, one_number])
@pytest.mark.parametrize("cell", CELLS)
def test_changed_weights_are_seen(cell, change) -> None:
    layer, a = made(cell)
    before = native_outcome(layer, a)
    change(layer, a.x)
    after = native_outcome(layer, a)
    assert not torch.equal(before["outputs"], after["outputs"])


def test_weight_drop() -> None:
    layer, a = made(GRU, weight_drop=0.5)
    assert not torch.equal(run(layer, a.x), run(layer, a.x))
    assert torch.equal(run(layer.eval(), a.x), run(layer, a.x))
    native_outcome(layer, a)


def test_parametrised_weights() -> None:
    layer, a = made(GRU)
    orthogonal(layer, "weight_hh_l0")
    before = native_outcome(layer, a)
    assert "gradient of parametrizations.weight_hh_l0.original" in before
    fused_steps(layer, a.x)
    assert not torch.equal(before["outputs"], native_outcome(layer, a)["outputs"])


def test_functional_call() -> None:
    layer, a = made(LSTM)
    other, _ = made(LSTM)
    weights = {name: p.detach().requires_grad_() for name, p in other.named_parameters()}
    with use("native"):
        found = torch.func.functional_call(layer, weights, (a.x,))[0]
    assert torch.equal(found, run(other, a.x))
    found.sum().backward()
    run(other, a.x).sum().backward()
    for name, parameter in other.named_parameters():
        assert torch.equal(weights[name].grad, parameter.grad)


def test_a_copy_and_a_file_have_weights_of_their_own() -> None:
    layer, a = made(PeepholeLSTM)
    expected = native_outcome(layer, a)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    others = copy.deepcopy(layer), torch.load(file, weights_only=False)
    data_scaled(layer, a.x)
    for other in others:
        found = native_outcome(other, a)
        assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(mode) -> None:
    layer, a = made(LSTM)
    expected = run(layer, a.x)
    with mode():
        found = run(layer, a.x)
        data_scaled(layer, a.x)
        changed = run(layer, a.x)
    assert torch.equal(found, expected)
    assert not found.requires_grad
    assert not torch.equal(changed, expected)


# --- gradients -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "options"),
    [(LSTM, {"proj_size": 2}), (LSTM, {"bidirectional": True}), (LayerNormGRU, {})],
)
def test_second_derivatives(cell, options) -> None:
    case = Case(cell, Size(2, 2, 1, 3), torch.float64)
    layer = case.layer(**options)
    a = ragged(case.arguments(layer))
    reset = torch.tensor([[True, False], [False, True]])
    names = [name for name, _ in layer.named_parameters()]

    def call(x, *weights):
        state = layer.initial_state(2)
        whole = dict(zip(names, weights, strict=True))
        options = {"lengths": [2, 1], "reset": reset}
        y, final = torch.func.functional_call(layer, whole, (x, state), options)
        return y, final[0][-1]

    given = [a.x.requires_grad_(), *(p.detach().requires_grad_() for p in layer.parameters())]
    with use("native"):
        assert torch.autograd.gradcheck(call, given)
        assert torch.autograd.gradgradcheck(call, given)


def test_one_tensor_at_two_places_has_the_gradient_of_both() -> None:
    layer, a = made(LSTM)
    both = torch.randn_like(a.state[0].h).requires_grad_()
    found = []
    for name in ("native", "reference"):
        with use(name):
            y, _ = layer(a.x, (LSTM.State(both, both),))
        found.append(torch.autograd.grad(y.sin().sum(), both, create_graph=True)[0])
    assert_close(*found, terms=1000)


def test_one_part_of_the_result_is_enough() -> None:
    layer, a = made(LSTM, bidirectional=True)
    parts = {
        "output": lambda y, final, kept: y,
        "final h": lambda y, final, kept: final[0].h,
        "final c": lambda y, final, kept: final[1].c,
        "every h": lambda y, final, kept: kept[0].h,
        "every c": lambda y, final, kept: kept[1].c,
    }
    for name, part in parts.items():
        grads = {}
        for one in ("native", "reference"):
            with use(one):
                found = part(*layer(a.x, a.state, states=True))
                total = (found * torch.arange(found.numel()).reshape(found.shape)).sum()
            weights = list(layer.parameters())
            grads[one] = torch.autograd.grad(total, weights, materialize_grads=True)
        for (weight, _), g, e in zip(layer.named_parameters(), *grads.values(), strict=True):
            assert_close(g, e, terms=TERMS, what=f"of {name}: {weight}")


def test_backward_twice() -> None:
    layer, a = made(GRU)
    y = run(layer, a.x).square().sum()
    once = torch.autograd.grad(y, list(layer.parameters()), retain_graph=True)
    again = torch.autograd.grad(y, list(layer.parameters()))
    assert all(map(torch.equal, once, again))
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(y, list(layer.parameters()))


def test_what_was_saved_is_guarded() -> None:
    layer, a = made(GRU)
    y = run(layer, a.x)
    with torch.no_grad():
        layer.weight_hh_l0.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("cell", CELLS)
def test_some_gradients_alone_are_what_they_are_among_all(cell) -> None:
    layer, a = made(cell)
    expected = native_outcome(layer, a)
    for wanted in [name for name, _ in layer.named_parameters()]:
        for name, parameter in layer.named_parameters():
            parameter.requires_grad_(name == wanted)
        found = native_outcome(layer, a)
        assert torch.equal(found[f"gradient of {wanted}"], expected[f"gradient of {wanted}"])
    layer.requires_grad_(False)
    assert torch.equal(native_outcome(layer, a)["gradient of x"], expected["gradient of x"])


def test_no_gradient_of_the_input() -> None:
    layer, a = made(LSTM)
    expected = native_outcome(layer, replace(a, state=None))
    total = (run(layer, a.x) * a.grad_y).sum()
    total.backward()
    assert a.x.grad is None
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in layer.parameters())
    assert expected["gradient of x"].abs().max() > 0


def test_several_gradients_at_once() -> None:
    layer, a = made(LSTM)
    y, weights = run(layer, a.x), list(layer.parameters())
    above = torch.randn(3, *y.shape)
    found = torch.autograd.grad(y, weights, above, is_grads_batched=True, retain_graph=True)
    for k, one in enumerate(above):
        expected = torch.autograd.grad(y, weights, one, retain_graph=True)
        for g, e in zip(found, expected, strict=True):
            assert_close(g[k], e, terms=TERMS)


def test_checkpointing() -> None:
    layer, a = made(LSTM)
    grads = []
    for reentrant in (None, False, True):
        x = a.x.clone().requires_grad_()
        with use("native"):
            if reentrant is None:
                y = layer(x)[0]
            else:
                y = checkpoint(lambda x: layer(x)[0], x, use_reentrant=reentrant)
            layer.zero_grad()
            y.square().sum().backward()
        grads.append([x.grad, *(p.grad for p in layer.parameters())])
    for found in grads[1:]:
        assert all(map(torch.equal, found, grads[0]))


# --- odd arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_arguments_of_any_layout(cell) -> None:
    layer, a = made(cell)
    expected = native_outcome(layer, a)
    assert a.state is not None
    for weight in layer.parameters():
        weight.data = torch.stack([weight.data, weight.data], -1)[..., 0]
        assert not weight.is_contiguous()
    strided = replace(
        a,
        x=a.x.transpose(0, 2).contiguous().transpose(0, 2),
        state=(type(a.state[0])(*(s.t().contiguous().t() for s in a.state[0])),),
        grad_y=a.grad_y.flip(1).contiguous().flip(1).mT.contiguous().mT,
    )
    found = native_outcome(layer, strided)
    for name, value in expected.items():
        assert_close(found[name], value, terms=TERMS, what=name)


def test_a_gradient_from_above_that_is_expanded() -> None:
    layer, a = made(GRU)
    x = a.x.requires_grad_()
    (found,) = torch.autograd.grad(run(layer, x).sum(), x)
    with use("reference"):
        (expected,) = torch.autograd.grad(layer(x)[0].sum(), x)
    assert_close(found, expected, terms=TERMS)


def test_many_rows_and_steps_of_few_units() -> None:
    layer = Recurrent(GRU, 1, 3)
    x, lengths = torch.randn(4099, 31, 1), torch.randint(0, 32, (4099,))
    grads = []
    for one in ("native", "reference"):
        with use(one):
            y, (final,) = layer(x, lengths=lengths)
        found = torch.autograd.grad(y.square().sum() + final.h.sum(), list(layer.parameters()))
        grads.append([y, final.h, *found])
    for g, e in zip(*grads, strict=True):
        assert_close(g, e, terms=4099 * 31 * 12)


# --- numbers of other kinds ----------------------------------------------------------------------


@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_autocast_runs_in_single_precision(given) -> None:
    layer, a = made(MinGRU)
    x = a.x.to(given).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        assert explain(layer, x).chosen == "native"
        y = layer(x)[0]
    assert y.dtype == torch.float32
    assert torch.equal(y, run(layer, x.float()))
    (found,) = torch.autograd.grad(y.sum(), x)
    assert found.dtype == given


@pytest.mark.parametrize("name", ["RNN", "RNNReLU", "GRU", "LSTM"])
def test_under_autocast_atens_cells_give_what_torch_gives(name) -> None:
    kind = {"nonlinearity": "relu"} if name == "RNNReLU" else {}
    ours = getattr(nn, name.removesuffix("ReLU"))(I, H, batch_first=True, **kind)
    theirs = getattr(torch.nn, name.removesuffix("ReLU"))(I, H, batch_first=True, **kind)
    theirs.load_state_dict(ours.state_dict())
    any_cell = Recurrent({"RNNReLU": RNNReLU, "RNN": RNN, "GRU": GRU, "LSTM": LSTM}[name], I, H)
    any_cell.load_state_dict(ours.state_dict())
    x = torch.randn(B, T, I)
    with torch.autocast("cpu", torch.bfloat16):
        assert explain(any_cell, x).chosen == "torch"
        expected = theirs(x)[0]
        for found in (ours(x)[0], any_cell(x)[0]):
            assert found.dtype == expected.dtype
            assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused(dtype) -> None:
    layer = Recurrent(MinGRU, I, H, dtype=dtype)
    x = torch.zeros(B, T, I, dtype=dtype)
    assert explain(layer, x).chosen == "reference"
    with pytest.raises(EngineUnavailable, match=r"knows float32 and float64, .*use float32"):
        run(layer, x)


def test_mixed_precision_is_refused() -> None:
    layer = Recurrent(PeepholeLSTM, I, H)
    call = layer.first_call(torch.zeros(B, T, I))
    wide = {name: value.double() for name, value in call.weights.params.items()}
    for mixed in (
        replace(call, x=call.x.double()),
        replace(call, state=LSTM.State(*(s.double() for s in call.state))),
        replace(call, weights=replace(call.weights, params=wide)),
    ):
        with pytest.raises(EngineUnavailable, match="one of them for everything"):
            engine.run(mixed, "native")


def test_other_devices_are_refused() -> None:
    layer = Recurrent(GRU, I, H, device="meta")
    with pytest.raises(EngineUnavailable, match="it runs on a CPU, not on meta"):
        run(layer, torch.zeros(B, T, I, device="meta"))


def test_without_the_compiled_module(monkeypatch) -> None:
    monkeypatch.setattr(native, "available", False)
    with pytest.raises(EngineUnavailable) as caught:
        run(Recurrent(GRU, I, H), torch.zeros(B, T, I))
    assert str(caught.value) == (
        "engine 'native' was asked for and cannot run this: elman-runtime was installed without "
        "its compiled module. Either install a C++ compiler, or leave engine=None."
    )


def test_states_beyond_a_length() -> None:
    layer, a = made(GRU)
    kept = []
    for one in ("native", "reference"):
        with use(one), torch.no_grad():
            kept.append(layer(a.x, lengths=[4, 2, 0, 1, 3], states=True)[2][0].h)
    assert_close(*kept, terms=TERMS)
