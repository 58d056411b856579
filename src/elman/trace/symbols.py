"""Symbols: what `update` computes with when it is traced, and what they refuse."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from elman.ops import Symbolic
from elman.trace.errors import TraceError
from elman.trace.graph import Graph, Node
from elman_runtime.tape import OPS

ARITHMETIC = {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div"}
COMPARISONS = ("gt", "ge", "lt", "le")


class Value(Symbolic):
    """A symbol: it has a node, and takes operators and functions of `elman.ops`."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]
    trace: "Recording"

    @property
    @abstractmethod
    def node(self) -> Node:
        """What it stands for."""

    def elman_op(self, name: str, *values: Any) -> "Value":
        """The result of an instruction."""
        return self.trace.apply(name, *values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise TraceError(
            f"a value of a cell has no .{name}",
            "a cell describes one step of one row: it knows no shapes, no time and no methods; "
            "the functions of elman.ops take values as arguments, as in tanh(v)",
        )


class Symbol(Value):
    """A value that was computed, or that stood there."""

    __slots__ = ("node", "trace")
    node: Node

    def __init__(self, trace: "Recording", node: Node) -> None:
        self.trace, self.node = trace, node


class Gate(Value):
    """`u.g`: becomes a product of the first state when it is used, of v when it is called."""

    __slots__ = ("gate", "trace")

    def __init__(self, trace: "Recording", gate: str) -> None:
        self.trace, self.gate = trace, gate

    @property
    def node(self) -> Node:
        return self.trace.project(self.trace.first, self.gate)

    def __call__(self, v: Any) -> Symbol:
        """U_g v + b_g."""
        vector = self.trace.node_of(v, f"u.{self.gate}(v)")
        return Symbol(self.trace, self.trace.project(vector, self.gate))


class Names:
    """`x`, `u` and `p` of a cell."""

    def __init__(self, what: str, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)
        self.__dict__["_what"] = what

    def __getattr__(self, name: str) -> Any:
        known = ", ".join(key for key in vars(self) if key != "_what") or "nothing"
        raise TraceError(
            f"there is no {self._what}.{name}; {self._what} has {known}",
            "declare it in the class body: gates, recurrent, inputs, params or constants",
        )

    def __setattr__(self, name: str, value: Any) -> None:
        raise TraceError(f"{self._what}.{name} is assigned to", f"use a variable: {name} = ...")


class Recording:
    """One trace: the graph, and what the symbols of it have to know."""

    def __init__(self, first: Node, graph: Graph, projected: bool) -> None:
        self.first, self.graph, self.projected = first, graph, projected
        self.named: dict[str, Node] = {}

    def symbol(self, node: Node) -> Symbol:
        """A symbol for a node."""
        return Symbol(self, node)

    def node_of(self, value: Any, what: str) -> Node:
        """The node of an operand."""
        if isinstance(value, Value):
            node = value.node
        elif isinstance(value, int | float | np.number) and not isinstance(value, bool):
            node = self._number(float(value), what)
        else:
            raise TraceError(
                f"{what} has an operand of type {type(value).__name__}",
                "a cell computes with x, u, s, p and numbers; make a tensor a parameter: "
                "params = {'name': elman.init.constant(1.0)}",
            )
        return node

    def _number(self, value: float, what: str) -> Node:
        if not math.isfinite(value):
            raise TraceError(f"{what} has the operand {value}", "use a large finite number")
        return self.graph.number(value)

    def apply(self, name: str, *values: Any) -> Symbol:
        """The result of an operator or of a function of `elman.ops`."""
        if name == "named":
            return self._name(*values)
        if name not in OPS:
            raise TraceError(f"{name} is no instruction", f"there are {', '.join(OPS)}")
        nodes = [self.node_of(v, name) for v in values]
        self._check_masks(name, nodes)
        self._check_projected(name, nodes)
        return Symbol(self, self.graph.apply(name, *nodes))

    def project(self, vector: Node, gate: str) -> Node:
        """A product with U."""
        if vector.is_mask:
            raise TraceError(f"u.{gate}(v) multiplies a comparison", "use where(mask, a, b)")
        if not vector.wide:
            raise TraceError(
                f"u.{gate}(v) multiplies one value a row, and needs one a unit",
                "spread it over the units, as in mean(v) + 0.0 * s.h",
            )
        if self.projected and vector is not self.first:
            raise TraceError(
                f"u.{gate}(v) multiplies a computed vector, and the first state is projected",
                "set proj_size=0: U is as wide as the projected state",
            )
        return self.graph.project(vector, gate)

    def _name(self, name: str, value: Value) -> Symbol:
        node = value.node
        if self.named.setdefault(name, node) is not node:
            raise TraceError(f"two values are named {name!r}", "give each a name of its own")
        return Symbol(self, node)

    def _check_masks(self, name: str, nodes: list[Node]) -> None:
        if name == "where":
            if not nodes[0].is_mask:
                raise TraceError(
                    "where() has a condition that is no comparison", "write where(v > 0, a, b)"
                )
            nodes = nodes[1:]
        masks = [n for n in nodes if n.is_mask]
        # torch multiplies a mask by a tensor, but knows no other arithmetic with it that is the
        # same on NumPy arrays.
        others = [n for n in nodes if not n.is_mask and n.op != "number"]
        if masks and (name not in ("add", "sub", "mul") or not others):
            raise TraceError(
                f"{name} has a comparison as an operand", "use where(mask, 1.0, 0.0) as a number"
            )

    def _check_projected(self, name: str, nodes: list[Node]) -> None:
        narrow = {self.first.label, self.first.label.replace("s.", "final.")}
        if self.projected and any(n.op == "leaf" and n.label in narrow for n in nodes):
            raise TraceError(
                f"{name} reads {self.first.label}, which is projected and so narrower",
                "set proj_size=0, or read the first state through u alone",
            )


def _install() -> None:
    for python, op in (*ARITHMETIC.items(), *((c, c) for c in COMPARISONS)):

        def forward(self: Value, other: Any, op: str = op) -> Value:
            return self.trace.apply(op, self, other)

        def backward(self: Value, other: Any, op: str = op) -> Value:
            return self.trace.apply(op, other, self)

        setattr(Value, f"__{python}__", forward)
        if python in ARITHMETIC:  # Python turns a comparison round by itself.
            setattr(Value, f"__r{python}__", backward)
    setattr(Value, "__neg__", lambda self: self.trace.apply("neg", self))  # noqa: B010
    setattr(Value, "__abs__", lambda self: self.trace.apply("abs", self))  # noqa: B010
    for names, (rule, repair) in _REFUSED.items():
        for name in names.split():
            setattr(Value, f"__{name}__", _refusing(rule, repair))


def _refusing(rule: str, repair: str) -> Any:
    def method(*_: Any, **__: Any) -> Any:
        raise TraceError(rule, repair)

    # torch wants its own a class method.
    return classmethod(method)


_REFUSED = {
    "bool": (
        "a value of a cell is neither true nor false while it is traced",
        "write where(v > 0, a, b) instead of if, and, or, not, a chained comparison, min or max",
    ),
    "float int complex index round trunc floor ceil": (
        "a value of a cell is not a number while it is traced",
        "use the functions of elman.ops, as in elman.ops.exp instead of math.exp",
    ),
    "len iter getitem setitem contains reversed": (
        "a value of a cell is not a sequence",
        "a cell describes one unit of one row at one step; use gates or states of their own",
    ),
    "array array_function torch_function": (
        "a function of NumPy or torch is called with a value of a cell",
        "use the functions of elman.ops, as in elman.ops.tanh instead of torch.tanh",
    ),
    "iadd isub imul itruediv": (
        "a value of a cell is changed in place",
        "write v = v + w, which makes a new value",
    ),
    "pow rpow ipow": ("** is no instruction", "write v * v, or exp(a * log(v))"),
    "eq ne": ("== and != are no instructions", "compare with <, <=, > or >="),
    "mod rmod floordiv rfloordiv matmul rmatmul and rand or ror xor rxor invert pos lshift "
    "rshift divmod": (
        "this operator is no instruction",
        "an update uses + - * /, comparisons and the functions of elman.ops",
    ),
}
_install()
