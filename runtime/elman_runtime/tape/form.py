"""What a tape is: names, and sections of instructions; its text and its JSON.

Text and JSON hold the same lines, and each tape has one spelling. docs/tapes.md says what the
sections and places mean.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

Operand = str | float
Section = tuple["Instruction", ...]

VERSION = 1
TITLE = "elman tape"

_PLACE = re.compile(r"([a-z]+)([0-9]+)?(?:\.(\w+))?")


class Place(NamedTuple):
    """Where a value stands: `r3`, `x.n`, `u0.n`."""

    space: str
    number: int | None
    name: str | None

    @classmethod
    def of(cls, text: str) -> "Place":
        """The parts of a place; a text that is none has an empty space."""
        found = _PLACE.fullmatch(text)
        # 0 begins no other number, so that a place has one spelling.
        if not found or (found[2] and found[2] != str(int(found[2][:9]))):
            return cls("", None, None)
        return cls(found[1], None if found[2] is None else int(found[2]), found[3])


@dataclass(frozen=True, slots=True)
class Instruction:
    """`to = op of[0] of[1] ...`; operands are places or numbers."""

    op: str
    to: str
    of: tuple[Operand, ...]

    def __str__(self) -> str:
        return " ".join([self.to, "=", self.op, *(str(v) for v in self.of)])


@dataclass(frozen=True)
class Forward:
    """Once a call: `prologue`. For each row and step: `update`, then `read`."""

    prologue: Section = ()
    update: Section = ()
    read: Section = ()


@dataclass(frozen=True)
class Backward:
    """Once a call: `prologue` and, at the end, `epilogue`. Each row and step: `read`, `update`."""

    prologue: Section = ()
    read: Section = ()
    update: Section = ()
    epilogue: Section = ()


@dataclass(frozen=True)
class Tape:
    """A cell as instructions. `checked` says whether one keeps the rules."""

    name: str
    gates: tuple[str, ...]
    recurrent: tuple[str, ...]
    state: tuple[str, ...]
    params: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    """For each value that is read out "H" (one a unit) or "1" (one a row); () is the first state"""
    names: tuple[str, ...]
    """Of values that were given a name: `forget=v1`."""
    forward: Forward
    backward: Backward | None = None

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Each section under its name: `update`, ..., `backward update`, ..."""
        for prefix, half in (("", self.forward), ("backward ", self.backward)):
            for field in fields(half) if half is not None else ():
                yield prefix + field.name, getattr(half, field.name)

    def __str__(self) -> str:
        lines = [f"{TITLE} {VERSION}", f"name {self.name}"]
        lines += [" ".join([key, *getattr(self, key)]) for key in HEADER if getattr(self, key)]
        for title, section in self.sections():
            if section:
                lines += [title, *(f"  {line}" for line in section)]
        return "\n".join(lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The same as lists and strings, for a model file."""
        sections = {title: [str(line) for line in lines] for title, lines in self.sections()}
        header = {key: list(getattr(self, key)) for key in HEADER}
        return {"version": VERSION, "name": self.name, **header, "sections": sections}

    # --- what an engine asks -----------------------------------------------------------------

    @property
    def products(self) -> tuple[Instruction, ...]:
        """The products with U, in order: product k writes `uk.g` for each of its gates g."""
        return tuple(line for line in self.forward.update if line.op == "project")

    @property
    def stages(self) -> int:
        """1, and one for each product with U that waits for something the step computes."""
        found = (Place.of(str(line.of[0])).space for line in self.products)
        return 1 + sum(space in ("r", "u", "v", "new") for space in found)

    @property
    def is_scan(self) -> bool:
        """Whether a step needs no product with U, so that units or rows need not wait."""
        return not self.products

    @property
    def needs_whole_rows(self) -> bool:
        """Whether some instruction is a `mean` over a row's units."""
        return any(line.op == "mean" for _, lines in self.sections() for line in lines)

    @property
    def takes_projection(self) -> bool:
        """Whether the first state is read through U alone, so that it may be narrower (P)."""
        first = f"s.{self.state[0]}"
        if any(line.of[0] != first for line in self.products):
            return False
        lines = [*self.forward.update, *self.forward.read]
        elementwise = [line for line in lines if line.op != "project"]
        return not any({first, f"final.{self.state[0]}"} & set(line.of) for line in elementwise)

    def count(self, space: str) -> int:
        """How many places a space has: "r" registers, "v" saved values, "f" fixed ones, ..."""
        places = [Place.of(line.to) for _, lines in self.sections() for line in lines]
        return 1 + max((p.number or 0 for p in places if p.space == space), default=-1)


HEADER = ("gates", "recurrent", "state", "params", "inputs", "outputs", "names")
SECTIONS = {
    **{field.name: ("forward", field.name) for field in fields(Forward)},
    **{f"backward {field.name}": ("backward", field.name) for field in fields(Backward)},
}
"""Title -> half of the tape and field."""


def split_gate(gate: str) -> tuple[str, bool]:
    """`n+` is gate n with the same gate of the input projection added."""
    return gate.removesuffix("+"), gate.endswith("+")
