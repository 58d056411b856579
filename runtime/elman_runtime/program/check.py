"""The rules that a program keeps. Nothing in one is trusted: runners index memory by it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from elman_runtime.errors import ModelFileError, refusal, shown
from elman_runtime.program.form import Node, Program, Shape, State, Value
from elman_runtime.program.ops import (
    OPS,
    TIME,
    WEIGHTS,
    BrokenRule,
    Facts,
    Op,
    Typed,
    instructions,
    products,
)
from elman_runtime.program.reading import MAX_NODES, MAX_RANK, MAX_STATES, MAX_VALUES
from elman_runtime.tape import Tape

MAX_NAME = 128
"""Characters."""
MAX_SIZE = 1 << 24
"""Numbers in one value or state, for one row and step."""
MAX_TOTAL = 1 << 26
"""Numbers in all of them."""
MAX_WORK = 1 << 34
"""Multiplications of all nodes, for one row and step."""
MAX_CALLS = 1 << 22
"""Instructions of all tapes, for one row and step; a fixed axis is a loop."""

Array = np.ndarray[Any, np.dtype[Any]]
_REPAIR = "store the model again with elman.save"


class Inferred(NamedTuple):
    """What `infer` finds: every value by name, what is known of each node, the dtype of all."""

    values: dict[str, Typed]
    facts: tuple[Facts, ...]
    dtype: np.dtype[Any]


def checked(
    program: Program,
    tensors: Mapping[str, Array],
    tapes: Sequence[Tape],
    file: str = "program",
    place: str = "program",
) -> Program:
    """The program itself; ModelFileError with the node, the rule and what came, if it errs.

    `tensors` are those of the file (only shapes and dtypes are looked at), `tapes` are checked.
    """
    infer(program, tensors, tapes, file, place)
    return program


def shapes(
    program: Program, tensors: Mapping[str, Array], tapes: Sequence[Tape]
) -> dict[str, Typed]:
    """Every value of a program by name; ModelFileError as `checked`."""
    return infer(program, tensors, tapes).values


def infer(
    program: Program,
    tensors: Mapping[str, Array],
    tapes: Sequence[Tape],
    file: str = "program",
    place: str = "program",
) -> Inferred:
    """Check a program and return what is known of it before it runs."""
    return _Check(program, tensors, tapes, file, place).run()


@dataclass
class _Check:
    """Goes through the nodes in order, and knows what has been written."""

    program: Program
    tensors: Mapping[str, Array]
    tapes: Sequence[Tape]
    file: str
    place: str
    at: str = ""
    values: dict[str, Typed] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    floats: dict[str, str] = field(default_factory=dict)
    total: int = 0
    work: int = 0
    calls: int = 0

    def run(self) -> Inferred:
        self._counts()
        for k, value in enumerate(self.program.inputs):
            self.at = f"{self.place} input {k}"
            self._declared(value)
            self._add(value.name, Typed(value.shape, value.kind))
        states = self._states()
        facts = tuple(self._node(k, node, states) for k, node in enumerate(self.program.nodes))
        self.at = f"{self.place} states"
        if missing := sorted(states.keys() - self.written):
            raise self._refusal("each state is written by some node", missing[:1])
        for k, value in enumerate(self.program.outputs):
            self.at = f"{self.place} output {k}"
            self._output(value)
        kind = next(iter(self.floats), "float32")
        return Inferred(self.values, facts, np.dtype(kind))

    def _refusal(self, rule: str, came: object) -> ModelFileError:
        return refusal(self.file, self.at, rule, shown(came), _REPAIR)

    def _counts(self) -> None:
        self.at = self.place
        most = {
            "inputs": MAX_VALUES,
            "outputs": MAX_VALUES,
            "states": MAX_STATES,
            "nodes": MAX_NODES,
        }
        for key, limit in most.items():
            found = len(getattr(self.program, key))
            least = 1 if key in ("inputs", "outputs") else 0
            if not least <= found <= limit:
                raise self._refusal(f"{least} to {limit} {key}", found)

    def _name(self, name: Any) -> None:
        good = isinstance(name, str) and name.isprintable() and 0 < len(name) <= MAX_NAME
        if not good:
            raise self._refusal(f"a name is 1 to {MAX_NAME} printable characters", name)

    def _declared(self, value: Value) -> None:
        if value.kind not in ("float", "int"):
            raise self._refusal("a value is 'float' or 'int'", value.kind)

    def _add(self, name: str, value: Typed) -> None:
        """Take in a value that is written here, once."""
        self._name(name)
        if name in self.values:
            raise self._refusal("no value is written twice", name)
        self._size(value.shape, 1)
        self.values[name] = value

    def _size(self, shape: Shape, least: int) -> None:
        """Bound a shape, in Python's exact integers; a step counts once."""
        good = len(shape) <= MAX_RANK and TIME not in shape[1:]
        fixed = [size for size in shape if size != TIME]
        if not good or any(type(v) is not int or v < least for v in fixed):
            rule = f"a shape has at most {MAX_RANK} sizes from {least}, and 'T' only first"
            raise self._refusal(rule, shape)
        size = math.prod(int(v) for v in fixed)
        self.total += size
        if size > MAX_SIZE:
            raise self._refusal(f"at most {MAX_SIZE} numbers a row and step", shape)
        if self.total > MAX_TOTAL:
            rule = f"all values together have at most {MAX_TOTAL} numbers a row and step"
            raise self._refusal(rule, self.total)

    def _states(self) -> dict[str, State]:
        found: dict[str, State] = {}
        for k, state in enumerate(self.program.states):
            self.at = f"{self.place} state {k}"
            self._name(state.name)
            if state.name in found:
                raise self._refusal("each state has a name of its own", state.name)
            self._size(state.shape, 0)
            if state.start is not None and self._tensor("start", state.start) != state.shape:
                rule = f"start has the state's shape {state.shape}"
                raise self._refusal(rule, self.tensors[state.start].shape)
            found[state.name] = state
        return found

    def _tensor(self, role: str, name: Any) -> tuple[int, ...]:
        """The shape of a tensor that exists, and has the one dtype of all."""
        if not isinstance(name, str) or name not in self.tensors:
            raise self._refusal(f"{role} is a tensor of the file", name)
        kind = self.tensors[name].dtype.name
        if kind not in ("float32", "float64"):
            raise self._refusal(f"{role}, {shown(name)}, is float32 or float64", kind)
        self.floats.setdefault(kind, name)
        if len(self.floats) > 1:
            other = next(iter(self.floats.values()))
            raise self._refusal(f"{shown(name)} is of the same dtype as {shown(other)}", kind)
        return tuple(self.tensors[name].shape)

    def _node(self, k: int, node: Node, states: dict[str, State]) -> Facts:
        self.at = f"{self.place} node {k}"
        op = OPS.get(node.op)
        if op is None:
            raise self._refusal("an op of the closed table", node.op)
        self.at = f"{self.at} ({node.op})"
        try:
            facts = self._facts(node, op)
            made = op.infer(facts)
        except BrokenRule as broken:
            raise self._refusal(broken.rule, broken.came) from None
        if len(made.outputs) != len(node.outputs):
            raise self._refusal(f"makes {len(made.outputs)} outputs", node.outputs)
        self._work(node, facts)
        kind = facts.inputs[0].kind if op.takes == "same" else "float"
        for name, shape in zip(node.outputs, made.outputs, strict=True):
            self._add(name, Typed(shape, kind))
        self._writes(node, made.states, states)
        return facts

    def _work(self, node: Node, facts: Facts) -> None:
        """Bound what a row and step costs: a small file must not run for ever."""
        self.work += products(node.op, facts)
        if self.work > MAX_WORK:
            raise self._refusal(f"at most {MAX_WORK} multiplications a row and step", self.work)
        self.calls += instructions(facts)
        if self.calls > MAX_CALLS:
            raise self._refusal(f"at most {MAX_CALLS} instructions a row and step", self.calls)

    def _facts(self, node: Node, op: Op) -> Facts:
        """What a node is given, each part of it allowed."""
        least, most = op.inputs
        if not least <= len(node.inputs) <= most:
            raise BrokenRule(f"takes {least} to {most} inputs", len(node.inputs))
        if unknown := [name for name in node.inputs if name not in self.values]:
            raise BrokenRule("an input was written before", unknown[0])
        inputs = tuple(self.values[name] for name in node.inputs)
        if op.takes != "same" and any(v.kind != op.takes for v in inputs):
            raise BrokenRule(f"takes {op.takes} inputs", [v.kind for v in inputs])
        attrs = {**op.default_attrs, **node.attrs}
        if set(attrs) != set(op.attrs):
            raise BrokenRule(f"has the attrs {sorted(op.attrs)}", sorted(node.attrs))
        for key, wrong in op.attrs.items():
            if rule := wrong(attrs[key]):
                raise BrokenRule(f"{key} is {rule}", attrs[key])
        tape = self._tape(attrs["tape"]) if "tape" in op.attrs else None
        return Facts(inputs, self._params(node, op, tape), attrs, tape)

    def _tape(self, number: int) -> Tape:
        if number >= len(self.tapes):
            raise BrokenRule(f"tape is one of the file's {len(self.tapes)}", number)
        return self.tapes[number]

    def _params(self, node: Node, op: Op, tape: Tape | None) -> dict[str, tuple[int, ...]]:
        own = () if tape is None else tuple(name for name in tape.params if name not in WEIGHTS)
        required = {*op.required, *own}
        if not required <= set(node.params) <= {*required, *op.optional}:
            may = f" and may have {sorted(op.optional)}" if op.optional else ""
            raise BrokenRule(f"has the params {shown(sorted(required))}{may}", sorted(node.params))
        return {role: self._tensor(role, name) for role, name in node.params.items()}

    def _writes(
        self, node: Node, made: tuple[tuple[int, ...], ...], states: dict[str, State]
    ) -> None:
        """Compare a node's states with those of the program."""
        if len(node.states) != len(made):
            raise self._refusal(f"has {len(made)} states", node.states)
        for name, shape in zip(node.states, made, strict=True):
            if name not in states:
                raise self._refusal("a state of the program", name)
            if name in self.written:
                raise self._refusal("a state is written by one node alone", name)
            if states[name].shape != shape:
                raise self._refusal(f"state {shown(name)} has shape {shape}", states[name].shape)
            self.written.add(name)

    def _output(self, value: Value) -> None:
        self._name(value.name)
        self._declared(value)
        if value.name not in self.values:
            raise self._refusal("an output was written by a node", value.name)
        if self.values[value.name].kind != "float":
            raise self._refusal("an output is of floats", value.name)
        names = [other.name for other in self.program.outputs]
        if names.count(value.name) > 1:
            raise self._refusal("each output stands once", value.name)
        found = self.values[value.name]
        if found != Typed(value.shape, value.kind):
            rule = f"has shape {found.shape} of {found.kind}, as its node makes it"
            raise self._refusal(rule, (value.shape, value.kind))
