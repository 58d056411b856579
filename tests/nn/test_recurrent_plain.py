"""The short way of a single layer: the bits of the long way, and not where it must not go."""

import pytest
import torch

from elman.cells import GRU, LRU, LSTM, Cell, CfC, MinGRU
from elman.engine import explain, native_plain, use
from elman.nn import Recurrent
from elman.nn.recurrent_plain import compiled
from elman.ops import sigmoid, tanh
from elman_runtime import native

pytestmark = pytest.mark.skipif(not native.available, reason="no compiled module")

B, T, I, H = 3, 7, 4, 9  # noqa: E741


class Own(Cell):
    gates = ("f", "n")

    def update(x, u, s, p):
        f = sigmoid(x.f + u.f)
        return s.h + f * (tanh(x.n + u.n(f * s.h)) - s.h)


def passes(layer: Recurrent, x: torch.Tensor, state) -> list[torch.Tensor]:
    """Output, state and all gradients."""
    x = x.detach().requires_grad_()
    y, final = layer(x, state)
    found = [y, *final[0]]
    wanted = [x, *layer.parameters(), *(() if state is None else state[0])]
    up = [torch.linspace(-1, 1, v.numel(), dtype=v.dtype).view(v.shape) for v in found]
    return [*found, *torch.autograd.grad(found, wanted, up)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("start", ["zero", "learned", "given"])
@pytest.mark.parametrize("cell", [Own, GRU, LSTM, MinGRU, LRU], ids=lambda c: c.__name__)
def test_it_gives_the_bits_of_the_long_way(cell, start, dtype, monkeypatch) -> None:
    torch.manual_seed(0)
    layer = Recurrent(cell, I, H, learn_initial_state=start == "learned", dtype=dtype)
    x, state = torch.randn(B, T, I, dtype=dtype), None
    if start == "given":
        leaves = (torch.randn_like(s, requires_grad=True) for s in layer.initial_state(B)[0])
        state = (cell.State(*leaves),)
    with use("native"):
        assert compiled(layer, x, state) is not None
        short = passes(layer, x, state)
        monkeypatch.setattr("elman.nn.recurrent.compiled", lambda *_: None)
        long = passes(layer, x, state)
    assert all(torch.equal(a, b) for a, b in zip(short, long, strict=True))


X = torch.randn(B, T, I)
REFUSED = {
    "two layers": (Recurrent(GRU, I, H, 2), X, None),
    "two directions": (Recurrent(GRU, I, H, bidirectional=True), X, None),
    "a projected state": (Recurrent(LSTM, I, H, proj_size=2), X, None),
    "dropout": (Recurrent(GRU, I, H, state_dropout=0.5), X, None),
    "zoneout": (Recurrent(GRU, I, H, zoneout=0.5), X, None),
    "clipped steps": (Recurrent(GRU, I, H, clip_steps=1.0), X, None),
    "another engine": (Recurrent(GRU, I, H, engine="reference"), X, None),
    "a cell with inputs of its own": (Recurrent(CfC, I, H), X, None),
    "no step": (Recurrent(GRU, I, H), X[:, :0], None),
    "no row": (Recurrent(GRU, I, H), X[:0], None),
    "one axis less": (Recurrent(GRU, I, H), X[0], None),
    "another width": (Recurrent(GRU, I + 1, H), X, None),
    "another dtype": (Recurrent(GRU, I, H), X.double(), None),
    "half precision": (Recurrent(GRU, I, H, dtype=torch.bfloat16), X.bfloat16(), None),
    "a state of another dtype": (Recurrent(GRU, I, H), X, (GRU.State(torch.zeros(B, H).double()),)),
    "a state of other rows": (Recurrent(GRU, I, H), X, (GRU.State(torch.zeros(1, H)),)),
    "a state of two layers": (Recurrent(GRU, I, H), X, (GRU.State(torch.zeros(B, H)),) * 2),
    "a bare tensor as state": (Recurrent(GRU, I, H), X, torch.zeros(B, H)),
    "another device": (Recurrent(GRU, I, H), X.to("meta"), None),
    "a single step of torch's cell": (Recurrent(GRU, I, H), X[:, :1], None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_leaves_the_rest_to_the_long_way(name) -> None:
    assert compiled(*REFUSED[name]) is None


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("rows", [1, 8, 32, 33, 64])
@pytest.mark.parametrize("cell", [Own, GRU, LSTM], ids=lambda c: c.__name__)
def test_it_goes_where_the_choice_of_engines_would(cell, rows, learns) -> None:
    layer, x = Recurrent(cell, I, 256), torch.zeros(rows, T, I)
    with torch.set_grad_enabled(learns):
        assert (compiled(layer, x, None) is not None) == (explain(layer, x).chosen == "native")


def test_it_leaves_what_is_forced_cast_or_transformed(monkeypatch) -> None:
    layer = Recurrent(Own, I, H)
    assert compiled(layer, X, None) is not None
    with use("reference"):
        assert compiled(layer, X, None) is None
    with torch.autocast("cpu"):
        assert compiled(layer, X, None) is None
    seen = []
    torch.func.vmap(lambda x: seen.append(compiled(layer, x, None)) or x)(X[None])
    assert seen == [None]
    monkeypatch.setattr(native_plain, "serves", lambda _: False)
    assert compiled(layer, X, None) is None


def test_dropout_is_off_in_evaluation() -> None:
    layer = Recurrent(Own, I, H, state_dropout=0.5)
    assert compiled(layer, X, None) is None
    assert compiled(layer.eval(), X, None) is not None
