"""Programs from modules: what a model file stores of a network, built one operation at a time.

A `Builder` has a method for each operation of a program (`elman_runtime.program`). Values are
`Value`s: a name and a shape without the batch, with "T" first where there is time.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elman.engine import Weights
from elman.nn.pruning import needed, renamed
from elman.nn.refused import CannotStore, named
from elman_runtime.program.check import checked
from elman_runtime.program.form import Node, Program, State, Value
from elman_runtime.program.ops import OPS, TIME, BrokenRule, Facts, Made, Typed
from elman_runtime.tape import Tape

__all__ = ["Builder", "Ran", "Value"]

Array = np.ndarray[Any, np.dtype[Any]]
Stored = Tensor | Array
Start = tuple[str, Stored] | None


class Ran(NamedTuple):
    """What a cell gives: outputs (T, O), and each final state (S,), None where there is none."""

    y: Value
    state: tuple[Value | None, ...]


class Builder:
    """A program in the making.

    Tensors are named after where they stand in the module, as in its `state_dict`. Equal tensors of
    one name, and one parameter under two, are stored once; equal tapes too.

    Args:
        each: judge after every step: the last step becomes each step, a pool what was pooled so
            far. What needs the whole sequence is then refused.
        beside: another program of the same file, whose tensors and tapes are shared.

    Example:
        >>> import torch
        >>> b = Builder()
        >>> x = b.input("x", "T", 3)
        >>> y, _ = b.lower(torch.nn.GRU(3, 5, batch_first=True), x, name="gru")
        >>> y = b.lower(torch.nn.Linear(5, 2), b.last(y), name="head")
        >>> [node.op for node in b.build(y=y).nodes], sorted(b.tensors)[:2]
        (['cell', 'last', 'linear'], ['gru.bias_hh_l0', 'gru.bias_ih_l0'])
    """

    def __init__(self, *, each: bool = False, beside: "Builder | None" = None) -> None:
        self.each = each
        self.tensors: dict[str, Array] = beside.tensors if beside else {}
        self.tapes: list[Tape] = beside.tapes if beside else []
        self._parameters: dict[int, tuple[Tensor, str]] = beside._parameters if beside else {}
        self._inputs: list[Value] = []
        self._states: list[State] = []
        self._nodes: list[Node] = []
        self._scope: tuple[str, ...] = ()
        self._count = 0
        self.layout: tuple[str, str] | None = None
        """How the modules' inputs lie in torch, "batch first" or "time first", and which says so"""

    # --- what a program is made of ---------------------------------------------------------------

    def input(self, name: str, *shape: int | str, kind: str = "float") -> Value:
        """An input (B, *shape); "T" first is time. `kind` is "float" or "int"."""
        value = Value(name, tuple(shape), kind)
        self._inputs.append(value)
        return value

    def lower(self, module: nn.Module, *values: Any, name: str = "", **inputs: Any) -> Any:
        """A module's own operations, and what it returns of `values`, in the form of its `forward`.

        Raises:
            CannotStore: names the first module, or call in a `forward`, that has no operation.
        """
        from elman.nn.lowering import lowered

        with self.inside(name):
            return lowered(self, module, *values, **inputs)

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Names of tensors and states made here begin with `name.`."""
        before = self._scope
        self._scope = (*before, *filter(None, [name]))
        try:
            yield
        finally:
            self._scope = before

    @property
    def where(self) -> str:
        """The dotted name of the module that is being lowered."""
        return ".".join(self._scope)

    def full(self, name: str) -> str:
        """A name with that of the module before it."""
        return ".".join((*self._scope, name))

    def tensor(self, name: str, value: Stored) -> str:
        """The name under which a tensor is stored: `name`, with a number where that is taken."""
        known = self._parameters.get(id(value))
        if known is not None:
            return known[1]
        stored = self._array(name, value)
        full, k = self.full(name), 2
        while full in self.tensors and not _same(self.tensors[full], stored):
            full, k = f"{self.full(name)}_{k}", k + 1
        self.tensors.setdefault(full, stored)
        if isinstance(value, nn.Parameter):
            # It is kept here, so that no other can come by its id.
            self._parameters[id(value)] = (value, full)
        return full

    def _array(self, name: str, value: Stored) -> Array:
        if not isinstance(value, Tensor):
            return np.array(value)
        if value.dtype not in (torch.float32, torch.float64):
            repair = "write module.float() or module.double()"
            raise CannotStore(f"{self.full(name)} is {value.dtype}, no float32 or 64: {repair}")
        # A copy, for the module may go on training.
        return np.array(value.detach().cpu().numpy())

    def lies(self, layout: str, module: nn.Module) -> None:
        """Note that a module is "batch first" or "time first" in torch; a program is neither."""
        said = f"{self.where or 'the model'} ({named(module)})"
        if self.layout is not None and self.layout[0] != layout:
            before = f"{self.layout[1]} is {self.layout[0]}"
            raise CannotStore(f"{said} is {layout}, and {before}: give all batch_first=True")
        self.layout = self.layout or (layout, said)

    def tape(self, tape: Tape) -> int:
        """The number of a tape in the file."""
        if tape not in self.tapes:
            self.tapes.append(tape)
        return self.tapes.index(tape)

    def add_node(
        self,
        op: str,
        inputs: Sequence[Value],
        params: Mapping[str, tuple[str, Stored | None]] | None = None,
        attrs: Mapping[str, Any] | None = None,
        states: Sequence[tuple[str, Start]] = (),
    ) -> tuple[Value, ...]:
        """One operation of the table; the values that it makes.

        Args:
            params: role -> name and tensor; roles of None are left out.
            states: name of each state, and name and tensor of what it starts from; None is zero.

        Raises:
            CannotStore: shapes that do not fit it.
        """
        found = {r: (n, t) for r, (n, t) in (params or {}).items() if t is not None}
        attrs = dict(attrs or {})
        made = self._infer(op, inputs, {r: tuple(t.shape) for r, (_, t) in found.items()}, attrs)
        pairs = zip(states, made.states, strict=True)
        names = tuple(self._state(name, shape, start) for (name, start), shape in pairs)
        kind = inputs[0].kind if OPS[op].takes == "same" else "float"
        values = tuple(Value(self._fresh(), shape, kind) for shape in made.outputs)
        stored = {role: self.tensor(name, tensor) for role, (name, tensor) in found.items()}
        reads, writes = tuple(v.name for v in inputs), tuple(v.name for v in values)
        self._nodes.append(Node(op, reads, writes, stored, names, attrs))
        return values

    def _infer(
        self,
        op: str,
        inputs: Sequence[Value],
        params: Mapping[str, tuple[int, ...]],
        attrs: Mapping[str, Any],
    ) -> Made:
        """The shapes that an operation makes, by the table of programs."""
        rule, where = OPS[op], self.where or op
        for value in inputs:
            if not isinstance(value, Value):
                raise CannotStore(f"{where}: takes one value, and got {named(value)}")
            if rule.takes not in ("same", value.kind):
                raise CannotStore(f"{where}: {op} takes {rule.takes} values, and got {value.kind}")
        if self.each and (rule.whole or attrs.get("reverse")):
            raise CannotStore(f"{where}: needs the whole sequence, which no step has")
        typed = tuple(Typed(v.shape, v.kind) for v in inputs)
        tape = self.tapes[attrs["tape"]] if "tape" in attrs else None
        try:
            return rule.infer(Facts(typed, params, {**rule.default_attrs, **attrs}, tape))
        except BrokenRule as broken:
            shapes = ", ".join(str(v.shape) for v in inputs)
            came = f"{broken.came}, of values {shapes}"
            raise CannotStore(f"{where}: {op} needs {broken.rule}, got {came}") from None

    def _fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def _state(self, name: str, shape: tuple[int, ...], start: Start) -> str:
        stored = None if start is None else self.tensor(*start)
        full, taken, k = self.full(name), {state.name for state in self._states}, 2
        while full in taken:
            full, k = f"{self.full(name)}_{k}", k + 1
        self._states.append(State(full, shape, stored))
        return full

    def build(self, **outputs: Value) -> Program:
        """The program of what was added, with named outputs; what none of them needs is left out.

        Raises:
            ModelFileError: it breaks a rule of programs (`elman_runtime.program.check`).
        """
        taken = {v.name for v in self._inputs}
        if not outputs or taken & set(outputs):
            raise ValueError(f"build: name the outputs, other than inputs; got {sorted(outputs)}")
        nodes = renamed(needed(self._nodes, outputs), outputs)
        used = {state for node in nodes for state in node.states}
        states = tuple(state for state in self._states if state.name in used)
        made = tuple(Value(name, value.shape, value.kind) for name, value in outputs.items())
        program = Program(tuple(self._inputs), made, states, tuple(nodes))
        return checked(program, self.tensors, self.tapes)

    # --- operations ------------------------------------------------------------------------------

    def embedding(self, x: Value, weight: Stored, name: str = "weight") -> Value:
        """Tokens (...) -> (..., E), rows of weight (V, E)."""
        return self.add_node("embedding", [x], {"weight": (name, weight)})[0]

    def linear(
        self,
        x: Value,
        weight: Stored,
        bias: Stored | None = None,
        names: tuple[str, str] = ("weight", "bias"),
    ) -> Value:
        """(..., I) -> (..., O) by weight (O, I) and bias (O,)."""
        params = {"weight": (names[0], weight), "bias": (names[1], bias)}
        return self.add_node("linear", [x], params)[0]

    def layer_norm(self, x: Value, weight: Any, bias: Any, eps: float) -> Value:
        """Mean 0 and variance 1 over the last axis, then times weight (F,) plus bias (F,)."""
        params = {"weight": ("weight", weight), "bias": ("bias", bias)}
        return self.add_node("layer_norm", [x], params, {"eps": float(eps)})[0]

    def affine(self, x: Value, scale: Any = None, shift: Any = None) -> Value:
        """x * scale + shift, each (F,)."""
        return self.add_node("affine", [x], {"scale": ("scale", scale), "shift": ("shift", shift)})[
            0
        ]

    def apply(self, op: str, *values: Value) -> Value:
        """An operation without weights by its name: sigmoid, softmax, add, maximum, ..."""
        return self.add_node(op, values)[0]

    def constant(self, name: str, value: Stored) -> Value:
        """The same tensor for every row."""
        return self.add_node("constant", [], {"value": (name, value)})[0]

    def scale(self, x: Value, factor: float = 1.0, shift: float = 0.0) -> Value:
        """x * factor + shift."""
        attrs = {"factor": float(factor), "shift": float(shift)}
        return self.add_node("scale", [x], attrs=attrs)[0]

    def concat(self, *values: Value) -> Value:
        """Side by side along the last axis."""
        return values[0] if len(values) == 1 else self.add_node("concat", values)[0]

    def slice(self, x: Value, start: int, stop: int, axis: str = "last") -> Value:
        """Entries start to stop of the last axis, or of the first, which is no time."""
        return self.add_node("slice", [x], attrs={"axis": axis, "start": start, "stop": stop})[0]

    def reshape(self, x: Value, *shape: int) -> Value:
        """The same entries in another shape; x has no time."""
        return self.add_node("reshape", [x], attrs={"shape": list(shape)})[0]

    def repeat(self, x: Value, n: int) -> Value:
        """(F,) -> (n, F)."""
        return self.add_node("repeat", [x], attrs={"n": n})[0]

    # --- over time -------------------------------------------------------------------------------

    def cell(
        self,
        x: Value,
        tape: Tape,
        weights: Weights,
        suffix: str = "l0",
        *,
        inputs: Sequence[Value] = (),
        reverse: bool = False,
        zoneout: Sequence[float] | None = None,
        starts: Sequence[Stored | None] | None = None,
    ) -> Ran:
        """(T, I) -> (T, O) and the final states; further inputs in the tape's order, without raw.

        Args:
            weights: as an engine takes them; tensors are named `weight_ih_<suffix>` and so on.
            reverse: from the last step to the first.
            zoneout: the old value's share of each new state.
            starts: what each state (S,) starts from.
        """
        params = _roles(weights, suffix)
        attrs: dict[str, Any] = {
            "tape": self.tape(tape),
            "reverse": reverse,
            "final": not self.each,
        }
        if zoneout is not None:
            attrs["zoneout"] = [float(share) for share in zoneout]
        names: list[tuple[str, Start]] = [
            (f"{name}_{suffix}", None if start is None else (f"{name}_0_{suffix}", start))
            for name, start in zip(tape.state, starts or [None] * len(tape.state), strict=True)
        ]
        y, *final = self.add_node("cell", [x, *inputs], params, attrs, names)
        plain = not tape.outputs
        if self.each:
            # After a step, its output is the first state where that is what is read out.
            return Ran(y, (y if plain else None, *[None] * (len(names) - 1)))
        # A final state that nothing reads is left out again by `build`.
        return Ran(y, (self.last(y) if plain and not reverse else final[0], *final[1:]))

    def cell_step(
        self,
        x: Value,
        states: Sequence[Value],
        tape: Tape,
        weights: Weights,
        suffix: str = "l0",
        *,
        inputs: Sequence[Value] = (),
        zoneout: Sequence[float] | None = None,
    ) -> Ran:
        """One step of a cell from states that are values: pure, without a program's states.

        x is (..., I), each state of the tape (S,) or (..., S): one state may serve many questions.
        """
        params = _roles(weights, suffix)
        attrs: dict[str, Any] = {"tape": self.tape(tape)}
        if zoneout is not None:
            attrs["zoneout"] = [float(share) for share in zoneout]
        y, *new = self.add_node("cell_step", [x, *states, *inputs], params, attrs)
        return Ran(y, tuple(new))

    def last(self, x: Value) -> Value:
        """(T, F) -> (F,) at the last valid step; each step itself where the builder says each."""
        return x if self.each and x.shape[:1] == (TIME,) else self.add_node("last", [x])[0]

    def pool(self, x: Value, how: str) -> Value:
        """(T, F) -> (F,), the max or mean; so far, (T, F), where the builder says each."""
        if not self.each:
            return self.add_node("pool", [x], attrs={"how": how})[0]
        states = [("count", None), (how, None)]
        return self.add_node("running", [x], attrs={"how": how}, states=states)[0]

    def conv(self, x: Value, weight: Stored, bias: Any = None, dilation: int = 1) -> Value:
        """(T, I) -> (T, O), causal: weight (O, I, K), the last tap at the step itself."""
        params = {"weight": ("weight", weight), "bias": ("bias", bias)}
        return self.add_node("conv", [x], params, {"dilation": dilation}, [("past", None)])[0]

    def attention(
        self, query: Value, keys: Value, values: Value, v: Stored, name: str = "v"
    ) -> tuple[Value, Value]:
        """Query (..., A), keys (T, A), values (T, V) -> context (..., V) and weights (..., T)."""
        context, weights = self.add_node("attention", [query, keys, values], {"v": (name, v)})
        return context, weights


def _roles(weights: Weights, suffix: str) -> dict[str, tuple[str, Stored | None]]:
    matrices = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    found = {role: getattr(weights, role) for role in matrices} | weights.params
    return {role: (f"{role}_{suffix}", tensor) for role, tensor in found.items()}


def _same(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
