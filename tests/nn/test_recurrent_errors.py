"""What `Recurrent` refuses, and what it says."""

import pytest
import torch

from elman.cells import GRU, LSTM, Cell
from elman.nn import Recurrent
from elman.ops import exp, tanh

B, T, I, H = 2, 4, 3, 5  # noqa: E741


class Timed(Cell):
    gates = ("n",)
    inputs = ("dt",)

    def update(x, u, s, p):
        return exp(-x.dt) * s.h + tanh(x.n + u.n)


class Raw(Cell):
    gates = ("n",)
    inputs = ("raw",)

    def update(x, u, s, p):
        return tanh(x.n + u.n) + x.raw


class Two(Raw):
    def read(s, x, p):
        return s.h, -s.h


@pytest.mark.errors
@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("lsmt", I, H), {}, ValueError, "no cell is called 'lsmt'"),
        ((3, I, H), {}, TypeError, "cell must be a Cell class, its name, or a module"),
        ((GRU, 0, H), {}, ValueError, "input_size: must be a whole number from 1 up, got 0"),
        ((GRU, I, 2.0), {}, ValueError, "hidden_size: must be a whole number from 1 up, got 2.0"),
        ((GRU, I, True), {}, ValueError, "hidden_size: must be a whole number from 1 up, got True"),
        ((GRU, I, H, 0), {}, ValueError, "layers: must be a whole number from 1 up, got 0"),
        ((LSTM, I, H), {"proj_size": -1}, ValueError, "proj_size: must be a whole number from 0"),
        ((LSTM, I, H), {"proj_size": H}, ValueError, "proj_size: must be smaller than hidden_size"),
        ((GRU, I, H), {"dropout": 1.0}, ValueError, "dropout: must be a share from 0 to below 1"),
        ((GRU, I, H), {"weight_drop": -0.1}, ValueError, "weight_drop: must be a share"),
        ((GRU, I, H), {"state_dropout": "x"}, ValueError, "state_dropout: must be a share"),
        ((GRU, I, H), {"zoneout": 1}, ValueError, r"zoneout\['h'\]: must be a share"),
        ((GRU, I, H), {"zoneout": {"c": 0.1}}, ValueError, "zoneout: 'c' is none of the states"),
        ((GRU, I, H), {"constants": {"k": 1.0}}, ValueError, r"constants: GRU has \(\), got 'k'"),
        (
            (GRU, I, H),
            {"engine": "fast"},
            ValueError,
            "engine: must be one of native, torch, reference",
        ),
        ((Raw, I, H), {}, ValueError, "Raw reads x.raw, which needs input_size = hidden_size"),
        ((Two, H, H, 2), {}, ValueError, "layers: Two reads x.raw, so a second layer needs"),
        ((Raw, H, H, 2), {"bidirectional": True}, ValueError, "they are 10 wide"),
    ],
)
def test_a_layer_that_cannot_be(arguments, options, error, message) -> None:
    with pytest.raises(error, match=message):
        Recurrent(*arguments, **options)


def mistaken(**attributes):
    body = {"gates": ("n",), "update": lambda x, u, s, p: tanh(x.n + u.n)} | attributes
    return type(Cell)("Mine", (Cell,), body)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"gates": ()}, "Mine has no gates, so no input enters it"),
        ({"update": lambda x, u, s, p: tanh(x.z)}, "Mine: a trial step fails: .*'z'"),
        ({"update": lambda x, u, s, p: tanh(u.q + x.n)}, "Mine.update reads u.q; recurrent gates"),
        ({"update": lambda x, u, s, p: s.q + x.n}, "Mine: a trial step fails: .*'q'"),
        ({"update": lambda x, u, s, p: p.q + x.n}, "Mine: a trial step fails: .*'q'"),
        ({"update": lambda x, u, s, p: (x.n, x.n)}, "Mine.update must return 1 values"),
        ({"state": ("h", "c")}, r"must return 2 values, in the order of state = \('h', 'c'\)"),
        ({"update": lambda x, u, s, p: x.n[:, :1] + 0 * u.n[:, :1]}, "Mine: "),
        ({"update": lambda x, u, s, p: x.n[:, :1]}, "state h becomes 1 wide, not 5"),
        ({"recurrent": ()}, "Mine.update reads u.n; recurrent gates are"),
    ],
)
def test_a_mistake_in_the_equations_is_found_when_the_layer_is_made(attributes, message) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        Recurrent(mistaken(**attributes), I, H)


@pytest.fixture
def layer() -> Recurrent:
    return Recurrent(LSTM, I, H, 2)


@pytest.mark.errors
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (torch.zeros(B, T, I + 1), ValueError, r"x must be \(batch, time, input_size=3\), got"),
        (torch.zeros(T, I), ValueError, r"For one sequence write x\[None\]"),
        (torch.zeros(B, T, I).double(), TypeError, r"write x.to\(torch.float32\)"),
        (torch.zeros(B, T, I).long(), TypeError, "x is torch.int64 and the layer torch.float32"),
        (torch.zeros(B, T, I, device="meta"), ValueError, r"write x.to\('cpu'\)"),
    ],
)
def test_an_input_that_does_not_fit(layer, x, error, message) -> None:
    with pytest.raises(error, match=message):
        layer(x)


def state_of(*shapes, dtype=torch.float32):
    return tuple(LSTM.State(*(torch.zeros(s, dtype=dtype) for s in shapes)) for _ in range(2))


@pytest.mark.errors
@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (torch.zeros(B, H), ValueError, "state must be a tuple of 2, one for each of l0, l1"),
        (state_of((B, H), (B, H))[:1], ValueError, "state must be a tuple of 2"),
        (state_of((B, H), (1, H)), ValueError, r"state of l0: must have shapes \[\(2, 5\), "),
        (state_of((B, H), (B, H + 1)), ValueError, r"got \[\(2, 5\), \(2, 6\)\]"),
        (state_of((B, H)[:2], (B, H), dtype=torch.float64), TypeError, "torch.float64"),
        ((None, None), (ValueError, TypeError), "state"),
        ((torch.zeros(B, H), torch.zeros(B, H)), (ValueError, TypeError), "state"),
    ],
)
def test_a_state_that_does_not_fit(layer, state, error, message) -> None:
    with pytest.raises(error, match=message):
        layer(torch.zeros(B, T, I), state)


@pytest.mark.errors
@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({}, TypeError, r"Timed reads 'dt': pass dt=, \(batch, time\)"),
        ({"dt": torch.ones(B, T), "df": torch.ones(B, T)}, TypeError, "reads no input 'df'"),
        ({"dt": torch.ones(B, T + 1)}, ValueError, r"dt must be \(batch, time\) = \(2, 4\)"),
        ({"dt": torch.ones(B, T, H + 1)}, ValueError, "with a last axis of 5, got"),
        ({"dt": torch.ones(B, T).double()}, TypeError, "dt is torch.float64"),
    ],
)
def test_further_inputs_that_do_not_fit(inputs, error, message) -> None:
    with pytest.raises(error, match=message):
        Recurrent(Timed, I, H)(torch.zeros(B, T, I), **inputs)


def test_a_misspelt_argument_is_refused(layer) -> None:
    with pytest.raises(TypeError, match="LSTM reads no input 'length'"):
        layer(torch.zeros(B, T, I), length=torch.tensor([1, 2]))


def test_both_directions_cannot_step() -> None:
    layer = Recurrent(GRU, I, H, bidirectional=True)
    with pytest.raises(ValueError, match="a bidirectional layer needs the whole sequence"):
        layer.step(torch.zeros(B, I), layer.initial_state(B))
