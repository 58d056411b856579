"""`elman cells`: the recurrences there are, and what a step of each costs."""

from elman.cells import Cell, builtin
from elman.cli.cell_files import find_cell
from elman.cli.console import result
from elman.report.tables import Table
from elman.trace import TraceError, describe

COLUMNS = ("stages", "forward", "backward", "saved", "parameters", "flops", "bytes")

_NOTE = """stages: 1, and one for each product with U that waits for something the step computes.
forward, backward: instructions of a step and of its derivative. saved: values a unit that each step
keeps for the derivative. flops, bytes: of one step of one row in float32. `elman cells NAME` shows
one cell's equations and tape; docs/choose-a-cell.md says when to take which."""


def show(name: str, hidden: int, inputs: int, own: tuple[type[Cell], ...]) -> None:
    """Print all cells as a table, or one of them with its equations and its tape.

    Raises:
        ValueError: no cell is called `name`, or a size is not positive.
    """
    for flag, value in (("--hidden", hidden), ("--inputs", inputs)):
        if value < 1:
            raise ValueError(f"{flag}: must be a whole number from 1 up, got {value}")
    if name:
        found = find_cell(name, own)
        result(str(describe(found, hidden, _width(found, hidden, inputs))))
        return
    known = builtin() | {c.__name__: c for c in own}
    rows = [_row(key, known[key], hidden, inputs) for key in sorted(known, key=str.lower)]
    title = f"{len(rows)} cells, with {hidden} units and {inputs} inputs"
    result(Table(title, ["cell", *COLUMNS], rows, _NOTE).text())


def _row(name: str, cell: type[Cell], hidden: int, inputs: int) -> list[str]:
    try:
        found = describe(cell, hidden, _width(cell, hidden, inputs)).cost
    except TraceError:
        return [name, "no tape", *("" for _ in COLUMNS[1:])]
    return [name, *(f"{getattr(found, column):,}" for column in COLUMNS)]


def _width(cell: type[Cell], hidden: int, inputs: int) -> int:
    """A cell that reads x.raw has as many inputs as units."""
    return hidden if "raw" in cell.inputs else inputs
