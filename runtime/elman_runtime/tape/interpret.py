"""Run tapes forwards on NumPy arrays: the slow twin of every engine that runs them.

Axes: B batch, T time, I input, H units, P the first state's size (H unless `weight_hr` makes it
smaller), O outputs. float32 and float64; the dtype of `x` is that of everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from elman_runtime.tape.form import Instruction, Place, Section, Tape, split_gate
from elman_runtime.tape.vocabulary import OPS, Array

Values = dict[str, Array]
State = tuple[Array, ...]


@dataclass(frozen=True)
class Weights:
    """The parameters of one layer in one direction; G gates, R recurrent gates."""

    weight_ih: Array  # (G*H, I)
    weight_hh: Array | None = None  # (R*H, P)
    bias_ih: Array | None = None  # (G*H,)
    bias_hh: Array | None = None  # (R*H,)
    weight_hr: Array | None = None  # (P, H)
    params: Mapping[str, Array] = field(default_factory=dict)  # each (H,)


@dataclass
class Run:
    """What `forward` returns: outputs (B, T, O), zero beyond a length, and the final state."""

    output: Array
    state: State
    x: Array
    inputs: dict[str, Array]
    fixed: Values
    steps: list[Values]
    """Of each step, the values that last: what a backward tape may read."""
    valid: Array  # (B, T)
    reset: Array  # (B, T)
    given: bool
    keep: tuple[float, ...] | None


class Layer:
    """A tape with the weights it runs on."""

    def __init__(self, tape: Tape, weights: Weights, dtype: Any) -> None:
        self.tape, self.weights = tape, weights
        self.units = weights.weight_ih.shape[0] // max(1, len(tape.gates))
        self.dtype = np.dtype(dtype)
        self.fixed = {f"p.{name}": weights.params[name] for name in tape.params}
        self.run(tape.forward.prologue, self.fixed, ())

    def run(self, section: Section, values: Values, rows: tuple[int, ...]) -> None:
        """Execute a section for all rows; `values` gains what it writes."""
        products = {"project": self._project, "unproject": self._unproject}
        for line in section:
            if line.op in products:
                products[line.op](line, values)
                continue
            operands = (values[v] if isinstance(v, str) else self.dtype.type(v) for v in line.of)
            values[line.to] = self._fit(OPS[line.op].compute(*operands), line, rows)

    def _fit(self, value: Any, line: Instruction, rows: tuple[int, ...]) -> Array:
        """As wide as the place it goes to; the first state's copies are as wide as it is."""
        if self._is_narrow(line.to):
            return np.broadcast_to(np.asarray(value, self.dtype), (*rows, 1))
        wide = any(isinstance(v, str) and not self._is_narrow(v) for v in line.of)
        last = value.shape[-1] if wide else self.units
        return np.broadcast_to(np.asarray(value, self.dtype), (*rows, last))

    def _is_narrow(self, place: str) -> bool:
        space, number, _ = Place.of(place)
        if space in ("y", "dy") and number is not None:
            return self.tape.outputs[number] == "1"
        return space in ("q", "w")

    def block(self, gate: str) -> slice:
        """The rows of U that belong to a recurrent gate."""
        first = self.tape.recurrent.index(gate) * self.units
        return slice(first, first + self.units)

    def _project(self, line: Instruction, values: Values) -> None:
        matrix, bias = _needed(self.weights.weight_hh), self.weights.bias_hh
        for gate, added in map(split_gate, map(str, line.of[1:])):
            rows = self.block(gate)
            product = values[str(line.of[0])] @ matrix[rows].T
            product = product if bias is None else product + bias[rows]
            values[f"{line.to}.{gate}"] = product + values[f"x.{gate}"] if added else product

    def _unproject(self, line: Instruction, values: Values) -> None:
        product = self.tape.products[int(line.to[1:])]
        gates = [split_gate(str(gate))[0] for gate in product.of[1:]]
        matrix = _needed(self.weights.weight_hh)
        pairs = zip(gates, line.of, strict=True)
        values[line.to] = sum(values[str(d)] @ matrix[self.block(g)] for g, d in pairs)  # type: ignore[assignment]

    def start(self, batch: int) -> State:
        """The state before the first step, (B, H) each and (B, P) the first."""
        names, first = self.tape.state, self.weights.weight_hr
        widths = [self.units if first is None else first.shape[0], *[self.units] * (len(names) - 1)]
        values = (self.fixed.get(f"start.{name}", np.zeros(1, self.dtype)) for name in names)
        return tuple(np.broadcast_to(v, (batch, w)) for v, w in zip(values, widths, strict=True))

    def columns(self, x: Array, inputs: Mapping[str, Array]) -> Values:
        """`x.g` and `x.dt` for one step or many: (..., I) becomes (..., H) each."""
        product = x @ self.weights.weight_ih.T
        product = product if self.weights.bias_ih is None else product + self.weights.bias_ih
        gates = self.tape.gates
        found = dict(zip(gates, np.split(product, len(gates), -1), strict=True)) if gates else {}
        return {f"x.{name}": value for name, value in (found | dict(inputs)).items()}

    def step(
        self, columns: Values, state: State, keep: tuple[float, ...] | None
    ) -> tuple[Array, State, Values]:
        """Output, new state, and all values of a step, in the order of a step in every engine."""
        rows, names = state[0].shape[:-1], self.tape.state
        values = {**self.fixed, **columns}
        values |= {f"s.{name}": value for name, value in zip(names, state, strict=True)}
        self.run(self.tape.forward.update, values, rows)
        new = [values[f"new.{name}"] for name in names]
        if self.weights.weight_hr is not None:
            new[0] = new[0] @ self.weights.weight_hr.T
        for k, share in enumerate(keep or ()):
            new[k] = state[k] + self.dtype.type(share) * (new[k] - state[k])
        values |= {f"final.{name}": value for name, value in zip(names, new, strict=True)}
        self.run(self.tape.forward.read, values, rows)
        found = [values[f"y{k}"] for k in range(len(self.tape.outputs))]
        return np.concatenate(found, -1) if found else new[0], tuple(new), values


def step(
    tape: Tape,
    weights: Weights,
    x: Array,
    state: State | None = None,
    *,
    inputs: Mapping[str, Array] | None = None,
    keep: tuple[float, ...] | None = None,
) -> tuple[Array, State]:
    """One step: x (B, I), state (B, H) each, inputs (B,) or (B, H); returns output and state."""
    layer = Layer(tape, weights, x.dtype)
    further = further_inputs(tape, layer.units, x, inputs or {})
    columns = layer.columns(x, further)
    output, new, _ = layer.step(columns, layer.start(len(x)) if state is None else state, keep)
    return output, new


def forward(
    tape: Tape,
    weights: Weights,
    x: Array,
    state: State | None = None,
    *,
    inputs: Mapping[str, Array] | None = None,
    lengths: Array | None = None,
    reset: Array | None = None,
    keep: tuple[float, ...] | None = None,
) -> Run:
    """All steps of x (B, T, I).

    Args:
        state: what to start from; default: the tape's own start.
        inputs: further inputs by name, (B, T) or (B, T, H), without `raw`.
        lengths: (B,), 0 to T.
        reset: (B, T), true where the state starts anew before step t.
        keep: for each state, the share of the new value that is taken (zoneout).
    """
    batch, steps = x.shape[:2]
    layer = Layer(tape, weights, x.dtype)
    valid = np.arange(steps) < (np.full(batch, steps) if lengths is None else lengths)[:, None]
    x = np.where(valid[..., None], x, 0)
    further = further_inputs(tape, layer.units, x, inputs or {})
    further = {name: np.where(valid[..., None], v, 0) for name, v in further.items()}
    again = valid & (np.zeros_like(valid) if reset is None else reset)
    columns, start = layer.columns(x, further), layer.start(batch)
    now = start if state is None else state
    outputs, kept = [], []
    for t in range(steps):
        now = where_rows(again[:, t], start, now)
        y, new, values = layer.step({k: v[:, t] for k, v in columns.items()}, now, keep)
        outputs.append(np.where(valid[:, t, None], y, 0))
        kept.append({k: v for k, v in values.items() if _lasts(tape, k)})
        now = where_rows(valid[:, t], new, now)
    output = np.stack(outputs, 1) if outputs else _no_steps(layer, x, further)
    return Run(output, now, x, further, layer.fixed, kept, valid, again, state is not None, keep)


def _no_steps(layer: Layer, x: Array, further: Mapping[str, Array]) -> Array:
    """(B, 0, O): a step on zeros says how wide an output is."""
    inputs = {name: np.zeros((len(x), layer.units), x.dtype) for name in further}
    columns = layer.columns(np.zeros((len(x), x.shape[2]), x.dtype), inputs)
    width = layer.step(columns, layer.start(len(x)), None)[0].shape[-1]
    return np.zeros((len(x), 0, width), x.dtype)


def further_inputs(
    tape: Tape, units: int, x: Array, inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """Further inputs, one value a unit each: (B, T, H), or (B, H) beside one step."""
    given = {**inputs, "raw": x} if "raw" in tape.inputs else dict(inputs)
    if set(given) != set(tape.inputs):
        raise ValueError(f"inputs: {tape.name} needs {tape.inputs}, got {tuple(inputs)}")
    wide = (*x.shape[:-1], units)
    return {
        name: np.broadcast_to(v if v.ndim == x.ndim else v[..., None], wide).astype(x.dtype)
        for name, v in given.items()
    }


def where_rows(rows: Array, a: State, b: State) -> State:
    """`a` in the rows (B,) that are true, `b` in the others."""
    return tuple(np.where(rows[:, None], x, y) for x, y in zip(a, b, strict=True))


def _lasts(tape: Tape, place: str) -> bool:
    space, _, name = Place.of(place)
    return space in ("s", "new", "final", "v", "w") or (space == "x" and name in tape.inputs)


def _needed(matrix: Array | None) -> Array:
    if matrix is None:
        raise ValueError("weights: the tape has a product with U, and weight_hh is None")
    return matrix
