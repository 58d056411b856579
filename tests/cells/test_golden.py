"""Every built-in cell against an implementation that shares no code with it."""

from functools import cache
from pathlib import Path

import pytest

from elman.cells import Cell, builtin
from elman.testing import Golden, Mutant, golden, mutants, torch_golden

# Mutants that change nothing, by the equations of the cell: said with the reason, and tested.
EQUIVALENT = {
    ("CoRNN", "bias_hh: gates y and z swapped"): "both biases are terms of one sum",
}

FILES = Path(__file__).parent / "golden"
CELLS = sorted(builtin().values(), key=lambda cell: cell.__name__)


@cache
def files() -> list[Golden]:
    return [golden.read(path) for path in sorted(FILES.glob("*.json"))]


@cache
def goldens(cell: type[Cell]) -> list[Golden]:
    """From `torch.nn` where it has the cell, and from files that name the cell."""
    twin = torch_golden(cell)
    return ([] if twin is None else [twin]) + [g for g in files() if g.cell == cell.__name__]


@pytest.mark.parametrize("cell", CELLS)
def test_the_cell_is_what_an_independent_implementation_says(cell: type[Cell]) -> None:
    found = goldens(cell)
    assert found, f"{cell.__name__} has no independent twin: add a file to {FILES}"
    for one in found:
        assert len(golden.check(one)) == len(one.expected)


MUTANTS = [pytest.param(c, m, id=f"{c.__name__}: {m}") for c in CELLS for m in mutants(c)]


@pytest.mark.parametrize(("cell", "mutant"), MUTANTS)
def test_the_comparison_fails_on_a_mutant(cell: type[Cell], mutant: Mutant) -> None:
    for one in goldens(cell):
        if (cell.__name__, mutant.name) in EQUIVALENT:
            golden.check(one, run=mutant.run)
            continue
        with pytest.raises(AssertionError, match="times the allowed difference"):
            golden.check(one, run=mutant.run)


def test_no_golden_is_of_an_unknown_cell() -> None:
    assert {g.cell for g in files()} <= set(builtin())
