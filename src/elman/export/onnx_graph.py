"""An ONNX graph in the making. onnx is imported when one is made, for it is optional."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Graph"]

Array = NDArray[Any]
END = np.iinfo(np.int64).max


class Graph:
    """Nodes and constants; names of values are strings, axes lie as in a program: batch first.

    A graph `within` another, the body of a Scan, reads the other's values and keeps its constants
    there.
    """

    def __init__(
        self, dtype: np.dtype[Any], within: "Graph | None" = None, taken: Iterable[str] = ()
    ) -> None:
        from onnx import helper, numpy_helper

        self.helper: Any = helper
        self.numpy_helper: Any = numpy_helper
        self.taken = frozenset(taken)
        self.dtype = dtype
        self.nodes: list[Any] = []
        self.root: Graph = self if within is None else within.root
        self.initializers: dict[str, Array] = {} if within is None else within.root.initializers
        self.count = 0

    @property
    def kind(self) -> int:
        """The number that ONNX has for the dtype of floats."""
        return int(self.helper.np_dtype_to_tensor_dtype(self.dtype))

    def fresh(self, hint: str) -> str:
        """A name that nothing has."""
        self.root.count += 1
        return f"{hint}__{self.root.count}"

    def constant(self, value: Array, name: str = "constant") -> str:
        """A tensor of the graph; equal ones of one name are stored once."""
        found = self.initializers.get(name)
        same = found is not None and found.dtype == value.dtype and np.array_equal(found, value)
        if name in self.root.taken or (found is not None and not same):
            name = self.fresh(name)
        self.initializers[name] = value
        return name

    def number(self, value: float) -> str:
        """A single number in the dtype of the graph."""
        return self.constant(np.array(value, self.dtype), f"number_{value!r}")

    def integers(self, *values: int) -> str:
        """A list of integers, as axes and shapes are given."""
        name = "integers_" + "_".join(map(str, values))
        return self.constant(np.array(values, np.int64), name)

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """One node; the name of its output, or a list of them."""
        names = [self.fresh(op.lower()) for _ in range(outputs)]
        self.nodes.append(self.helper.make_node(op, list(inputs), names, **attributes))
        return names if outputs > 1 else names[0]

    def name(self, value: str, name: str) -> None:
        """Give a value a name that is seen outside."""
        self.nodes.append(self.helper.make_node("Identity", [value], [name]))

    # --- what many operations need ---------------------------------------------------------------

    def product(self, x: str, weight: Array, bias: Array | None, name: str) -> str:
        """x (..., I) times weight (O, I), transposed, plus bias (O,)."""
        turned = np.ascontiguousarray(weight.T)
        made: str = self.add("MatMul", x, self.constant(turned, f"{name}_transposed"))
        return made if bias is None else self.add("Add", made, self.constant(bias, f"{name}_bias"))

    def unsqueeze(self, x: str, *axes: int) -> str:
        """Axes of one."""
        made: str = self.add("Unsqueeze", x, self.integers(*axes)) if axes else x
        return made

    def range(self, x: str, start: int, stop: int, axis: int) -> str:
        """Entries start to stop along an axis."""
        made: str = self.add(
            "Slice", x, self.integers(start), self.integers(stop), self.integers(axis)
        )
        return made

    def spread(self, value: Array, like: str, name: str) -> str:
        """A tensor for each row of the batch of `like`."""
        row = self.constant(value[None], name)
        batch = self.add("Shape", like, start=0, end=1)
        shape = self.add("Concat", batch, self.integers(*value.shape), axis=0)
        made: str = self.add("Expand", row, shape if value.ndim else batch)
        return made

    def softplus(self, x: str) -> str:
        """As torch has it: the identity above 20."""
        bound = self.number(20.0)
        soft = self.add("Softplus", self.add("Min", x, bound))
        made: str = self.add("Where", self.add("Greater", x, bound), x, soft)
        return made

    def expm1(self, x: str) -> str:
        """exp(x) - 1, accurate near zero: 2 t / (1 - t) with t = tanh(x / 2)."""
        one, two = self.number(1.0), self.number(2.0)
        t = self.add("Tanh", self.add("Div", x, two))
        near = self.add("Div", self.add("Mul", two, t), self.add("Sub", one, t))
        far = self.add("Sub", self.add("Exp", x), one)
        small = self.add("Less", self.add("Abs", x), self.number(0.5))
        made: str = self.add("Where", small, near, far)
        return made
