"""Reverse mode: one line an instruction, written in the vocabulary itself.

Derivatives at ties and at zero are torch's. The gradient of a value that a row has once is held
as its share for each unit, dL/dv / H: `mean` is then its own adjoint, and no rule knows H.
"""
# ruff: noqa: ARG005 (every rule has the gradient, the result and the operands, used or not)

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from elman.ops import cos, sigmoid, sin, where
from elman.trace.graph import Node, ancestors
from elman.trace.symbols import Recording

Rule = Callable[..., tuple[Any, ...]]


class Product(NamedTuple):
    """A product with U: its node, and those of its gates that are used, in the order of U."""

    node: Node
    gates: tuple[Node, ...]


def _tie(g: Any, above: Any, below: Any) -> Any:
    """All of g where an operand won, half of it at a tie."""
    return where(below, 0.0, where(above, g, 0.5 * g))


# g: gradient of the result y; a, b, c: the operands. A mask has no gradient.
RULES: dict[str, Rule] = {
    "copy": lambda g, y, a: (g,),
    "neg": lambda g, y, a: (-g,),
    "add": lambda g, y, a, b: (g, g),
    "sub": lambda g, y, a, b: (g, -g),
    "mul": lambda g, y, a, b: (g * b, g * a),
    "div": lambda g, y, a, b: (g / b, -(g / b * y)),
    "maximum": lambda g, y, a, b: (_tie(g, a > b, a < b), _tie(g, a < b, a > b)),
    "minimum": lambda g, y, a, b: (_tie(g, a < b, a > b), _tie(g, a > b, a < b)),
    "where": lambda g, y, c, a, b: (None, where(c, g, 0.0), where(c, 0.0, g)),
    "abs": lambda g, y, a: (g * where(a > 0, 1.0, where(a < 0, -1.0, 0.0)),),
    "relu": lambda g, y, a: (where(y <= 0, 0.0, g),),
    "sqrt": lambda g, y, a: (g / (2.0 * y),),
    "exp": lambda g, y, a: (g * y,),
    "expm1": lambda g, y, a: (g * (y + 1.0),),
    "log": lambda g, y, a: (g / a,),
    "sin": lambda g, y, a: (g * cos(a),),
    "cos": lambda g, y, a: (-(g * sin(a)),),
    "tanh": lambda g, y, a: (g.elman_op("dtanh", g, y),),
    "sigmoid": lambda g, y, a: (g.elman_op("dsigmoid", g, y),),
    "softplus": lambda g, y, a: (where(a > 20.0, g, g * sigmoid(a)),),
    "mean": lambda g, y, a: (g,),
}


class Adjoints(dict[int, Node]):
    """Gradients by the number of the node they belong to."""

    def __init__(self, record: Recording) -> None:
        super().__init__()
        self.record = record

    def add(self, node: Node, gradient: Node) -> None:
        """Add to the gradient of a node; what is wider than the node is averaged over its units."""
        graph = self.record.graph
        if gradient.wide and not node.wide:
            gradient = graph.apply("mean", gradient)
        known = self.get(node.id)
        self[node.id] = gradient if known is None else graph.apply("add", known, gradient)


def reverse(
    record: Recording,
    roots: Iterable[Node],
    adjoints: Adjoints,
    products: Sequence[Product] = (),
    *,
    fixed: bool = False,
) -> list[Node]:
    """Carry the gradients of the roots, which stand in `adjoints`, to what they are made of.

    What is fixed hands on nothing unless `fixed`: it is summed over rows and steps before.
    Returns the gradients of the vectors under U, the last product first.
    """
    vectors = []
    numbers = {product.node.id: k for k, product in enumerate(products)}
    for node in reversed(ancestors(roots)):
        if node.id in numbers:
            vectors.append(_through_product(record, numbers[node.id], products, adjoints))
        elif node.id in adjoints and node.op in RULES and (fixed or not node.fixed):
            _through(record, node, adjoints)
    return vectors


def _through(record: Recording, node: Node, adjoints: Adjoints) -> None:
    symbols = (record.symbol(n) for n in (adjoints[node.id], node, *node.of))
    for operand, part in zip(node.of, RULES[node.op](*symbols), strict=True):
        if part is not None and operand.op != "number" and not operand.is_mask:
            adjoints.add(operand, record.node_of(part, node.op))


def _through_product(
    record: Recording, number: int, products: Sequence[Product], adjoints: Adjoints
) -> Node:
    node, gates = products[number]
    zero = record.graph.number(0.0)
    vector = record.graph.unproject(number, [adjoints.get(gate.id, zero) for gate in gates])
    adjoints.add(node.of[0], vector)
    return vector
