"""What is said of a cell: its equations, its tape, what a step costs."""

import pytest

from elman.cells import GRU, LSTM, RNN, Cell, CoRNN, LayerNormGRU, MinGRU, builtin
from elman.ops import tanh
from elman.trace import cost, describe, trace


def test_the_cost_of_an_lstm_is_what_one_counts_by_hand():
    h, i = 8, 3
    found = cost(trace(LSTM), h, i)
    assert found.parameters == 4 * h * (h + i) + 8 * h
    assert cost(trace(LSTM), h, i, bias=False).parameters == 4 * h * (h + i)
    assert found.flops == 2 * 4 * h * (h + i) + 9 * h
    assert found.bytes == 4 * (found.parameters + 2 * 2 * h)
    assert (found.stages, found.saved) == (1, 5)


def test_a_gate_that_nothing_multiplies_costs_nothing():
    class Half(Cell):
        gates = ("a", "b")

        def update(x, u, s, p):
            return tanh(x.a + u.a) * x.b

    assert cost(trace(Half), 4, 4).flops == 2 * (2 * 16 + 16) + 2 * 4


def test_stages_wait_for_what_a_step_computes():
    assert (trace(CoRNN).stages, len(trace(CoRNN).products)) == (1, 2)
    assert not trace(CoRNN).takes_projection
    assert trace(MinGRU).is_scan
    assert trace(LayerNormGRU).needs_whole_rows
    assert not trace(GRU).needs_whole_rows


@pytest.mark.parametrize("cell", builtin().values(), ids=lambda c: c.__name__)
def test_every_cell_is_described(cell):
    found = describe(cell, 16, 16)
    assert found.equations
    assert found.summary.endswith(".")
    for shown in (str(found), found._repr_markdown_()):
        assert found.equations in shown
        assert str(found.tape).rstrip() in shown
        assert f"{found.cost.parameters:,}" in shown


def test_in_a_notebook():
    found = describe(RNN)
    assert found._repr_latex_() == (
        "$$\\begin{aligned}\nh_t = \\tanh(W x_t + b_{ih} + U h_{t-1} + b_{hh})\n\\end{aligned}$$"
    )

    class Silent(Cell):
        gates = ("n",)

        def update(x, u, s, p):
            return tanh(x.n + u.n)

    assert describe(Silent)._repr_latex_() is None
    assert "Silent" in str(describe(Silent))
