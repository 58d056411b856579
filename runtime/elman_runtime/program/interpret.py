"""Run a program on NumPy arrays: the slow twin of every engine that runs one.

Axes: B batch, T time. Values are (B, *shape), in the dtype of the program's tensors.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from elman_runtime.program.check import infer
from elman_runtime.program.compute import (
    CARRYING,
    OVER_TIME,
    PLAIN,
    PURE,
    Array,
    Arrays,
    Bound,
    Valid,
)
from elman_runtime.program.form import Program, State, Value
from elman_runtime.program.kinds import kind_of, over_time
from elman_runtime.program.ops import TIME
from elman_runtime.tape import Tape


class Interpreter:
    """A program with its tensors, checked once, run many times.

    - `nodes`: each with its arrays and what is known of it.
    - `timed`: the values that have an axis of time; `starts`: what each state begins with.
    """

    def __init__(
        self, program: Program, tensors: Mapping[str, Array], tapes: Sequence[Tape]
    ) -> None:
        found = infer(program, tensors, tapes)
        self.program, self.dtype, self.kind = program, found.dtype, kind_of(program)
        self.timed = over_time(program)
        with np.errstate(all="ignore"):
            self.nodes = [
                Bound.of(node, facts, tensors, self.dtype)
                for node, facts in zip(program.nodes, found.facts, strict=True)
            ]
            self.starts = _starts(program, self.nodes, tensors, self.dtype)

    def run(
        self,
        inputs: Sequence[Array],
        lengths: Array | None = None,
        states: Sequence[Array] | None = None,
    ) -> tuple[Arrays, Arrays]:
        """Outputs, and states after the last step; see `evaluate`."""
        given = self._given(inputs)
        batch, steps = len(given[0]), self._steps(given)
        valid = None if lengths is None else _valid(lengths, batch, steps)
        clear = zip(self.program.inputs, given, strict=True)
        values = {v.name: self._cleared(v.name, array, valid) for v, array in clear}
        now = self._states(states, batch)
        with np.errstate(all="ignore"):
            for bound in self.nodes:
                self._node(bound, values, now, valid, batch)
        made = (self._cleared(v.name, values[v.name], valid) for v in self.program.outputs)
        return tuple(made), tuple(now[s.name] for s in self.program.states)

    def _node(
        self,
        bound: Bound,
        values: dict[str, Array],
        now: dict[str, Array],
        valid: Valid,
        batch: int,
    ) -> None:
        node = bound.node
        given = tuple(values[name] for name in node.inputs)
        if node.op == "constant":
            value = bound.params["value"]
            values[node.outputs[0]] = np.broadcast_to(value, (batch, *value.shape))
        elif node.op in PLAIN:
            values[node.outputs[0]] = PLAIN[node.op](*given)
        elif node.op in PURE:
            values[node.outputs[0]] = PURE[node.op](bound, *given)
        else:
            # The keys of an attention are the sequence, not its query.
            along = node.inputs[1] if node.op == "attention" else node.inputs[0]
            mask = valid if along in self.timed else None
            if node.op in OVER_TIME:
                made = OVER_TIME[node.op](bound, given, mask)
            else:
                before = tuple(now[name] for name in node.states)
                made, after = CARRYING[node.op](bound, given, before, mask)
                now.update(zip(node.states, after, strict=True))
            values.update(zip(node.outputs, made, strict=True))

    def _given(self, inputs: Sequence[Array]) -> list[Array]:
        wanted = self.program.inputs
        if len(inputs) != len(wanted):
            names = ", ".join(v.name for v in wanted)
            raise ValueError(
                f"inputs: the program takes {len(wanted)} ({names}); got {len(inputs)}"
            )
        return [self._fit(v, np.asarray(x)) for v, x in zip(wanted, inputs, strict=True)]

    def _fit(self, value: Value, array: Array) -> Array:
        """One input in the program's dtype, its shape checked."""
        rank = len(value.shape) + 1
        fits = array.ndim == rank and all(
            want in (TIME, size) for want, size in zip(value.shape, array.shape[1:], strict=True)
        )
        if not fits:
            wanted = ", ".join(["B", *map(str, value.shape)])
            raise ValueError(f"inputs: {value.name!r} must be ({wanted}); got {array.shape}")
        if value.kind == "int":
            if array.dtype.kind not in "iu":
                raise TypeError(
                    f"inputs: {value.name!r} must be integers; got {array.dtype}; use .astype(int)"
                )
            return array
        if array.dtype.kind not in "fiu":
            raise TypeError(f"inputs: {value.name!r} must be numbers; got {array.dtype}")
        return array.astype(self.dtype, copy=False)

    def _steps(self, given: Sequence[Array]) -> int:
        """T of all inputs; 0 where none has time."""
        pairs = zip(self.program.inputs, given, strict=True)
        found = {x.shape[1] for v, x in pairs if v.shape[:1] == (TIME,)}
        batches = {len(x) for x in given}
        if len(found) > 1 or len(batches) > 1:
            shapes = [x.shape for x in given]
            raise ValueError(f"inputs: must agree in batch and time; got {shapes}")
        return found.pop() if found else 0

    def _cleared(self, name: str, array: Array, valid: Valid) -> Array:
        """Zero beyond a row's length, where a value has time."""
        if valid is None or name not in self.timed:
            return array
        return np.where(valid.reshape(*valid.shape, *(1,) * (array.ndim - 2)), array, 0)

    def _states(self, states: Sequence[Array] | None, batch: int) -> dict[str, Array]:
        wanted = self.program.states
        if states is None:
            begun = zip(wanted, self.starts, strict=True)
            return {s.name: np.broadcast_to(v, (batch, *s.shape)) for s, v in begun}
        if len(states) != len(wanted):
            raise ValueError(f"states: the program has {len(wanted)}; got {len(states)}")
        found = {}
        for state, value in zip(wanted, states, strict=True):
            array = np.asarray(value, self.dtype)
            if array.shape != (batch, *state.shape):
                rule = f"{state.name!r} must be {(batch, *state.shape)}"
                raise ValueError(f"states: {rule}; got {array.shape}")
            found[state.name] = array
        return found


def evaluate(
    program: Program,
    tensors: Mapping[str, Array],
    tapes: Sequence[Tape],
    inputs: Sequence[Array],
    lengths: Array | None = None,
    states: Sequence[Array] | None = None,
) -> tuple[Arrays, Arrays]:
    """Run a program of any kind on a whole batch: outputs and final states, in its order.

    Args:
        inputs: (B, *shape) each, in the program's order; floats are taken in its dtype.
        lengths: (B,), 0 to T. What lies beyond is cleared before anything reads it, states are
            carried through it, and outputs with time are 0 there.
        states: (B, *shape) each; default: those that the program begins with.

    Raises:
        ModelFileError: the program breaks a rule.
        ValueError, TypeError: an input, the lengths or a state does not fit it.
    """
    return Interpreter(program, tensors, tapes).run(inputs, lengths, states)


def _valid(lengths: Array, batch: int, steps: int) -> Array:
    found = np.asarray(lengths)
    if found.shape != (batch,) or (batch and found.dtype.kind not in "iu"):
        raise ValueError(
            f"lengths: must be ({batch},) integers, one a row; got {found.dtype} {found.shape}"
        )
    if batch and not 0 <= int(found.min()) <= int(found.max()) <= steps:
        raise ValueError(f"lengths: must be 0 to {steps}; got {found.min()} to {found.max()}")
    valid: Array = np.arange(steps) < found.astype(np.int64)[:, None]
    return valid


def _starts(
    program: Program, nodes: Sequence[Bound], tensors: Mapping[str, Array], dtype: np.dtype[Any]
) -> Arrays:
    """What each state begins with: its tensor, else its cell's own start, else 0."""
    own: dict[str, Array] = {}
    for bound in nodes:
        if bound.layer is not None and bound.node.states:
            begun = (start[0] for start in bound.layer.start(1))
            own.update(zip(bound.node.states, begun, strict=True))

    def start(state: State) -> Array:
        if state.start is not None:
            return tensors[state.start]
        return own.get(state.name, np.zeros(state.shape, dtype))

    return tuple(start(state) for state in program.states)
