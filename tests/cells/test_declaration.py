"""What a cell may declare, and what is said of a mistake."""

import pickle

import pytest
import torch

import elman
from elman.cells import GRU, LSTM, Cell, builtin, by_name
from elman.ops import tanh


def update(x, u, s, p):
    return tanh(x.n + u.n)


def declare(**attributes):
    body = {"gates": ("n",), "update": update, "__module__": __name__} | attributes
    return type(Cell)("Mine", (Cell,), {k: v for k, v in body.items() if v is not None})


def test_what_is_left_out_has_a_default() -> None:
    cell = declare()
    assert cell.state == ("h",)
    assert cell.recurrent == ("n",)
    assert (cell.params, cell.constants, cell.inputs) == ({}, {}, ())
    assert cell.State._fields == ("h",)


@pytest.mark.parametrize(
    ("attributes", "error", "message"),
    [
        ({"gates": "n"}, TypeError, "Mine.gates: a tuple of names is needed, got 'n'"),
        ({"state": ["h"]}, TypeError, r"Mine.state: a tuple of names is needed, got \['h'\]"),
        ({"inputs": "dt"}, TypeError, "Mine.inputs: a tuple of names"),
        ({"recurrent": "n"}, TypeError, "Mine.recurrent: a tuple of names"),
        ({"gates": ("n", "a b")}, ValueError, "Mine.gates: 'a b' is not a usable name"),
        ({"gates": ("n", "lambda")}, ValueError, "Mine.gates: 'lambda' is not a usable name"),
        ({"gates": ("n", "_z")}, ValueError, "Mine.gates: '_z' is not a usable name"),
        ({"params": {"2": None}}, ValueError, "Mine.params: '2' is not a usable name"),
        ({"constants": {"if": 1.0}}, ValueError, "Mine.constants: 'if' is not a usable name"),
        ({"gates": ("n", "n")}, ValueError, r"Mine.gates: a name stands twice in \('n', 'n'\)"),
        ({"state": ()}, ValueError, "Mine.state: a cell needs at least one state"),
        ({"update": None}, TypeError, r"Mine has no update\(x, u, s, p\)"),
        ({"inputs": ("n",)}, ValueError, "Mine: x.n would mean two things"),
        (
            {"params": {"a": None}, "constants": {"a": 1.0}},
            ValueError,
            "Mine: p.a would mean two things",
        ),
        ({"forget_gate": "f"}, ValueError, r"Mine.forget_gate: 'f' is none of gates \('n',\)"),
        ({"input_gate": "i"}, ValueError, "Mine.input_gate: 'i' is none of gates"),
    ],
)
def test_a_mistake_in_a_declaration(attributes, error, message) -> None:
    with pytest.raises(error, match=message):
        declare(**attributes)


@pytest.mark.parametrize("arguments", [(), (3, 5)])
def test_a_cell_is_never_instantiated(arguments) -> None:
    with pytest.raises(TypeError, match=r"Write elman.nn.Recurrent\(GRU, input_size, "):
        GRU(*arguments)


def test_a_cell_made_from_another_takes_its_gates() -> None:
    class Slow(GRU):
        def update(x, u, s, p):
            return s.h + 0.1 * (GRU.update(x, u, s, p) - s.h)

    assert Slow.recurrent == GRU.gates
    assert elman.nn.Recurrent(Slow, 3, 4).weight_hh_l0.shape == (12, 4)


def test_recurrent_follows_the_gates_of_a_subclass() -> None:
    class Wider(GRU):
        gates = ("r", "z", "n", "o")

    assert Wider.recurrent == ("r", "z", "n", "o")


def test_a_state_can_be_pickled() -> None:
    state = LSTM.State(torch.ones(1, 2), torch.zeros(1, 2))
    again = pickle.loads(pickle.dumps(state))
    assert type(again) is LSTM.State
    assert torch.equal(again.h, state.h)


# --- by name -------------------------------------------------------------------------------------


def test_built_in_cells_by_name_in_any_case() -> None:
    for name, cell in builtin().items():
        assert by_name(name) is by_name(name.lower()) is by_name(name.upper()) is cell


def test_a_users_cells_come_first() -> None:
    class Gru(GRU):
        pass

    assert by_name("gru", [Gru]) is Gru
    assert by_name("lstm", [Gru]) is LSTM


def test_an_unknown_name_is_given_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"no cell is called 'lsmt'; known: .*LSTM.* Did you mean LSTM\?"
    ):
        by_name("lsmt")
    with pytest.raises(ValueError, match="known: ") as caught:
        by_name("zzzzzz")
    assert "Did you mean" not in str(caught.value)
