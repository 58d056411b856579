"""What each op computes, in NumPy: of values (B, *shape), contiguous or not.

An op of `PLAIN` maps arrays to an array, one of `PURE` with its parameters and attributes. One of
`OVER_TIME` also takes `valid` (B, T), false beyond a row's length, or None; one of `CARRYING` its
states too, and returns those after each row's last valid step.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman_runtime.program.cells import WEIGHTS, cell_width
from elman_runtime.program.facts import Facts
from elman_runtime.program.form import Node
from elman_runtime.program.ops import ONE, TWO
from elman_runtime.tape import Weights
from elman_runtime.tape.interpret import Layer, further_inputs, where_rows
from elman_runtime.tape.vocabulary import OPS as UNITS

Array = NDArray[Any]
Arrays = tuple[Array, ...]
Valid = Array | None


@dataclass(frozen=True)
class Bound:
    """A node with its arrays: `params` by role, of a cell its layer and the width of its output."""

    node: Node
    facts: Facts
    params: Mapping[str, Array]
    dtype: np.dtype[Any]
    layer: Layer | None = None
    width: int = 0

    @classmethod
    def of(
        cls, node: Node, facts: Facts, tensors: Mapping[str, Array], dtype: np.dtype[Any]
    ) -> "Bound":
        """Look up the tensors of a node; the prologue of a cell's tape runs here."""
        params = {role: tensors[name] for role, name in node.params.items()}
        layer, width = None, 0
        if facts.tape is not None:
            own = {name: params[name] for name in facts.tape.params}
            weights = Weights(**{role: params.get(role) for role in WEIGHTS}, params=own)  # type: ignore[arg-type]
            layer = Layer(facts.tape, weights, dtype)
            width = cell_width(facts.tape, facts.params)
        return cls(node, facts, params, dtype, layer, width)

    def number(self, key: str) -> Any:
        """An attribute in the dtype of the program."""
        return self.dtype.type(self.facts.attrs[key])


def product(x: Array, weight: Array) -> Array:
    """(..., I) times weight (O, I), transposed; of one vector, it is weight @ x."""
    rows, width = weight.shape
    if x.size == width:
        return (weight @ x.reshape(width)).reshape(*x.shape[:-1], rows)
    return x @ weight.T


# --- pure ----------------------------------------------------------------------------------------


def _embedding(b: Bound, tokens: Array) -> Array:
    weight = b.params["weight"]
    if tokens.size and not 0 <= int(tokens.min()) <= int(tokens.max()) < len(weight):
        wrong = int(tokens.min()) if tokens.min() < 0 else int(tokens.max())
        raise ValueError(
            f"inputs: {b.node.inputs[0]!r} holds {wrong}; the embedding has the rows 0 to "
            f"{len(weight) - 1}; map unknown entries to one of them"
        )
    found: Array = weight[tokens]
    return found


def _linear(b: Bound, x: Array) -> Array:
    made = product(x, b.params["weight"])
    return made + b.params["bias"] if "bias" in b.params else made


def _layer_norm(b: Bound, x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    made: Array = centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + b.number("eps"))
    made = made * b.params["weight"] if "weight" in b.params else made
    return made + b.params["bias"] if "bias" in b.params else made


def _affine(b: Bound, x: Array) -> Array:
    made = x * b.params["scale"] if "scale" in b.params else x
    return made + b.params["shift"] if "shift" in b.params else made


def _gelu(b: Bound, x: Array) -> Array:
    found = np.fromiter(map(math.erf, (x.ravel() * math.sqrt(0.5)).tolist()), np.float64, x.size)
    made: Array = x * (0.5 * (1 + found)).reshape(x.shape).astype(b.dtype)
    return made


def _softmax(x: Array) -> Array:
    raised = np.exp(x - x.max(-1, keepdims=True))
    made: Array = raised / raised.sum(-1, keepdims=True)
    return made


def _log_softmax(x: Array) -> Array:
    lowered = x - x.max(-1, keepdims=True)
    made: Array = lowered - np.log(np.exp(lowered).sum(-1, keepdims=True))
    return made


def _concat(*values: Array) -> Array:
    return np.concatenate(values, -1)


def _slice(b: Bound, x: Array) -> Array:
    part = slice(b.facts.attrs["start"], b.facts.attrs["stop"])
    return x[:, part] if b.facts.attrs["axis"] == "first" else x[..., part]


def _reshape(b: Bound, x: Array) -> Array:
    return x.reshape(len(x), *b.facts.attrs["shape"])


def _repeat(b: Bound, x: Array) -> Array:
    n = b.facts.attrs["n"]
    return np.broadcast_to(x[:, None], (len(x), n, *x.shape[1:]))


def _scale(b: Bound, x: Array) -> Array:
    made: Array = x * b.number("factor") + b.number("shift")
    return made


def _two(compute: Callable[..., Any]) -> Callable[..., Array]:
    def of(x: Array, y: Array) -> Array:
        # Axes that NumPy would add come after the batch.
        rank = max(x.ndim, y.ndim)
        x, y = (v.reshape(len(v), *(1,) * (rank - v.ndim), *v.shape[1:]) for v in (x, y))
        found: Array = compute(x, y)
        return found

    return of


PLAIN: dict[str, Callable[..., Array]] = {
    **{name: UNITS[name].compute for name in ONE.split() if name in UNITS},
    **{name: _two(UNITS[name].compute) for name in TWO.split()},
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "concat": _concat,
}
PURE: dict[str, Callable[..., Array]] = {
    "embedding": _embedding,
    "linear": _linear,
    "layer_norm": _layer_norm,
    "affine": _affine,
    "gelu": _gelu,
    "slice": _slice,
    "reshape": _reshape,
    "repeat": _repeat,
    "scale": _scale,
}


# --- over time -----------------------------------------------------------------------------------


def _lengths(x: Array, valid: Valid) -> Array:
    return np.full(len(x), x.shape[1]) if valid is None else valid.sum(1)


def _last(_: Bound, inputs: Arrays, valid: Valid) -> Arrays:
    x = inputs[0]
    if not x.shape[1]:
        return (np.zeros((len(x), x.shape[2]), x.dtype),)
    lengths = _lengths(x, valid)
    found = x[np.arange(len(x)), np.maximum(lengths, 1) - 1]
    return (np.where(lengths[:, None] > 0, found, 0),)


def _pool(b: Bound, inputs: Arrays, valid: Valid) -> Arrays:
    x, lengths = inputs[0], _lengths(inputs[0], valid)[:, None]
    mask = np.ones(x.shape[:2], bool) if valid is None else valid
    if b.facts.attrs["how"] == "max":
        lowest = np.where(mask[..., None], x, -np.inf).max(1, initial=-np.inf)
        return (np.where(lengths > 0, lowest, 0).astype(x.dtype),)
    total = np.where(mask[..., None], x, 0).sum(1)
    return (total / np.maximum(lengths, 1).astype(x.dtype),)


def _running(b: Bound, inputs: Arrays, states: Arrays, valid: Valid) -> tuple[Arrays, Arrays]:
    x, (count, value) = inputs[0], states
    made = np.empty_like(x)
    for t in range(x.shape[1]):
        more = count + 1
        if b.facts.attrs["how"] == "max":
            new = np.where(count > 0, np.maximum(value, x[:, t]), x[:, t])
        else:
            new = value + (x[:, t] - value) / more
        rows = np.ones(len(x), bool) if valid is None else valid[:, t]
        count, value = where_rows(rows, (more, new), (count, value))
        made[:, t] = value
    return (made,), (count, value)


def _conv(b: Bound, inputs: Arrays, states: Arrays, valid: Valid) -> tuple[Arrays, Arrays]:
    x, (before,) = inputs[0], states
    weight, gap = b.params["weight"], b.facts.attrs["dilation"]
    steps, held = x.shape[1], before.shape[1]
    whole = np.concatenate([before, x], 1)
    made = np.zeros((*x.shape[:2], len(weight)), b.dtype)
    for k in range(weight.shape[2]):
        made += product(whole[:, k * gap : k * gap + steps], weight[:, :, k])
    made = made + b.params["bias"] if "bias" in b.params else made
    rows = np.arange(len(x))[:, None]
    return (made,), (whole[rows, _lengths(x, valid)[:, None] + np.arange(held)],)


def _attention(b: Bound, inputs: Arrays, valid: Valid) -> Arrays:
    query, keys, values = inputs
    leading = query.shape[:-1]
    several = query.reshape(len(query), math.prod(leading[1:]), query.shape[-1])
    weights = np.empty((*several.shape[:2], keys.shape[1]), b.dtype)
    for k in range(several.shape[1]):  # one by one: all at once would take (B, N, T, A)
        weights[:, k] = _attended(np.tanh(several[:, k, None] + keys) @ b.params["v"], valid)
    made = weights @ values
    return made.reshape(*leading, values.shape[2]), weights.reshape(*leading, keys.shape[1])


def _attended(scores: Array, valid: Valid) -> Array:
    """Softmax over the valid steps (B, T); zeros where there is none."""
    scores = scores if valid is None else np.where(valid, scores, -np.inf)
    top = scores.max(-1, keepdims=True, initial=-np.inf)
    raised = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = raised.sum(-1, keepdims=True)
    made: Array = raised / np.where(total == 0, 1, total)
    return made


def _cell(b: Bound, inputs: Arrays, states: Arrays, valid: Valid) -> tuple[Arrays, Arrays]:
    layer = b.layer
    assert layer is not None  # `Bound.of` made it
    x, order = inputs[0], None
    if b.facts.attrs["reverse"]:
        order = _reversed(x, valid)
        inputs = tuple(v[np.arange(len(v))[:, None], order] for v in inputs)
        x = inputs[0]
    names = [name for name in layer.tape.inputs if name != "raw"]
    given = dict(zip(names, inputs[1:], strict=True))
    columns = layer.columns(x, further_inputs(layer.tape, layer.units, x, given))
    keep = tuple(1 - share for share in b.facts.attrs["zoneout"]) or None
    output = np.empty((*x.shape[:2], b.width), b.dtype)
    now = states
    for t in range(x.shape[1]):
        y, new, _ = layer.step({k: v[:, t] for k, v in columns.items()}, now, keep)
        rows = np.ones(len(x), bool) if valid is None else valid[:, t]
        output[:, t] = np.where(rows[:, None], y, 0)
        now = where_rows(rows, new, now)
    output = output if order is None else output[np.arange(len(x))[:, None], order]
    return (output, *(now if b.facts.attrs["final"] else ())), now


def _cell_step(b: Bound, inputs: Arrays, _: Valid) -> Arrays:
    """One step from states that are values: (B, ..., I) and (B, S) or (B, ..., S) each."""
    layer, x = b.layer, inputs[0]
    assert layer is not None  # `Bound.of` made it
    rows, count = x.shape[:-1], len(layer.tape.state)
    # Axes that a state lacks come after the batch.
    given = (
        v.reshape(len(v), *(1,) * (x.ndim - v.ndim), *v.shape[1:]) for v in inputs[1 : 1 + count]
    )
    held = tuple(np.broadcast_to(v, (*rows, v.shape[-1])) for v in given)
    names = [name for name in layer.tape.inputs if name != "raw"]
    further = dict(zip(names, inputs[1 + count :], strict=True))
    columns = layer.columns(x, further_inputs(layer.tape, layer.units, x, further))
    keep = tuple(1 - share for share in b.facts.attrs["zoneout"]) or None
    y, new = layer.step(columns, held, keep)[:2]
    return (y, *new)


def _reversed(x: Array, valid: Valid) -> Array:
    """For each row the steps from its last valid one to its first, then its padding."""
    steps, lengths = np.arange(x.shape[1]), _lengths(x, valid)[:, None]
    return np.where(steps < lengths, lengths - 1 - steps, steps)


OVER_TIME: dict[str, Callable[[Bound, Arrays, Valid], Arrays]] = {
    "last": _last,
    "pool": _pool,
    "attention": _attention,
    "cell_step": _cell_step,
}
CARRYING: dict[str, Callable[[Bound, Arrays, Arrays, Valid], tuple[Arrays, Arrays]]] = {
    "running": _running,
    "conv": _conv,
    "cell": _cell,
}
