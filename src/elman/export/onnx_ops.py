"""How each operation of a program is written in ONNX."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.export import onnx_cells
from elman.export.onnx_graph import END, Graph
from elman_runtime.program import Typed
from elman_runtime.program.form import Node
from elman_runtime.tape import Tape

__all__ = ["Walk"]

Array = NDArray[Any]
Made = str | list[str]


@dataclass
class Walk:
    """A program on its way into a graph: names of values in ONNX by their name in the program."""

    g: Graph
    tensors: Mapping[str, Array]
    tapes: tuple[Tape, ...]
    shapes: Mapping[str, Typed]
    values: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    def node(self, node: Node) -> None:
        """Write one operation."""
        given = [self.values[name] for name in node.inputs]
        made = _OPS[node.op](self, node, given)
        names = made if isinstance(made, list) else [made]
        self.values.update(zip(node.outputs, names, strict=False))

    def tensor(self, node: Node, role: str) -> Array | None:
        """A parameter of a node; None where it has none of this role."""
        return self.tensors[node.params[role]] if role in node.params else None

    def stored(self, node: Node, role: str) -> str:
        """A parameter that a node has, as a constant of the graph."""
        name = node.params[role]
        return self.g.constant(self.tensors[name], name)

    def rank(self, value: str) -> int:
        """How many axes a value has, the batch among them."""
        return len(self.shapes[value].shape) + 1

    def level(self, node: Node, given: list[str], rank: int) -> list[str]:
        """Values with the axes that they lack after the batch."""
        pairs = zip(node.inputs, given, strict=True)
        return [self.g.unsqueeze(v, *range(1, 1 + rank - self.rank(name))) for name, v in pairs]

    def weights(self, node: Node) -> onnx_cells.Weights:
        """The tensors of a cell's node."""
        tensors = {role: self.tensors[name] for role, name in node.params.items()}
        return onnx_cells.Weights(tensors, node.params["weight_ih"])


# --- cells and what carries a state --------------------------------------------------------------


def _cell(w: Walk, node: Node, given: list[str]) -> Made:
    pairs = zip(node.inputs, given, strict=True)
    columns = [v if w.rank(name) == 3 else w.g.unsqueeze(v, -1) for name, v in pairs]
    starts = [w.states[name] for name in node.states]
    tape = w.tapes[node.attrs["tape"]]
    y, final = onnx_cells.cell(w.g, node, tape, w.weights(node), columns, starts)
    w.states.update(zip(node.states, final, strict=True))
    return [y, *final]


def _cell_step(w: Walk, node: Node, given: list[str]) -> Made:
    tape, rank = w.tapes[node.attrs["tape"]], w.rank(node.inputs[0])
    count = 1 + len(tape.state)
    held = w.level(node, given, rank)[:count]
    rest = zip(node.inputs[count:], given[count:], strict=True)
    further = [v if w.rank(name) == rank else w.g.unsqueeze(v, -1) for name, v in rest]
    return onnx_cells.cell_step(w.g, node, tape, w.weights(node), [*held, *further])


def _running(w: Walk, node: Node, given: list[str]) -> Made:
    """max: Scan of the larger, from the first value where there was none; mean: of the count."""
    g, (count, value) = w.g, (w.states[name] for name in node.states)
    body = Graph(g.dtype, g)
    n, held, x = (body.fresh(name) for name in ("n", "held", "x"))
    more = body.add("Add", n, body.number(1.0))
    if node.attrs["how"] == "max":
        some = body.add("Greater", n, body.number(0.0))
        new = body.add("Where", some, body.add("Max", held, x), x)
    else:
        new = body.add("Add", held, body.add("Div", body.add("Sub", x, held), more))
    info = g.helper.make_tensor_value_info
    outputs = [more, new, body.add("Identity", new)]
    graph = g.helper.make_graph(
        body.nodes,
        body.fresh("running"),
        [info(name, g.kind, None) for name in (n, held, x)],
        [info(name, g.kind, None) for name in outputs],
    )
    made = g.add(
        "Scan",
        count,
        value,
        given[0],
        outputs=3,
        body=graph,
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_output_axes=[1],
    )
    w.states.update(zip(node.states, made[:2], strict=True))
    return str(made[2])


def _conv(w: Walk, node: Node, given: list[str]) -> Made:
    """One product for each tap: in every dtype, and with the axes as they lie."""
    g, gap = w.g, node.attrs["dilation"]
    weight, name = w.tensors[node.params["weight"]], node.params["weight"]
    before = (weight.shape[2] - 1) * gap
    whole = g.add("Concat", w.states[node.states[0]], given[0], axis=1)
    made = ""
    for k in range(weight.shape[2]):
        end = k * gap - before
        part = g.range(whole, k * gap, end or END, 1)
        tap = g.product(part, weight[:, :, k], None, f"{name}_{k}")
        made = g.add("Add", made, tap) if made else tap
    if before:
        w.states[node.states[0]] = g.range(whole, -before, END, 1)
    return g.add("Add", made, w.stored(node, "bias")) if "bias" in node.params else made


def _last(w: Walk, _: Node, given: list[str]) -> Made:
    made: str = w.g.add("Gather", given[0], w.g.constant(np.array(-1), "last"), axis=1)
    return made


def _pool(w: Walk, node: Node, given: list[str]) -> Made:
    op = "ReduceMax" if node.attrs["how"] == "max" else "ReduceMean"
    made: str = w.g.add(op, given[0], w.g.integers(1), keepdims=0)
    return made


def _attention(w: Walk, node: Node, given: list[str]) -> Made:
    """Queries (B, n, A) over keys (B, T, A); one query without n is one of one."""
    g, (query, keys, values) = w.g, given
    rank = w.rank(node.inputs[0])
    if rank > 3:
        raise ValueError("attention: ONNX takes one axis of queries at most")
    rows = g.unsqueeze(query, *([1, 2] if rank == 2 else [2]))
    v = w.tensor(node, "v")
    assert v is not None  # every attention has one
    mixed = g.add("Tanh", g.add("Add", rows, g.unsqueeze(keys, 1)))
    scores = g.product(mixed, v[None], None, node.params["v"])
    weights = g.add("Softmax", g.add("Squeeze", scores, g.integers(-1)), axis=-1)
    context = g.add("MatMul", weights, values)
    if rank == 2:
        context, weights = (g.add("Squeeze", made, g.integers(1)) for made in (context, weights))
    return [context, weights]


# --- element by element --------------------------------------------------------------------------


def _embedding(w: Walk, node: Node, given: list[str]) -> Made:
    made: str = w.g.add("Gather", w.stored(node, "weight"), given[0], axis=0)
    return made


def _linear(w: Walk, node: Node, given: list[str]) -> Made:
    weight, bias = w.tensors[node.params["weight"]], w.tensor(node, "bias")
    return w.g.product(given[0], weight, bias, node.params["weight"])


def _layer_norm(w: Walk, node: Node, given: list[str]) -> Made:
    g = w.g
    centred = g.add("Sub", given[0], g.add("ReduceMean", given[0], g.integers(-1), keepdims=1))
    spread = g.add("ReduceMean", g.add("Mul", centred, centred), g.integers(-1), keepdims=1)
    root = g.add("Sqrt", g.add("Add", spread, g.number(node.attrs["eps"])))
    return _scaled(w, node, g.add("Div", centred, root), ("weight", "bias"))


def _affine(w: Walk, node: Node, given: list[str]) -> Made:
    return _scaled(w, node, given[0], ("scale", "shift"))


def _scaled(w: Walk, node: Node, x: str, roles: tuple[str, str]) -> str:
    for op, role in zip(("Mul", "Add"), roles, strict=True):
        x = w.g.add(op, x, w.stored(node, role)) if role in node.params else x
    return x


def _constant(w: Walk, node: Node, _: list[str]) -> Made:
    like = next(iter(w.values.values()))
    value = w.tensors[node.params["value"]]
    return w.g.spread(value, like, node.params["value"])


def _scale(w: Walk, node: Node, given: list[str]) -> Made:
    factor, shift = (w.g.number(node.attrs[key]) for key in ("factor", "shift"))
    made: str = w.g.add("Add", w.g.add("Mul", given[0], factor), shift)
    return made


def _concat(w: Walk, _: Node, given: list[str]) -> Made:
    made: str = w.g.add("Concat", *given, axis=-1)
    return made


def _slice(w: Walk, node: Node, given: list[str]) -> Made:
    axis = 1 if node.attrs["axis"] == "first" else -1
    return w.g.range(given[0], node.attrs["start"], node.attrs["stop"], axis)


def _reshape(w: Walk, node: Node, given: list[str]) -> Made:
    # 0 takes the size of the batch as it is.
    made: str = w.g.add("Reshape", given[0], w.g.integers(0, *node.attrs["shape"]))
    return made


def _repeat(w: Walk, node: Node, given: list[str]) -> Made:
    one = w.g.unsqueeze(given[0], 1)
    rest = [1] * (w.rank(node.inputs[0]) - 1)
    made: str = w.g.add("Expand", one, w.g.integers(1, node.attrs["n"], *rest))
    return made


def _gelu(w: Walk, _: Node, given: list[str]) -> Made:
    g, x = w.g, given[0]
    share = g.add("Erf", g.add("Mul", x, g.number(math.sqrt(0.5))))
    half = g.add("Mul", g.add("Add", share, g.number(1.0)), g.number(0.5))
    made: str = g.add("Mul", x, half)
    return made


def _plain(op: str, **attributes: Any) -> Callable[..., Made]:
    return lambda w, _, given: str(w.g.add(op, given[0], **attributes))


def _two(op: str) -> Callable[..., Made]:
    def write(w: Walk, node: Node, given: list[str]) -> Made:
        level = w.level(node, given, max(map(w.rank, node.inputs)))
        made: str = w.g.add(op, *level)
        return made

    return write


_OPS: dict[str, Callable[[Walk, Node, list[str]], Made]] = {
    "cell": _cell,
    "cell_step": _cell_step,
    "running": _running,
    "conv": _conv,
    "last": _last,
    "pool": _pool,
    "attention": _attention,
    "embedding": _embedding,
    "linear": _linear,
    "layer_norm": _layer_norm,
    "affine": _affine,
    "constant": _constant,
    "scale": _scale,
    "concat": _concat,
    "slice": _slice,
    "reshape": _reshape,
    "repeat": _repeat,
    "gelu": _gelu,
    "softplus": lambda w, _, given: w.g.softplus(given[0]),
    "softmax": _plain("Softmax", axis=-1),
    "log_softmax": _plain("LogSoftmax", axis=-1),
    **{op.lower(): _plain(op) for op in ("Sigmoid", "Tanh", "Relu", "Exp", "Log", "Neg", "Abs")},
    "sqrt": _plain("Sqrt"),
    **{op.lower(): _two(op) for op in ("Add", "Sub", "Mul", "Div")},
    "maximum": _two("Max"),
    "minimum": _two("Min"),
}
