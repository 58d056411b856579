"""Run `update`, `read` and `start` once on symbols."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from elman.cells import Cell
from elman.trace.derive import Product
from elman.trace.errors import TraceError, locating
from elman.trace.graph import Graph, Node, ancestors
from elman.trace.symbols import Gate, Names, Recording, Value


@dataclass
class Equations:
    """What a cell says, as nodes."""

    cell: type[Cell]
    record: Recording
    leaves: dict[str, Node]
    """By place: `x.g`, `s.h`, `final.h`, `p.tau`."""
    new: list[Node]
    outputs: list[Node]
    """What `read` returns; none where the first state is read out."""
    start: list[Node]
    """What `start` returns; none where the states start at zero."""
    named: dict[str, Node]
    read_named: dict[str, Node]

    @property
    def update_roots(self) -> list[Node]:
        """All that `update` computes."""
        return [*self.new, *self.named.values()]

    @property
    def read_roots(self) -> list[Node]:
        """All that `read` computes."""
        return [*self.outputs, *self.read_named.values()]

    def products(self) -> list[Product]:
        """The products with U that are used, gates in the order of U."""
        live = ancestors(self.update_roots)
        gates: dict[int, list[Node]] = {node.id: [] for node in live if node.op == "project"}
        for node in live:
            if node.op == "gate":
                gates[node.of[0].id].append(node)
        order = self.cell.recurrent.index
        nodes = self.record.graph.nodes
        return [
            Product(nodes[k], tuple(sorted(found, key=lambda n: order(n.label))))
            for k, found in gates.items()
        ]


def equations(
    cell: type[Cell], constants: Mapping[str, float] | None, projected: bool
) -> Equations:
    """The equations of a cell, with its constants as numbers."""
    unknown = set(constants or ()) - set(cell.constants)
    if unknown:
        known = tuple(cell.constants)
        raise ValueError(f"constants: {cell.__name__} has {known}, got {min(unknown)!r}")
    graph = Graph()
    leaves = {place: graph.leaf(place) for place in _leaf_places(cell)}
    record = Recording(leaves[f"s.{cell.state[0]}"], graph, projected)
    numbers = {**cell.constants, **(constants or {})}
    x = Names("x", {n: record.symbol(leaves[f"x.{n}"]) for n in (*cell.gates, *cell.inputs)})
    u = Names("u", {g: Gate(record, g) for g in cell.recurrent})
    p = Names("p", {n: record.symbol(leaves[f"p.{n}"]) for n in cell.params} | numbers)
    old, new = (
        cell.State(*(record.symbol(leaves[f"{space}.{name}"]) for name in cell.state))
        for space in ("s", "final")
    )
    updated = _run(record, cell, "update", (x, u, old, p))
    named, record.named = record.named, {}
    outputs = _run(record, cell, "read", (new, x, p)) if cell.read is not None else []
    start = _run(record, cell, "start", (p,)) if cell.start is not None else []
    return Equations(cell, record, leaves, updated, outputs, start, named, record.named)


def _leaf_places(cell: type[Cell]) -> list[str]:
    spaces = {
        "x": (*cell.gates, *cell.inputs),
        "s": cell.state,
        "final": cell.state,
        "p": tuple(cell.params),
    }
    return [f"{space}.{name}" for space, names in spaces.items() for name in names]


def _run(record: Recording, cell: type[Cell], name: str, given: tuple[Any, ...]) -> list[Node]:
    """The values that one of a cell's functions returns."""
    function = getattr(cell, name)
    with locating(function):
        returned = function(*given)
        values = returned if isinstance(returned, tuple) else (returned,)
        if name != "read" and len(values) != len(cell.state):
            raise TraceError(
                f"{name} returns {len(values)} values; there are {len(cell.state)} states, "
                f"{', '.join(cell.state)}",
                "return one value for each state, in this order",
            )
        return [_returned(record, value, name) for value in values]


def _returned(record: Recording, value: Any, name: str) -> Node:
    if not isinstance(value, Value) and name != "start":
        raise TraceError(
            f"{name} returns a {type(value).__name__}", "return values made of x, u, s and p"
        )
    node = record.node_of(value, name)
    if node.is_mask:
        raise TraceError(f"{name} returns a comparison", "return where(mask, 1.0, 0.0)")
    if name == "update" and not node.wide:
        raise TraceError(
            "update returns one value a row as a state, which has one a unit",
            "spread it over the units, as in mean(v) + 0.0 * s.h",
        )
    return node
