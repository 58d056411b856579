"""What is saved, shared and computed once: counts and forms that the rule gives."""

import textwrap
from pathlib import Path

import pytest

from elman import init
from elman.cells import GRU, LRU, LSTM, RNN, Cell, GRUResetBefore, MinGRU, PeepholeLSTM
from elman.ops import exp, mean, named, relu, sigmoid, tanh
from elman.trace import trace


def lines(section):
    return [str(line) for line in section]


def size(tape):
    half = tape.backward
    return len(tape.forward.update), len(half.update), tape.count("v"), tape.count("r")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        # forward, backward, saved, registers
        (RNN, (2, 3, 0, 0)),
        (GRU, (10, 11, 4, 2)),
        (LSTM, (10, 14, 5, 2)),
        (MinGRU, (4, 4, 2, 1)),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_the_tapes_of_well_known_cells_are_this_small(cell, expected):
    assert all(a <= b for a, b in zip(size(trace(cell)), expected, strict=True)), size(trace(cell))


def test_the_page_shows_the_tape_as_it_is():
    page = (Path(__file__).parents[2] / "docs" / "tapes.md").read_text()
    assert textwrap.indent(str(trace(GRU)), "    ") in page


def test_gates_that_are_only_added_are_one_value_with_one_gradient():
    tape = trace(LSTM)
    assert tape.products[0].of == ("s.h", "i+", "f+", "g+", "o+")
    assert "t0 = unproject dx.i dx.f dx.g dx.o" in lines(tape.backward.update)
    reset = trace(GRU)
    assert reset.products[0].of == ("s.h", "r+", "z+", "n")
    assert "t0 = unproject dx.r dx.z du0.n" in lines(reset.backward.update)


def test_a_gradient_is_shared_where_the_values_cannot_be():
    class Peep(Cell):
        gates = ("i",)
        params = {"w": init.constant(1.0)}

        def update(x, u, s, p):
            return sigmoid(x.i + p.w * s.h + u.i)

    tape = trace(Peep)
    assert tape.products[0].of == ("s.h", "i")
    assert "t0 = unproject dx.i" in lines(tape.backward.update)
    assert trace(PeepholeLSTM).stages == 1


def test_a_vector_under_u_is_saved_for_the_gradient_of_u():
    tape = trace(GRUResetBefore)
    assert tape.stages == 2
    vector = tape.products[1].of[0]
    assert vector.startswith("v")
    assert f"{vector} = mul s.h v0" in lines(tape.forward.update)


def test_what_depends_on_parameters_alone_is_computed_once():
    tape = trace(LRU)
    assert tape.is_scan
    assert len(tape.forward.prologue) > 8
    assert all("p." not in line for line in lines(tape.forward.update))
    assert all("p." not in line for line in lines(tape.backward.update))


def test_cheap_values_are_computed_again_where_that_needs_nothing_more():
    class Cheap(Cell):
        gates = ("a", "b")
        state = ("h", "c")

        def update(x, u, s, p):
            again = relu(s.h - s.c)
            kept = x.a - x.b
            return again * again * 2.0, kept * kept * 2.0

    tape = trace(Cheap)
    assert tape.count("v") == 1
    assert "v0 = sub x.a x.b" in lines(tape.forward.update)
    assert any("sub s.h s.c" in line for line in lines(tape.backward.update))


def test_a_row_value_is_saved_as_one_value():
    class Row(Cell):
        gates = ("a",)

        def update(x, u, s, p):
            return exp(mean(x.a)) * s.h

    tape = trace(Row)
    assert tape.needs_whole_rows
    assert (tape.count("v"), tape.count("w")) == (0, 1)


def test_equal_values_and_dead_ones():
    class Same(Cell):
        gates = ("a", "b")

        def update(x, u, s, p):
            tanh(x.b * 3.0)
            return tanh(x.a + u.a) * tanh(u.a + x.a) + 0.0 * s.h + (1.0 * s.h) / 1.0

    ops = [line.op for line in trace(Same, backward=False).forward.update]
    assert ops == ["project", "tanh", "mul", "mul", "add", "add"]


def test_named_values_stand_to_the_end():
    class Named(Cell):
        gates = ("a", "b")
        params = {"w": init.constant(1.0)}

        def update(x, u, s, p):
            v = named("early", x.a * u.a)
            w = named("gate", sigmoid(x.b)) * named("once", exp(p.w))
            return tanh(v) * w + x.b * u.b

        def read(s, x, p):
            return named("late", s.h + 1.0) * (s.h - 1.0)

    tape = trace(Named)
    places = dict(entry.split("=") for entry in tape.names)
    assert set(places) == {"early", "gate", "once", "late"}
    update = tape.forward.update
    assert [line.to for line in update].count(places["early"]) == 1
    assert str(next(line for line in update if line.to == places["gate"])).endswith("sigmoid x.b")
    assert places["once"] == "f0"
    assert places["early"] not in [line.to for line in tape.forward.read]


def test_constants_are_numbers_and_may_be_branched_on():
    class Constants(Cell):
        gates = ("a",)
        constants = {"rate": 0.5, "linear": 0.0}

        def update(x, u, s, p):
            v = x.a + u.a
            return s.h + p.rate * ((v if p.linear else tanh(v)) - s.h)

    ours = trace(Constants, {"rate": 0.25})
    assert any("0.25" in line for line in lines(ours.forward.update))
    assert not any(
        "tanh" in line for line in lines(trace(Constants, {"linear": 1.0}).forward.update)
    )
    with pytest.raises(ValueError, match=r"constants: Constants has .* got 'other'"):
        trace(Constants, {"other": 1.0})
