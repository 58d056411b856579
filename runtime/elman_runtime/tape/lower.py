"""Tapes for the native engine: names resolved to numbers (runtime/src/plan.hpp)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from elman_runtime.tape.form import (
    SECTIONS,
    Instruction,
    Operand,
    Place,
    Section,
    Tape,
    split_gate,
)

SPACES = tuple(
    "x input s fresh final u p f start r q v w y dy dx dinput ds dp dnew "  # noqa: SIM905
    "dfinal dstart dread t g number".split()
)
OPS = tuple(
    "copy neg add sub mul div maximum minimum gt ge lt le where abs relu sqrt exp expm1 "  # noqa: SIM905
    "log sin cos tanh sigmoid softplus dsigmoid dtanh mean spread project unproject".split()
)
"""Those of a tape; and `spread`, for lowering: one value a row to one a unit."""

Code = tuple[int, int, int, int, int]
"""Operation, slot it goes to, slots of three operands, 0 where there are fewer."""


class Column(NamedTuple):
    """H columns of the gradients that a backward pass stores: of `x.gate`, `uk.gate` or both."""

    gate: str
    of_x: bool
    product: int | None


class LoweredProduct(NamedTuple):
    """One `project` and its `unproject`; see plan.hpp."""

    vector: int
    first_u: int
    gates: list[int]
    added: list[int]
    d: list[int]
    t: int


@dataclass
class Lowered:
    """A tape as numbers, in the order in which `_native.Plan` takes them."""

    tape: Tape
    columns: tuple[Column, ...]
    """What stands in the gradients that a backward pass stores, H wide each."""
    slots: list[tuple[int, int, bool]] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    products: list[LoweredProduct] = field(default_factory=list)
    sections: list[list[Code]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)


def lower(tape: Tape) -> Lowered:
    """A checked tape as numbers."""
    return _Lowering(tape).result


def _columns(tape: Tape) -> tuple[Column, ...]:
    """The gates of x in their order, then those gates of U whose gradient is another."""
    if tape.backward is None:
        return ()
    shared: dict[str, int | None] = dict.fromkeys(tape.gates)
    apart: list[Column] = []
    for line in _unprojects(tape):
        number = Place.of(line.to).number
        for operand in line.of:
            space, _, gate = Place.of(str(operand))
            if space == "dx":
                shared[str(gate)] = number
            else:
                apart.append(Column(str(gate), False, number))
    return (*(Column(gate, True, number) for gate, number in shared.items()), *apart)


def _unprojects(tape: Tape) -> Iterable[Instruction]:
    lines = () if tape.backward is None else tape.backward.update
    by_number = {line.to: line for line in lines if line.op == "unproject"}
    return (by_number[f"t{k}"] for k in range(len(tape.products)) if f"t{k}" in by_number)


class _Lowering:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.result = Lowered(tape, _columns(tape))
        self.slots: dict[tuple[str, int], int] = {}
        self.registers = tape.count("r")
        gates = [[split_gate(str(g)) for g in line.of[1:]] for line in tape.products]
        starts = [sum(map(len, gates[:k])) for k in range(len(gates))]
        self.u = {
            f"u{k}.{gate}": start + j
            for k, (start, of) in enumerate(zip(starts, gates, strict=True))
            for j, (gate, _) in enumerate(of)
        }
        back = {line.to: line for line in _unprojects(tape)}
        for k, line in enumerate(tape.products):
            of = back.get(f"t{k}")
            self.result.products.append(
                LoweredProduct(
                    self.slot(str(line.of[0])),
                    starts[k],
                    [tape.recurrent.index(gate) for gate, _ in gates[k]],
                    [tape.gates.index(gate) if added else -1 for gate, added in gates[k]],
                    [] if of is None else [self.slot(str(d)) for d in of.of],
                    0 if of is None else self.slot(of.to),
                )
            )
        found = dict(tape.sections())
        self.result.sections = [self.section(found.get(title, ())) for title in SECTIONS]
        self.result.counts = self.counts()

    def section(self, lines: Section) -> list[Code]:
        return [code for line in lines for code in self.codes(line)]

    def codes(self, line: Instruction) -> Iterable[Code]:
        """The instruction, after what spreads one value a row where one a unit is needed."""
        if line.op in ("project", "unproject"):
            yield (OPS.index(line.op), int(line.to[1:]), 0, 0, 0)
            return
        to = self.slot(line.to)
        wide = not self.result.slots[to][2] and line.op != "mean"
        operands = []
        for j, operand in enumerate(line.of):
            slot = self.slot(operand)
            if wide and self.result.slots[slot][2]:
                spread = self.slot(f"r{self.registers + j}")
                yield (OPS.index("spread"), spread, slot, 0, 0)
                slot = spread
            operands.append(slot)
        a, b, c = [*operands, 0, 0][:3]
        yield (OPS.index(line.op), to, a, b, c)

    def slot(self, operand: Operand) -> int:
        """The number of the slot where an operand stands."""
        key, narrow = self.place(operand)
        if key not in self.slots:
            self.slots[key] = len(self.result.slots)
            self.result.slots.append((SPACES.index(key[0]), key[1], narrow))
        return self.slots[key]

    def place(self, operand: Operand) -> tuple[tuple[str, int], bool]:
        """Space and index of an operand, and whether it is one value a row."""
        if not isinstance(operand, str):
            if operand not in self.result.numbers:
                self.result.numbers.append(operand)
            return ("number", self.result.numbers.index(operand)), False
        space, number, name = Place.of(operand)
        if operand in self.u:
            return ("u", self.u[operand]), False
        if space == "du":
            return ("dx", self.result.columns.index(Column(str(name), False, number))), False
        if name is None:
            narrow = space in ("q", "w") or (
                space in ("y", "dy") and self.tape.outputs[int(number or 0)] == "1"
            )
            return (space, int(number or 0)), narrow
        return self.named(space, name), False

    def named(self, space: str, name: str) -> tuple[str, int]:
        """Space and index of what the cell gave a name."""
        tape = self.tape
        if space in ("p", "dp"):
            return space, tape.params.index(name)
        if space == "dread":
            return space, (*tape.gates, *tape.inputs).index(name)
        if space in ("x", "dx") and name in tape.inputs:
            return {"x": "input", "dx": "dinput"}[space], tape.inputs.index(name)
        if space == "dx":
            found = (k for k, c in enumerate(self.result.columns) if c.of_x and c.gate == name)
            return space, next(found)
        if space == "x":
            return space, tape.gates.index(name)
        return {"new": "fresh"}.get(space, space), tape.state.index(name)

    def counts(self) -> list[int]:
        """How many indices each space has."""
        tape, most = self.tape, dict.fromkeys(SPACES, 0)
        for space, index, _ in self.result.slots:
            most[SPACES[space]] = max(most[SPACES[space]], index + 1)
        declared = {
            "x": len(tape.gates),
            "u": len(self.u),
            "dx": len(self.result.columns),
            "y": len(tape.outputs),
            **dict.fromkeys(("p", "dp"), len(tape.params)),
            **dict.fromkeys(("input", "dinput"), len(tape.inputs)),
            **dict.fromkeys(("s", "fresh", "final", "start"), len(tape.state)),
            **dict.fromkeys(("ds", "dnew", "dfinal", "dstart"), len(tape.state)),
        }
        return list((most | declared).values())
