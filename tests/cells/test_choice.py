"""The table of cells in the documentation: a row for each, with figures that are the cell's."""

import re
from pathlib import Path

from elman.cells import builtin

PAGE = Path(__file__).parents[2] / "docs" / "choose-a-cell.md"


def rows() -> dict[str, list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    cells = [[part.strip() for part in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_every_exported_cell_has_a_row_and_no_other() -> None:
    lines = re.findall(r"^\| `(\w+)`", PAGE.read_text(), re.MULTILINE)
    assert sorted(lines) == sorted(builtin())


def test_every_column_is_filled() -> None:
    for name, row in rows().items():
        assert len(row) == 6, name
        assert all(row), name


def test_the_figures_are_the_cells_own() -> None:
    for name, (_, _, cost, state, *_) in rows().items():
        cell = builtin()[name]
        assert float(cost) == (len(cell.gates) + len(cell.recurrent)) / 8, name
        assert int(state) == len(cell.state), name


def test_the_source_is_the_one_the_cell_names() -> None:
    for name, row in rows().items():
        year = re.search(r"\d{4}", row[-1])
        assert year is not None, name
        source = (builtin()[name].__doc__ or "").split("Source:")[1]
        assert year[0] in source, name
        assert row[-1].split()[0] in source, name
