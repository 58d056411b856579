"""Every exported cell: its tape does what the reference engine does, gradients included."""

import pytest
import torch

from elman.cells import builtin
from elman.trace import trace
from elman_runtime.tape import from_json, from_text

CELLS = pytest.mark.parametrize("cell", builtin().values(), ids=lambda c: c.__name__)


@CELLS
@pytest.mark.usefixtures("float64")
def test_values_and_gradients_are_those_of_the_reference(cell, draw, compare):
    compare(draw(cell))


@CELLS
@pytest.mark.usefixtures("float64")
def test_at_ties_and_zeros(cell, draw, compare):
    for _ in range(3):
        compare(draw(cell, halves=True))


@CELLS
@pytest.mark.usefixtures("float64")
def test_ragged_rows_with_resets_from_the_cells_own_start(cell, draw, compare):
    lengths = torch.tensor([2, 4, 0])
    reset = torch.tensor([[1, 0, 1, 0], [0, 0, 1, 0], [1, 1, 0, 0]], dtype=torch.bool)
    compare(draw(cell, lengths=lengths, reset=reset, given=False, bias=False, wide=True))


@CELLS
def test_in_float32(cell, draw, compare):
    compare(draw(cell))


@CELLS
def test_text_and_json_come_back_the_same(cell):
    tape = trace(cell)
    assert str(from_text(str(tape))) == str(tape)
    assert from_text(str(tape)) == from_json(tape.to_json()) == tape


@CELLS
def test_without_the_derivative_nothing_is_saved(cell):
    tape = trace(cell, backward=False)
    assert tape.backward is None
    assert tape.count("v") == tape.count("w") == 0
    assert from_text(str(tape)) == tape
