"""`Recurrent` as a citizen of torch: copies, files, functional calls, compilation, export."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrizations

from elman.cells import GRU, LSTM, RNN, Cell, RNNReLU
from elman.nn import Recurrent
from elman.ops import tanh

B, T, I, H = 3, 4, 4, 6  # noqa: E741
TWINS = {RNN: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM}


class Leaky(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return 0.9 * s.h + 0.1 * tanh(x.n + u.n)


@pytest.mark.parametrize("cell", TWINS)
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"bidirectional": True}], ids=str)
def test_names_and_values_are_torchs(cell, options) -> None:
    layer, twin = (
        Recurrent(cell, I, H, 2, **options),
        TWINS[cell](I, H, 2, batch_first=True, **options),
    )
    ours, theirs = layer.state_dict(), twin.state_dict()
    assert {n: p.shape for n, p in ours.items()} == {n: p.shape for n, p in theirs.items()}
    twin.load_state_dict(ours)
    x = torch.randn(B, T, I)
    torch.testing.assert_close(layer(x)[0], twin(x)[0])


@pytest.mark.parametrize("cell", [LSTM, Leaky])
def test_copies_are_independent(cell) -> None:
    layer, x = Recurrent(cell, I, H), torch.randn(B, T, I)
    expected = layer(x)[0]
    twin = copy.deepcopy(layer)
    nn.init.zeros_(twin.weight_ih_l0)
    assert torch.equal(layer(x)[0], expected)
    assert not torch.equal(twin(x)[0], expected)


def test_pickle_and_torch_save() -> None:
    layer, x = Recurrent(LSTM, I, H, zoneout=0.1).eval(), torch.randn(B, T, I)
    again = pickle.loads(pickle.dumps(layer))
    assert torch.equal(again(x)[0], layer(x)[0])
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    fresh = Recurrent(LSTM, I, H, zoneout=0.1).eval()
    fresh.load_state_dict(torch.load(file))
    assert torch.equal(fresh(x)[0], layer(x)[0])


@pytest.mark.parametrize("cell", [LSTM, Leaky])
def test_functional_call(cell) -> None:
    layer, x = Recurrent(cell, I, H), torch.randn(B, T, I)
    twin = Recurrent(cell, I, H)
    y, _ = functional_call(layer, dict(twin.named_parameters()), (x,))
    torch.testing.assert_close(y, twin(x)[0])


@pytest.mark.parametrize("cell", [LSTM, Leaky])
def test_an_orthogonal_u_stays_orthogonal_in_training(cell) -> None:
    layer = Recurrent(RNN if cell is LSTM else cell, I, H)
    parametrizations.orthogonal(layer, "weight_hh_l0")
    optimizer = torch.optim.SGD(layer.parameters(), 0.5)
    before = layer.weight_hh_l0.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        layer(torch.randn(B, T, I))[0].square().sum().backward()
        optimizer.step()
    after = layer.weight_hh_l0.detach()
    assert not torch.equal(after, before)
    torch.testing.assert_close(after @ after.T, torch.eye(H), atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes(dtype) -> None:
    layer = Recurrent(Leaky, I, H, 2, bidirectional=True, dtype=dtype)
    y, state = layer(torch.randn(B, T, I, dtype=dtype), lengths=[1, 0, T])
    assert y.dtype == state[0].h.dtype == dtype
    assert layer.to(torch.float32)(torch.randn(B, T, I))[0].dtype == torch.float32


@pytest.mark.parametrize("cell", [LSTM, Leaky])
def test_the_meta_device_gives_shapes(cell) -> None:
    layer = Recurrent(cell, I, H, 2, device="meta")
    y, state = layer(torch.empty(B, T, I, device="meta"))
    assert y.shape == (B, T, H)
    assert state[1].h.shape == (B, H)


@pytest.mark.parametrize("cell", [LSTM, Leaky])
def test_autocast(cell) -> None:
    layer, x = Recurrent(cell, I, H), torch.randn(B, T, I)
    with torch.autocast("cpu", torch.bfloat16):
        y, state = layer(x)
        y, _ = layer(x, state)
    torch.testing.assert_close(y.float(), layer(x, layer(x)[1])[0], atol=0.05, rtol=0.05)


def test_weights_written_through_data_are_used() -> None:
    layer, x = Recurrent(LSTM, I, H), torch.randn(B, T, I)
    before = layer(x)[0]
    layer.weight_hh_l0.data.mul_(2)
    assert not torch.equal(layer(x)[0], before)


# --- compilation ---------------------------------------------------------------------------------

CALLS = {
    "plain": {},
    "lengths": {"lengths": torch.tensor([T, 2, 0])},
    "reset": {"reset": torch.arange(B * T).reshape(B, T) % 4 == 1},
}


# The second back end is slow, so it sees what differs most.
BACKENDS = [(c, call, "eager") for c in (LSTM, Leaky) for call in CALLS]
BACKENDS += [(LSTM, "lengths", "aot_eager"), (Leaky, "reset", "aot_eager")]


@pytest.mark.plain_code
@pytest.mark.parametrize(("cell", "call", "backend"), BACKENDS)
def test_compiles_as_one_graph(cell, call, backend) -> None:
    torch._dynamo.reset()
    layer, x = Recurrent(cell, I, H), torch.randn(B, T, I, requires_grad=True)

    def run(x):
        y, state = layer(x, **CALLS[call])
        return y, layer.last(state)

    expected = run(x)
    compiled = torch.compile(run, fullgraph=True, backend=backend)(x)
    for a, b in zip(compiled, expected, strict=True):
        torch.testing.assert_close(a, b)
    grads = [torch.autograd.grad(r[0].sum() + r[1].sum(), x)[0] for r in (compiled, expected)]
    torch.testing.assert_close(*grads)


@pytest.mark.plain_code
@pytest.mark.parametrize("cell", [RNN, RNNReLU, GRU, LSTM, Leaky])
def test_exports_for_any_batch(cell) -> None:
    """The number of steps is fixed: torch.export unrolls every loop over time, ATen's too."""
    layer, x = Recurrent(cell, I, H).eval(), torch.randn(B, T, I)
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(layer, (x,), dynamic_shapes={"x": {0: batch}})
    wide = torch.randn(B + 4, T, I)
    torch.testing.assert_close(program.module()(wide)[0], layer(wide)[0])


@pytest.mark.plain_code
@pytest.mark.parametrize("call", CALLS)
def test_exports_lengths_and_reset(call) -> None:
    layer, x = Recurrent(LSTM, I, H).eval(), torch.randn(B, T, I)
    program = torch.export.export(layer, (x,), CALLS[call])
    torch.testing.assert_close(program.module()(x, **CALLS[call])[0], layer(x, **CALLS[call])[0])
