"""Nodes to instructions: an order, places, and registers by liveness."""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from elman.trace.graph import Graph, Node, ancestors
from elman_runtime.tape import Instruction, Operand

Root = tuple[str, Node]
"""A place that a section writes, and the value that goes there."""


@dataclass
class Section:
    """One section in the making.

    Args:
        graph: where copies are made, for a value that goes to two places.
        places: where values stand that the section finds there, by number of their node.
        reserved: registers that an earlier section keeps values in.
    """

    graph: Graph
    places: dict[int, str]
    reserved: frozenset[str] = frozenset()
    products: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """`project` node -> its name and gates; `unproject` node -> its name and operands."""
    gates: dict[int, tuple[Node, str]] = field(default_factory=dict)
    """Nodes that stand somewhere as soon as a product has been taken: the product, the place."""
    after: dict[int, list[Node]] = field(default_factory=dict)
    """What a product reads."""
    to: dict[int, str] = field(default_factory=dict)
    """Where computed nodes go, but for registers."""
    order: list[Node] = field(default_factory=list)

    def emit(
        self, roots: Sequence[Root], stops: Iterable[Node] = (), kept: Sequence[Node] = ()
    ) -> tuple[Instruction, ...]:
        """The instructions.

        What is needed for the first of `stops` (products) comes first, and so on, so that few
        values are alive across a product. `kept` are values that registers hold to the end.
        """
        operands = (n.of for n in ancestors([node for _, node in roots]))
        read = {node.id for of in operands for node in of}
        settled = {place: self.settle(place, node, read) for place, node in roots}
        for stop in stops:
            self.after[stop.id] = list(self._read_by(stop, roots, settled))
            self._demand([stop])
        self._demand([*settled.values(), *kept])
        self._allocate({node.id for node in kept})
        return tuple(self._instruction(node) for node in self.order)

    def settle(self, place: str, node: Node, read: set[int]) -> Node:
        """The node whose instruction writes `place`: a copy where `node` cannot do it itself.

        `read` are nodes that are operands too.
        """
        taken = node.id in self.to or node.id in self.places or node.op in ("leaf", "number")
        taken = taken or node.id in self.gates or not (node.wide or place[0] in "wy")
        # A sum over rows cannot be read, so what is read elsewhere gets a place of its own.
        taken = taken or (place[0] == "g" and node.id in read)
        if taken or node.op == "unproject":
            node = self.graph.copied(node, place)
        self.to[node.id] = place
        return node

    def _read_by(
        self, stop: Node, roots: Sequence[Root], settled: Mapping[str, Node]
    ) -> Iterator[Node]:
        """What a product reads: the saved vector, or the gradients where they were written."""
        if stop.op == "unproject":
            yield from (settled[place] for place in self.products[stop.id][1:])
        else:
            saved = (place for place, node in roots if node is stop.of[0] and place[0] == "v")
            place = next(saved, None)
            yield stop.of[0] if place is None else settled[place]

    def place(self, node: Node) -> Operand:
        """Where a value stands."""
        if node.op == "number":
            return node.value
        if node.id in self.to:
            return self.to[node.id]
        if node.id in self.gates:
            return self.gates[node.id][1]
        if node.op == "unproject":
            return self.products[node.id][0]
        return self.places.get(node.id, node.label)

    def _stands(self, node: Node) -> bool:
        return node.op in ("leaf", "number") or node.id in self.places

    def _operands(self, node: Node) -> Sequence[Node]:
        if node.id in self.gates:
            return (self.gates[node.id][0],)
        return self.after.get(node.id, node.of)

    def _demand(self, wanted: Sequence[Node]) -> None:
        """Append nodes, each after its operands: depth first, so that registers are soon free."""
        done = {node.id for node in self.order}
        waiting = [(node, False) for node in reversed(wanted)]
        while waiting:
            node, ready = waiting.pop()
            if ready:
                self.order.append(node)
            elif node.id not in done and not self._stands(node):
                done.add(node.id)
                waiting.append((node, True))
                waiting += [(operand, False) for operand in reversed(self._operands(node))]

    def _allocate(self, kept: set[int]) -> None:
        self.order = [n for n in self.order if n.id not in self.gates]
        last = {o.id: k for k, node in enumerate(self.order) for o in self._operands(node)}
        pools = {kind: _Pool(kind, self.reserved) for kind in "rq"}
        for k, node in enumerate(self.order):
            for operand in {o.id: o for o in self._operands(node)}.values():
                place = self.to.get(operand.id, "")
                if place[:1] in pools and last[operand.id] == k and operand.id not in kept:
                    pools[place[0]].free(place)
            if node.id not in self.to and node.id not in self.products:
                self.to[node.id] = pools["r" if node.wide else "q"].take()

    def _instruction(self, node: Node) -> Instruction:
        if node.op == "project":
            name, *gates = self.products[node.id]
            return Instruction("project", name, (self.place(self.after[node.id][0]), *gates))
        if node.op == "unproject":
            name, *operands = self.products[node.id]
            return Instruction("unproject", name, tuple(operands))
        return Instruction(node.op, str(self.to[node.id]), tuple(map(self.place, node.of)))


class _Pool:
    """Registers of one kind; the lowest free one is taken."""

    def __init__(self, kind: str, reserved: frozenset[str]) -> None:
        self._kind, self._reserved = kind, reserved
        self._free: list[int] = []
        self._next = 0

    def take(self) -> str:
        if self._free:
            return f"{self._kind}{heapq.heappop(self._free)}"
        while f"{self._kind}{self._next}" in self._reserved:
            self._next += 1
        self._next += 1
        return f"{self._kind}{self._next - 1}"

    def free(self, place: str) -> None:
        heapq.heappush(self._free, int(place[1:]))
