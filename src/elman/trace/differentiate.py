"""The derivative of a step, as nodes: what it computes, and where that goes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from elman.trace.derive import Adjoints, Product, reverse
from elman.trace.emit import Root
from elman.trace.equations import Equations
from elman.trace.graph import Node


@dataclass
class Derivative:
    """Sections of the backward half, as places and the values that go there."""

    read: list[Root] = field(default_factory=list)
    update: list[Root] = field(default_factory=list)
    epilogue: list[Root] = field(default_factory=list)
    vectors: list[Node] = field(default_factory=list)
    """Gradients of the vectors under U, the last product first."""
    operands: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Of each of those: its place, and where the gradients of the gates stand."""


def differentiate(said: Equations, products: Sequence[Product]) -> Derivative:
    """Reverse mode through `read`, `update` and what is computed once a call."""
    return _Differentiation(said, products).derivative()


class _Differentiation:
    def __init__(self, said: Equations, products: Sequence[Product]) -> None:
        self.said, self.products = said, products
        self.graph, self.cell = said.record.graph, said.cell
        self.zero = self.graph.number(0.0)
        self.sums: list[tuple[Node, Node]] = []
        """Fixed nodes, with the sums over rows and steps of their gradients."""

    def derivative(self) -> Derivative:
        found = Derivative()
        columns = [f"x.{name}" for name in (*self.cell.gates, *self.cell.inputs)]
        by_read = self._read(found, columns)
        self._update(found, columns, by_read)
        self._epilogue(found)
        return found

    def _read(self, found: Derivative, columns: list[str]) -> list[str]:
        """Fills the section; returns the columns that `read` has a gradient of."""
        adjoints = Adjoints(self.said.record)
        for k, node in enumerate(self.said.outputs):
            adjoints.add(node, self.graph.leaf(f"dy{k}", node.wide))
        reverse(self.said.record, self.said.outputs, adjoints)
        if self.said.outputs:
            found.read = [
                (f"dfinal.{name}", self._of(f"final.{name}", adjoints)) for name in self.cell.state
            ]
        touched = [place for place in columns if self.said.leaves[place].id in adjoints]
        found.read += [(_of_read(place), self._of(place, adjoints)) for place in touched]
        found.read += self._summed(adjoints)
        return touched

    def _update(self, found: Derivative, columns: list[str], by_read: list[str]) -> None:
        adjoints = Adjoints(self.said.record)
        for place in by_read:
            adjoints.add(self.said.leaves[place], self.graph.leaf(_of_read(place)))
        for name, node in zip(self.cell.state, self.said.new, strict=True):
            adjoints.add(node, self.graph.leaf(f"dnew.{name}"))
        found.vectors = reverse(self.said.record, self.said.new, adjoints, self.products)
        found.update = [(f"d{place}", self._of(place, adjoints)) for place in columns]
        for k, product in enumerate(self.products):
            operands = list(self._gates(k, product, adjoints, found.update))
            found.operands[found.vectors[len(self.products) - 1 - k].id] = (f"t{k}", *operands)
        found.update += [(f"ds.{n}", self._of(f"s.{n}", adjoints)) for n in self.cell.state]
        found.update += self._summed(adjoints)

    def _gates(
        self, k: int, product: Product, adjoints: Adjoints, roots: list[Root]
    ) -> Iterator[str]:
        """Where the gradients of a product's gates go: to that of the input's gate, if equal."""
        columns = dict(roots)
        for gate in product.gates:
            node = adjoints.get(gate.id, self.zero)
            shared = f"dx.{gate.label}"
            if columns.get(shared) is node and node is not self.zero:
                yield shared
            else:
                roots.append((f"du{k}.{gate.label}", node))
                yield f"du{k}.{gate.label}"

    def _epilogue(self, found: Derivative) -> None:
        adjoints = Adjoints(self.said.record)
        for node, total in self.sums:
            adjoints.add(node, total)
        for name, node in zip(self.cell.state, self.said.start, strict=False):
            adjoints.add(node, self.graph.leaf(f"dstart.{name}"))
        roots = [self.graph.nodes[k] for k in adjoints]
        reverse(self.said.record, roots, adjoints, fixed=True)
        found.epilogue = [(f"dp.{n}", self._of(f"p.{n}", adjoints)) for n in self.cell.params]

    def _of(self, place: str, adjoints: Adjoints) -> Node:
        return adjoints.get(self.said.leaves[place].id, self.zero)

    def _summed(self, adjoints: Adjoints) -> list[Root]:
        """The gradients of fixed nodes, each under a number of its own."""
        found = []
        for k in sorted(adjoints):
            node = self.graph.nodes[k]
            if node.fixed and node.op != "number":
                place = f"g{len(self.sums)}"
                self.sums.append((node, self.graph.leaf(place)))
                found.append((place, adjoints[k]))
        return found


def _of_read(column: str) -> str:
    """Where `read` leaves its share of the gradient of `x.g`."""
    return column.replace("x", "dread", 1)
