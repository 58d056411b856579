"""Checks of what a cell says about itself: its names, and the table in its docstring."""

import inspect
import re
from collections.abc import Iterator

from elman.cells import Cell
from elman.nn import Recurrent
from elman.testing.case import Case
from elman.testing.reads import reads

# The order of a docstring: style, so that every cell's page reads alike.
PARTS = (
    ("equations", r"\.\. math::"),
    ("a parameter table", r"^=+ +=+"),
    ("State:", r"^State: "),
    ("which variant this is not (Not ...)", r"^Not\b"),
    ("Source:", r"^Source: "),
    ("Example:", r"^Example:\s+>>> "),
)


def declared_names(case: Case) -> Iterator[str]:
    """Whatever a cell declares, it reads: a gate that nothing reads is wasted weights."""
    cell, found = case.cell, reads(case.cell)
    for kind, declared in {
        "x": (*cell.gates, *cell.inputs),
        "u": cell.recurrent,
        "p": (*cell.params, *cell.constants),
    }.items():
        unread = [name for name in declared if name not in found[kind]]
        if unread:
            raise AssertionError(f"{unread[0]!r} is declared; nothing reads {kind}.{unread[0]}")
    yield from ()


def docstring(case: Case) -> Iterator[str]:
    """A docstring that has a table of parameters: its rows are an instance's parameters."""
    rows = table(case.cell)
    if not rows:
        yield "no table"
        return
    instance = _instance(case)
    parameters = {name: tuple(p.shape) for name, p in instance.named_parameters()}
    written = {name: _shape(shape, instance) for name, shape, _ in rows}
    if written != parameters:
        raise AssertionError(f"the docstring's table says {written}; a layer has {parameters}")
    for name, _, order in rows:
        gates = _gate_order(case.cell, name)
        if order != " ".join(gates):
            raise AssertionError(
                f"the docstring orders the gates of {name} {order!r}; it is {gates}"
            )
    yield f"{len(rows)} parameters"


def docstring_order(case: Case) -> Iterator[str]:
    """The parts of a docstring, all there and in this order; asked of built-in cells."""
    text = inspect.cleandoc(case.cell.__doc__ or "")
    if not re.match(r"\S.*\.(\n|$)", text):
        raise AssertionError("the docstring starts with one line that ends in a full stop")
    last = ("the first line", 0)
    for name, pattern in PARTS:
        found = re.search(pattern, text, re.MULTILINE)
        if found is None:
            raise AssertionError(f"the docstring lacks {name}")
        if found.start() < last[1]:
            raise AssertionError(f"in the docstring, {name} must come after {last[0]}")
        last = (name, found.start())
    yield from ()


def table(cell: type[Cell]) -> list[tuple[str, str, str]]:
    """Parameter, shape and gate order of each row of a docstring's table; [] without one."""
    lines = inspect.cleandoc(cell.__doc__ or "").splitlines()
    rules = [k for k, line in enumerate(lines) if re.fullmatch(r"=+( +=+)+", line)]
    if len(rules) < 3:
        return []
    columns = [m.span() for m in re.finditer("=+", lines[rules[0]])]
    ends = [start for start, _ in columns[1:]] + [None]
    rows = []
    for line in lines[rules[1] + 1 : rules[2]]:
        cells = [line[a:b].strip() for (a, _), b in zip(columns, ends, strict=True)]
        rows.append((cells[1].strip("`"), cells[2], cells[3] if len(cells) > 3 else ""))
    return rows


def _instance(case: Case) -> Recurrent:
    """Sizes that cannot be mistaken for one another, unless the cell wants them equal."""
    hidden = 7
    width = hidden if "raw" in case.cell.inputs else 3
    return Recurrent(case.cell, width, hidden, constants=case.constants)


def _shape(written: str, layer: Recurrent) -> tuple[int, ...]:
    """(3H, I) as numbers."""
    sizes = {"H": layer.hidden_size, "I": layer.input_size}
    found = []
    for factor, letter in re.findall(r"(\d*)([A-Z])", written):
        if letter not in sizes:
            raise AssertionError(f"the docstring's shape {written} has {letter}; sizes are H and I")
        found.append(int(factor or 1) * sizes[letter])
    return tuple(found)


def _gate_order(cell: type[Cell], parameter: str) -> tuple[str, ...]:
    if "_ih_" in parameter:
        return cell.gates
    return cell.recurrent if "_hh_" in parameter else ()
