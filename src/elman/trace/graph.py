"""Expressions: nodes that are made once for each meaning, with steps that change nothing left out.

What is left out changes no value; at most it turns a -0 into a 0.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman_runtime.tape import OPS

COMMUTATIVE = frozenset({"add", "mul", "maximum", "minimum"})
COMPARISONS = frozenset({"gt", "ge", "lt", "le"})


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One value of a step. Operands come before it: they have smaller numbers.

    `op` is an instruction, or `leaf` (`label` is its place), `number` (`value`), `project` (a
    product with U of its operand), `gate` (block `label` of a product), `unproject`.
    """

    id: int
    op: str
    of: tuple["Node", ...] = ()
    label: str = ""
    value: float = 0.0
    wide: bool = True
    """One value a unit; else one a row."""
    fixed: bool = False
    """Made of parameters and numbers alone, so the same in every row and step."""

    @property
    def is_mask(self) -> bool:
        """Whether it is the result of a comparison."""
        return self.op in COMPARISONS


class Graph:
    """All nodes of a trace, in the order of their making."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._known: dict[tuple[Any, ...], Node] = {}

    def leaf(self, place: str, wide: bool = True) -> Node:
        """What stands at a place from the start."""
        return self._make("leaf", (), place, 0.0, wide, place.startswith("p."))

    def number(self, value: float) -> Node:
        """A number."""
        return self._make("number", (), repr(value), value, False, True)

    def project(self, vector: Node, gate: str) -> Node:
        """Block `gate` of the product of U with a vector."""
        product = self._make("project", (vector,), "", 0.0, True, False)
        return self._make("gate", (product,), gate, 0.0, True, False)

    def unproject(self, product: int, gates: Iterable[Node]) -> Node:
        """The gradient of the vector that a product was taken of, from those of its gates."""
        return self._make("unproject", tuple(gates), str(product), 0.0, True, False)

    def widened(self, node: Node) -> Node:
        """The same value for each unit."""
        return node if node.wide else self._make("copy", (node,), "", 0.0, True, node.fixed)

    def copied(self, node: Node, label: str) -> Node:
        """A node of its own, so that a value can stand at two places."""
        return self._make("copy", (node,), label, 0.0, True, node.fixed)

    def apply(self, op: str, *of: Node) -> Node:
        """An instruction of the closed set, or what it comes down to."""
        if op in COMMUTATIVE:
            of = tuple(sorted(of, key=lambda n: n.id))
        simpler = self._simpler(op, of)
        if simpler is not None:
            return simpler
        fixed = all(n.fixed for n in of)
        if op != "mean":
            return self._make(op, of, "", 0.0, any(n.wide for n in of), fixed)
        row = self._make(op, of, "", 0.0, False, fixed)
        # What is computed once a call is stored as one value a unit.
        return self.widened(row) if fixed else row

    def _make(
        self, op: str, of: tuple[Node, ...], label: str, value: float, wide: bool, fixed: bool
    ) -> Node:
        key = (op, label, *(n.id for n in of))
        if key not in self._known:
            node = Node(len(self.nodes), op, of, label, value, wide, fixed)
            self.nodes.append(node)
            self._known[key] = node
        return self._known[key]

    def _simpler(self, op: str, of: tuple[Node, ...]) -> Node | None:
        if all(n.op == "number" for n in of):
            return self._computed(op, of)
        if op in ("mean", "copy"):
            return None if of[0].wide else of[0]
        if op == "where" or op in ("maximum", "minimum"):
            return of[-1] if of[-1] is of[-2] else None
        if op == "neg":
            return of[0].of[0] if of[0].op == "neg" else None
        rule = {"add": self._add, "sub": self._sub, "mul": self._mul, "div": self._div}.get(op)
        return rule(*of) if rule else None

    def _computed(self, op: str, of: tuple[Node, ...]) -> Node | None:
        if op == "mean":
            return of[0]
        with np.errstate(all="ignore"):
            value = float(OPS[op].compute(*(np.float64(n.value) for n in of)))
        return self.number(value) if np.isfinite(value) else None

    def _add(self, a: Node, b: Node) -> Node | None:
        for one, other in ((a, b), (b, a)):
            if _is(one, 0.0):
                return other
            if one.op == "neg":
                return self.apply("sub", other, one.of[0])
        return None

    def _sub(self, a: Node, b: Node) -> Node | None:
        if _is(b, 0.0):
            return a
        if _is(a, 0.0):
            return self.apply("neg", b)
        return self.apply("add", a, b.of[0]) if b.op == "neg" else None

    def _mul(self, a: Node, b: Node) -> Node | None:
        for one, other in ((a, b), (b, a)):
            if _is(one, 1.0):
                return other
            if _is(one, -1.0):
                return self.apply("neg", other)
            if one.op == "neg":
                return self.apply("neg", self.apply("mul", one.of[0], other))
        return None

    def _div(self, a: Node, b: Node) -> Node | None:
        if _is(b, 1.0):
            return a
        if a.op == "neg":
            return self.apply("neg", self.apply("div", a.of[0], b))
        return None


def _is(node: Node, value: float) -> bool:
    return node.op == "number" and node.value == value


def ancestors(roots: Iterable[Node]) -> list[Node]:
    """What the roots are made of, themselves included, in the order of making."""
    found: dict[int, Node] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node.id not in found:
            found[node.id] = node
            waiting += node.of
    return [found[k] for k in sorted(found)]
