"""The docstring of a cell against an instance: order, names, shapes, gate order."""

import pytest
import torch

from elman.cells import GRU, Cell, builtin
from elman.testing import declaration
from elman.testing.case import SMALL, Case


def with_docstring(text: str | None) -> type[Cell]:
    return type("Changed", (GRU,), {"__doc__": text})


def case(cell: type[Cell]) -> Case:
    return Case(cell, SMALL, torch.float64)


@pytest.mark.parametrize("cell", builtin().values())
def test_built_in_cells_keep_the_order(cell) -> None:
    list(declaration.docstring_order(case(cell)))
    assert len(declaration.table(cell)) >= 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("`weight_hh_l0`   (3H, H)", "`weight_hh_l0`   (2H, H)", r"weight_hh_l0': \(14, 7\)"),
        ("`weight_hh_l0`   (3H, H)", "`weight_hh_l0`   (3H, I)", r"weight_hh_l0': \(21, 3\)"),
        ("`weight_hh_l0`   (3H, H)", "`weight_hh_l0`   (3H, Q)", r"\(3H, Q\) has Q"),
        ("`bias_hh_l0`  ", "`bias_other`  ", "bias_other"),
        ("(3H, H)     r z n", "(3H, H)     z r n", "orders the gates of weight_hh_l0 'z r n'"),
        ("(3H, I)     r z n", "(3H, I)     r z", "orders the gates of weight_ih_l0 'r z'"),
    ],
)
def test_a_wrong_table(old, new, message) -> None:
    assert old in GRU.__doc__
    with pytest.raises(AssertionError, match=message):
        list(declaration.docstring(case(with_docstring(GRU.__doc__.replace(old, new)))))


@pytest.mark.parametrize("part", [".. math::", "State:", "Not the variant", "Source:", "Example:"])
def test_a_part_that_is_missing(part) -> None:
    with pytest.raises(AssertionError, match="the docstring lacks "):
        list(declaration.docstring_order(case(with_docstring(GRU.__doc__.replace(part, "")))))


def test_parts_out_of_order() -> None:
    state = "    State: `h` (B, H).\n\n"
    moved = GRU.__doc__.replace(state, "").replace("    Example:", state + "    Example:")
    with pytest.raises(AssertionError, match="which variant this is not"):
        list(
            declaration.docstring_order(
                case(with_docstring(moved.replace("    Source:", state + "    Source:")))
            )
        )


def test_a_cell_without_a_docstring_is_asked_for_none_unless_it_is_built_in() -> None:
    bare = with_docstring(None)
    assert list(declaration.docstring(case(bare))) == ["no table"]
    with pytest.raises(AssertionError, match="starts with one line"):
        list(declaration.docstring_order(case(bare)))
