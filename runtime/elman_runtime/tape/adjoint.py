"""Run tapes backwards on NumPy arrays: gradients of everything that went into a run."""

from typing import NamedTuple

import numpy as np

from elman_runtime.tape.form import Backward, Instruction, Place, Tape, split_gate
from elman_runtime.tape.interpret import Layer, Run, State, Values, Weights, where_rows
from elman_runtime.tape.vocabulary import Array


class Gradients(NamedTuple):
    """Of everything that went in. `inputs` are (B, T, H); `state` is None where none was given."""

    weights: Weights
    x: Array
    inputs: dict[str, Array]
    state: State | None


def backward(tape: Tape, weights: Weights, run: Run, dy: Array, dstate: State) -> Gradients:
    """Gradients from those of the outputs (B, T, O) and of the final state."""
    if tape.backward is None:
        raise ValueError(f"tape {tape.name} has no backward half")
    return _Backward(tape, tape.backward, weights, run).gradients(dy, dstate)


class _Backward:
    """A run, gone through from its end."""

    def __init__(self, tape: Tape, half: Backward, weights: Weights, run: Run) -> None:
        self.tape, self.half, self.run = tape, half, run
        self.layer = Layer(tape, weights, run.x.dtype)
        self.layer.run(self.half.prologue, self.layer.fixed, ())
        self.sums: Values = {}
        self.matrices = {
            name: np.zeros_like(w)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            if (w := getattr(weights, name)) is not None
        }
        self.columns: dict[str, list[Array]] = {}

    def gradients(self, dy: Array, dstate: State) -> Gradients:
        """Run all steps backwards, then what is done once."""
        run, tape, now = self.run, self.tape, dstate
        for t in range(len(run.steps) - 1, -1, -1):
            now = self._step(t, dy[:, t], now)
            self._to_start(tuple(d[run.reset[:, t]] for d in now))
            now = where_rows(run.reset[:, t], tuple(np.zeros_like(d) for d in now), now)
        if not run.given:
            self._to_start(now)
        params = self._epilogue()
        dx, inputs = self._inputs()
        weights = Weights(**{"weight_ih": None, **self.matrices}, params=params)
        given = {k: v for k, v in inputs.items() if k != "raw"}
        dx = dx + inputs["raw"] if "raw" in tape.inputs else dx
        return Gradients(weights, dx, given, now if run.given else None)

    def _step(self, t: int, dy: Array, after: State) -> State:
        """Gradient of the state before step t, from that of the one after it."""
        rows, values = dy.shape[:1], {**self.layer.fixed, **self.run.steps[t]}
        valid = self.run.valid[:, t]
        dy, dfinal = np.where(valid[:, None], dy, 0), _masked(valid, after)
        values |= self._seeds(dy)
        self.layer.run(self.half.read, values, rows)
        if self.tape.outputs:
            dfinal = tuple(
                d + values[f"dfinal.{n}"] for d, n in zip(dfinal, self.tape.state, strict=True)
            )
        else:
            dfinal = (dfinal[0] + dy, *dfinal[1:])
        dnew, past = self._undo(values, dfinal)
        values |= {f"dnew.{n}": d for n, d in zip(self.tape.state, dnew, strict=True)}
        self.layer.run(self.half.update, values, rows)
        self._collect(values, valid)
        before = (values[f"ds.{n}"] for n in self.tape.state)
        return where_rows(valid, tuple(a + b for a, b in zip(before, past, strict=True)), after)

    def _seeds(self, dy: Array) -> Values:
        """`dyk`; of one value a row, the share of each unit, so that `mean` is its own adjoint."""
        units, at, found = self.layer.units, 0, {}
        for k, width in enumerate(self.tape.outputs):
            size = units if width == "H" else 1
            found[f"dy{k}"] = dy[:, at : at + size] if width == "H" else dy[:, at : at + 1] / units
            at += size
        return found

    def _undo(self, values: Values, dfinal: State) -> tuple[State, State]:
        """Zoneout and the projection V, backwards: gradients of `new`, and of the state before."""
        kinds = [self.layer.dtype.type(share) for share in self.run.keep or [1.0] * len(dfinal)]
        dnew = [share * d for share, d in zip(kinds, dfinal, strict=True)]
        past = tuple((1 - share) * d for share, d in zip(kinds, dfinal, strict=True))
        matrix = self.layer.weights.weight_hr
        if matrix is not None:
            self.matrices["weight_hr"] += dnew[0].T @ values[f"new.{self.tape.state[0]}"]
            dnew[0] = dnew[0] @ matrix
        return tuple(dnew), past

    def _collect(self, values: Values, valid: Array) -> None:
        """Add a step to the gradients of the weights, and keep those of its columns."""
        here = valid[:, None]
        for name in (*self.tape.gates, *self.tape.inputs):
            self.columns.setdefault(name, []).append(np.where(here, values[f"dx.{name}"], 0))
        for place, value in values.items():
            if Place.of(place).space == "g":
                total = np.where(here, value, 0).sum(0)
                self.sums[place] = self.sums.get(place, 0) + total
        for line in self.half.update:
            if line.op == "unproject":
                self._collect_product(line, values, here)

    def _collect_product(self, line: Instruction, values: Values, here: Array) -> None:
        vector, *gates = self.tape.products[int(line.to[1:])].of
        operand = np.where(here, values[str(vector)], 0)
        for gate, place in zip(gates, line.of, strict=True):
            rows, d = (
                self.layer.block(split_gate(str(gate))[0]),
                np.where(here, values[str(place)], 0),
            )
            self.matrices["weight_hh"][rows] += d.T @ operand
            if "bias_hh" in self.matrices:
                self.matrices["bias_hh"][rows] += d.sum(0)

    def _to_start(self, gradient: State) -> None:
        for name, d in zip(self.tape.state, gradient, strict=True):
            place = f"dstart.{name}"
            self.sums[place] = self.sums.get(place, np.zeros(d.shape[1], d.dtype)) + d.sum(0)

    def _epilogue(self) -> dict[str, Array]:
        zero = np.zeros(self.layer.units, self.layer.dtype)
        sums = {line.to: zero for line in self.half.read + self.half.update if line.to[0] == "g"}
        starts = {f"dstart.{name}": zero for name in self.tape.state}
        values = {**self.layer.fixed, **sums, **starts, **self.sums}
        self.layer.run(self.half.epilogue, values, ())
        return {name: values[f"dp.{name}"] for name in self.tape.params}

    def _inputs(self) -> tuple[Array, dict[str, Array]]:
        """dx (B, T, I) and those of the further inputs; adds to the gradients of W."""
        x, units = self.run.x, self.layer.units
        empty = np.zeros((len(x), 0, units), x.dtype)
        stacked = {n: np.stack(v[::-1], 1) for n, v in self.columns.items()}
        columns = {n: stacked.get(n, empty) for n in (*self.tape.gates, *self.tape.inputs)}
        whole = np.concatenate([columns[g] for g in self.tape.gates], -1)
        self.matrices["weight_ih"] = np.einsum("btg,bti->gi", whole, x)
        if "bias_ih" in self.matrices:
            self.matrices["bias_ih"] = whole.sum((0, 1))
        return whole @ self.layer.weights.weight_ih, {n: columns[n] for n in self.tape.inputs}


def _masked(rows: Array, state: State) -> State:
    return tuple(np.where(rows[:, None], d, 0) for d in state)
