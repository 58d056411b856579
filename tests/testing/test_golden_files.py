"""Golden files: written, read, compared, refused."""

from dataclasses import replace

import pytest
import torch

from elman import init
from elman.cells import GRU, LSTM, Cell, builtin
from elman.ops import exp, sigmoid, tanh
from elman.testing import golden, mutants, torch_golden
from elman.testing.case import outcome


def test_round_trip_keeps_every_digit(tmp_path) -> None:
    made = torch_golden(LSTM)
    golden.write(made, tmp_path / "lstm.json")
    again = golden.read(tmp_path / "lstm.json")
    assert (again.cell, again.source, again.options) == (made.cell, made.source, made.options)
    for part in ("weights", "arguments", "expected"):
        old, new = getattr(made, part), getattr(again, part)
        assert list(old) == list(new)
        assert all(torch.equal(old[name], new[name]) for name in old)
    assert golden.check(again)


def test_all_that_leaves_is_expected() -> None:
    made = torch_golden(GRU)
    layer = golden._layer(made, None)
    assert set(made.expected) == set(outcome(layer, golden._arguments(made, layer)))


def test_values_are_distinct_and_lengths_ragged() -> None:
    made = golden.draw(GRU)
    values = torch.cat([w.flatten() for w in made.weights.values()])
    assert values.unique().numel() == values.numel()
    lengths = made.arguments["lengths"]
    assert lengths.unique().numel() > 1
    assert lengths.min() == 1


def test_nothing_expected_is_no_test() -> None:
    with pytest.raises(AssertionError, match="the golden of GRU lacks 'final state h of l0'"):
        golden.check(golden.draw(GRU))


def test_a_source_is_asked_for(tmp_path) -> None:
    with pytest.raises(ValueError, match="golden: source is empty"):
        golden.write(golden.draw(GRU), tmp_path / "gru.json")


class Rich(Cell):
    gates = ("a", "b")
    state = ("h", "c")
    params = {"tau": init.log_uniform(1, 9), "v": init.uniform(-1, 1)}
    constants = {"rate": 0.3}
    inputs = ("dt",)

    def update(x, u, s, p):
        c = exp(-x.dt / p.tau) * s.c + p.rate * sigmoid(x.a + u.a)
        return tanh(x.b + u.b + p.v * c), c


def test_mutants_of_every_kind_are_made_and_caught() -> None:
    """The cell's own outcome stands in for the independent one: only the mutants are at test."""
    drawn = golden.draw(Rich)
    layer = golden._layer(drawn, Rich)
    made = replace(drawn, expected=outcome(layer, golden._arguments(drawn, layer)))
    assert golden.check(made, Rich)
    names = [mutant.name for mutant in mutants(Rich)]
    assert len(set(names)) == len(names)
    for kind in ("swapped", "transposed", "dropped", "in reverse", "another value", "ignored"):
        assert any(kind in name for name in names), kind
    for mutant in mutants(Rich):
        with pytest.raises(AssertionError, match="times the allowed"):
            golden.check(made, Rich, run=mutant.run)


@pytest.mark.parametrize("cell", builtin().values())
def test_every_cell_has_mutants_and_few_cells_a_twin(cell) -> None:
    assert len(list(mutants(cell))) >= 8


def test_no_twin() -> None:
    assert torch_golden(Rich) is None
