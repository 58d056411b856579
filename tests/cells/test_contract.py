"""Everything the library promises of any cell, of every built-in one."""

import pytest

from elman.cells import Cell, builtin
from elman.testing import check_cell

CELLS = sorted(builtin().values(), key=lambda cell: cell.__name__)


@pytest.mark.parametrize("cell", CELLS)
def test_contract(cell: type[Cell]) -> None:
    report = check_cell(cell, require_docstring=True)
    assert report.worst <= 1


def test_all_that_is_exported_is_enrolled() -> None:
    import elman.cells

    cells = [getattr(elman.cells, name) for name in elman.cells.__all__]
    cells = [c for c in cells if isinstance(c, type) and issubclass(c, Cell) and c is not Cell]
    assert sorted(c.__name__ for c in cells) == [c.__name__ for c in CELLS]
