"""Cells in ONNX: standard nodes for RNN, GRU and LSTM, a Scan of the tape for any other."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman import cells
from elman.export.onnx_graph import Graph
from elman.trace import trace
from elman_runtime.program.form import Node
from elman_runtime.tape import Instruction, Tape, split_gate

__all__ = ["cell", "cell_step"]

Array = NDArray[Any]
Values = dict[str, str]

_NODES = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "maximum": "Max",
    "minimum": "Min",
    "copy": "Identity",
    "neg": "Neg",
    "abs": "Abs",
    "relu": "Relu",
    "sqrt": "Sqrt",
    "exp": "Exp",
    "log": "Log",
    "sin": "Sin",
    "cos": "Cos",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
}
_COMPARISONS = {"gt": "Greater", "ge": "GreaterOrEqual", "lt": "Less", "le": "LessOrEqual"}


class Standard(NamedTuple):
    """A node of ONNX: its name, our gates in its order, and its attributes."""

    op: str
    gates: tuple[str, ...]
    attributes: Mapping[str, Any]


@cache
def _standard() -> dict[str, Standard]:
    """Tape -> the node that computes the same."""
    known = {
        cells.RNN: Standard("RNN", ("h",), {"activations": ["Tanh"]}),
        cells.RNNReLU: Standard("RNN", ("h",), {"activations": ["Relu"]}),
        cells.GRU: Standard("GRU", ("z", "r", "n"), {"linear_before_reset": 1}),
        cells.LSTM: Standard("LSTM", ("i", "o", "f", "g"), {}),
    }
    return {_body(trace(kind, backward=False)): node for kind, node in known.items()}


def _body(tape: Tape) -> str:
    """A tape without its name: what it computes."""
    return str(tape).split("\n", 2)[2]


class Weights(NamedTuple):
    """The tensors of a cell's node by role, and the name they go by."""

    tensors: Mapping[str, Array]
    name: str

    def get(self, role: str) -> Array | None:
        """The tensor of a role; None where the cell has none."""
        return self.tensors.get(role)


def cell(
    g: Graph, node: Node, tape: Tape, weights: Weights, inputs: Sequence[str], starts: Sequence[str]
) -> tuple[str, list[str]]:
    """Outputs (B, T, O) and final states of a cell over x (B, T, I) and further inputs (B, T, .)"""
    standard = _standard().get(_body(tape))
    plain = "zoneout" not in node.attrs and weights.get("weight_hr") is None
    if standard is not None and plain and g.dtype == np.float32:
        return _standard_node(g, standard, tape, weights, inputs[0], starts, _reverse(node))
    return _scan(g, node, tape, weights, inputs, starts)


def _reverse(node: Node) -> bool:
    return bool(node.attrs.get("reverse"))


def _standard_node(
    g: Graph,
    standard: Standard,
    tape: Tape,
    weights: Weights,
    x: str,
    starts: Sequence[str],
    reverse: bool,
) -> tuple[str, list[str]]:
    units = weights.tensors["weight_ih"].shape[0] // len(tape.gates)

    def ordered(role: str) -> Array:
        value = weights.get(role)
        if value is None:
            return np.zeros(len(tape.gates) * units, g.dtype)
        rows = value.reshape(len(tape.gates), units, *value.shape[1:])
        order = [tape.gates.index(gate) for gate in standard.gates]
        return rows[order].reshape(value.shape)

    biases = np.concatenate([ordered("bias_ih"), ordered("bias_hh")])
    given = [
        g.add("Transpose", x, perm=[1, 0, 2]),
        g.constant(ordered("weight_ih")[None], f"{weights.name}_W"),
        g.constant(ordered("weight_hh")[None], f"{weights.name}_R"),
        g.constant(biases[None], f"{weights.name}_B"),
        "",
        *(g.unsqueeze(start, 0) for start in starts),
    ]
    attributes = {**standard.attributes, "hidden_size": units}
    direction = "reverse" if reverse else "forward"
    made = g.add(standard.op, *given, outputs=1 + len(starts), direction=direction, **attributes)
    y = g.add("Transpose", g.add("Squeeze", made[0], g.integers(1)), perm=[1, 0, 2])
    return y, [g.add("Squeeze", state, g.integers(0)) for state in made[1:]]


# --- a Scan of the tape --------------------------------------------------------------------------


def _scan(
    g: Graph, node: Node, tape: Tape, weights: Weights, inputs: Sequence[str], starts: Sequence[str]
) -> tuple[str, list[str]]:
    columns = _columns(g, tape, weights, inputs)
    fixed = _fixed(g, tape, weights)
    body = Graph(g.dtype, g)
    held = [body.fresh(f"s_{name}") for name in tape.state]
    here = {place: body.fresh("x") for place in columns}
    y, new = _step(body, node, tape, weights, {**fixed, **here}, held)
    info = g.helper.make_tensor_value_info
    names = [*held, *here.values()]
    graph = g.helper.make_graph(
        body.nodes,
        body.fresh("step"),
        [info(name, g.kind, None) for name in names],
        [info(name, g.kind, None) for name in (*new, y)],
    )
    way, count = int(_reverse(node)), len(columns)
    made = g.add(
        "Scan",
        *starts,
        *columns.values(),
        outputs=len(starts) + 1,
        body=graph,
        num_scan_inputs=count,
        scan_input_axes=[1] * count,
        scan_input_directions=[way] * count,
        scan_output_axes=[1],
        scan_output_directions=[way],
    )
    return made[-1], made[:-1]


def cell_step(
    g: Graph, node: Node, tape: Tape, weights: Weights, inputs: Sequence[str]
) -> list[str]:
    """Output and new states of one step from states that are values, of the rank of x all."""
    count = len(tape.state)
    held = inputs[1 : 1 + count]
    columns = _columns(g, tape, weights, [inputs[0], *inputs[1 + count :]])
    y, new = _step(g, node, tape, weights, {**_fixed(g, tape, weights), **columns}, held)
    return [y, *new]


def _columns(g: Graph, tape: Tape, weights: Weights, inputs: Sequence[str]) -> Values:
    """`x.g` and the further inputs of all steps, of one value a unit or one a row."""
    x, more = inputs[0], list(inputs[1:])
    found: Values = {}
    if tape.gates:
        whole = g.product(x, weights.tensors["weight_ih"], weights.get("bias_ih"), weights.name)
        found = _split(g, whole, [f"x.{gate}" for gate in tape.gates])
    for name in tape.inputs:
        value = x if name == "raw" else more.pop(0)
        found[f"x.{name}"] = value
    return found


def _split(g: Graph, whole: str, places: Sequence[str]) -> Values:
    if len(places) == 1:
        return {places[0]: whole}
    parts = g.add("Split", whole, outputs=len(places), axis=-1, num_outputs=len(places))
    return dict(zip(places, parts, strict=True))


def _fixed(g: Graph, tape: Tape, weights: Weights) -> Values:
    """Parameters, and what is computed of them once."""
    values = {
        f"p.{name}": g.constant(weights.tensors[name], f"{weights.name}_{name}")
        for name in tape.params
    }
    for line in tape.forward.prologue:
        if not line.to.startswith("start."):
            _instruction(g, line, values)
    return values


def _step(
    g: Graph, node: Node, tape: Tape, weights: Weights, values: Values, held: Sequence[str]
) -> tuple[str, list[str]]:
    """Output and new states, in the order of a step in every engine."""
    values |= {f"s.{name}": value for name, value in zip(tape.state, held, strict=True)}
    for line in tape.forward.update:
        if line.op == "project":
            _project(g, tape, weights, line, values)
        else:
            _instruction(g, line, values)
    new = [values[f"new.{name}"] for name in tape.state]
    projection = weights.get("weight_hr")
    if projection is not None:
        new[0] = g.product(new[0], projection, None, f"{weights.name}_hr")
    for k, share in enumerate(node.attrs.get("zoneout", ())):
        moved = g.add("Mul", g.add("Sub", new[k], held[k]), g.number(1.0 - share))
        new[k] = g.add("Add", held[k], moved)
    # An output of a body is written by it, even where it is what came in.
    new = [g.add("Identity", value) for value in new]
    values |= {f"final.{name}": value for name, value in zip(tape.state, new, strict=True)}
    for line in tape.forward.read:
        _instruction(g, line, values)
    read = [values[f"y{k}"] for k in range(len(tape.outputs))] or [new[0]]
    y = g.add("Concat", *read, axis=-1) if len(read) > 1 else g.add("Identity", read[0])
    return y, new


def _project(g: Graph, tape: Tape, weights: Weights, line: Instruction, values: Values) -> None:
    """Gates of a product with U in one, each then with its share of the input where it says +."""
    gates = [split_gate(str(gate)) for gate in line.of[1:]]
    matrix, bias = weights.tensors["weight_hh"], weights.get("bias_hh")
    units = matrix.shape[0] // len(tape.recurrent)
    first = [tape.recurrent.index(gate) * units for gate, _ in gates]
    rows = np.concatenate([np.arange(at, at + units) for at in first])
    name = f"{weights.name}_U_{'_'.join(gate for gate, _ in gates)}"
    whole = g.product(
        values[str(line.of[0])], matrix[rows], None if bias is None else bias[rows], name
    )
    parts = _split(g, whole, [f"{line.to}.{gate}" for gate, _ in gates])
    for gate, added in gates:
        place = f"{line.to}.{gate}"
        values[place] = g.add("Add", parts[place], values[f"x.{gate}"]) if added else parts[place]


def _instruction(g: Graph, line: Instruction, values: Values) -> None:
    of = [values[v] if isinstance(v, str) else g.number(v) for v in line.of]
    if line.op in _NODES:
        made = g.add(_NODES[line.op], *of)
    elif line.op in _COMPARISONS:
        made = g.add("Cast", g.add(_COMPARISONS[line.op], *of), to=g.kind)
    elif line.op == "where":
        made = g.add("Where", g.add("Cast", of[0], to=g.helper.TensorProto.BOOL), *of[1:])
    elif line.op == "mean":
        made = g.add("ReduceMean", of[0], g.integers(-1), keepdims=1)
    else:
        made = g.softplus(of[0]) if line.op == "softplus" else g.expm1(of[0])
    values[line.to] = made
