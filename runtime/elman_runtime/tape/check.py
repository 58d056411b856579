"""The rules that a tape keeps. Nothing in one is trusted: an engine indexes memory by it."""

import math
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import NamedTuple

from elman_runtime.errors import ModelFileError, refusal, shown
from elman_runtime.tape.form import Instruction, Operand, Place, Section, Tape, split_gate
from elman_runtime.tape.vocabulary import OPS

MAX_INSTRUCTIONS = 512
"""Of the forward half, and of the backward half."""
MAX_NAMES = 64
"""Entries of each kind in the header."""
MAX_NAME = 64
"""Characters."""

_REPAIR = "trace the cell again, or copy the file again"
_ROW = {"q", "w"}
"""Spaces of one value a row; others have one value a unit, but for outputs, which say so."""


class _Spaces(NamedTuple):
    reads: frozenset[str]
    writes: frozenset[str]


def _spaces(reads: str, writes: str) -> _Spaces:
    return _Spaces(frozenset(reads.split()), frozenset(writes.split()))


_SECTIONS = {
    "prologue": _spaces("p r q f start", "r q f start"),
    "update": _spaces("p f x s r q v w u new", "r q v w u new"),
    "read": _spaces("p f x final v w r q", "r q v w y"),
    "backward prologue": _spaces("p f r q", "r q f"),
    "backward read": _spaces("p f x final v w dy r q dread dfinal", "r q g dread dfinal"),
    "backward update": _spaces("p f x s v w new dnew dread r q t dx du ds", "r q g t dx du ds"),
    "backward epilogue": _spaces("p f g dstart r q dp", "r q dp"),
}


def checked(tape: Tape, file: str = "tape") -> Tape:
    """The tape itself; ModelFileError with the instruction, the rule and what came, if it errs."""
    _check_header(tape, file)
    check = _Check(tape, file)
    for title, section in tape.sections():
        check.section(title, section)
    check.names()
    return tape


def is_name(name: object) -> bool:
    """Whether a gate, a state or a parameter may be called so."""
    return (
        isinstance(name, str)
        and len(name) <= MAX_NAME
        and name.isidentifier()
        and not iskeyword(name)
        and not name.startswith("_")
    )


def _check_header(tape: Tape, file: str) -> None:
    for key in ("gates", "recurrent", "state", "params", "inputs"):
        _check_names(getattr(tape, key), file, key)
    _check_names((tape.name,), file, "name")
    if not tape.state:
        raise refusal(file, "state", "at least one", "none", _REPAIR)
    if both := set(tape.gates) & set(tape.inputs):
        raise refusal(file, "inputs", "differ from the gates", min(both), _REPAIR)
    for key in ("outputs", "names"):
        if len(entries := getattr(tape, key)) > MAX_NAMES:
            raise refusal(file, key, f"at most {MAX_NAMES}", str(len(entries)), _REPAIR)
    if not set(tape.outputs) <= {"H", "1"}:
        raise refusal(file, "outputs", "each is 'H' or '1'", shown(tape.outputs), _REPAIR)
    lengths = {"forward": 0, "backward": 0}
    for title, section in tape.sections():
        lengths["backward" if title.startswith("backward") else "forward"] += len(section)
    for half, length in lengths.items():
        if length > MAX_INSTRUCTIONS:
            rule = f"at most {MAX_INSTRUCTIONS} instructions"
            raise refusal(file, half, rule, str(length), _REPAIR)


def _check_names(names: tuple[str, ...], file: str, key: str) -> None:
    if len(names) > MAX_NAMES:
        raise refusal(file, key, f"at most {MAX_NAMES} names", str(len(names)), _REPAIR)
    for name in names:
        if not is_name(name):
            rule = f"a name is an identifier of at most {MAX_NAME} characters"
            raise refusal(file, key, rule, shown(name), _REPAIR)
    if len(set(names)) < len(names):
        raise refusal(file, key, "no name stands twice", shown(names), _REPAIR)


def places_of(tape: Tape) -> dict[str, set[str]]:
    """Space -> the places that are there because of what the cell declares."""
    columns, states = (*tape.gates, *tape.inputs), tape.state
    outputs = range(len(tape.outputs))
    declared = {
        **dict.fromkeys(("x", "dx", "dread"), columns),
        **dict.fromkeys(("s", "new", "final", "start"), states),
        **dict.fromkeys(("ds", "dnew", "dfinal", "dstart"), states),
        **dict.fromkeys(("p", "dp"), tape.params),
    }
    found = {space: {f"{space}.{name}" for name in names} for space, names in declared.items()}
    return found | {space: {f"{space}{k}" for k in outputs} for space in ("y", "dy")}


@dataclass
class _Check:
    """Goes through the sections in order, and knows what has been written."""

    tape: Tape
    file: str
    at: str = ""
    written: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    products: list[Instruction] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = places_of(self.tape)
        for space in ("x", "s", "final", "p", "dy", "dnew", "dstart"):
            self.written |= self.places[space]

    def section(self, title: str, section: Section) -> None:
        """Check one section, given those before it."""
        self.written = {p for p in self.written if Place.of(p).space not in ("r", "q")}
        if title.startswith("backward"):
            # The projection of the input is gone by then; what is needed of it was saved.
            self.written -= {f"x.{gate}" for gate in self.tape.gates}
        for k, line in enumerate(section):
            self.at = f"{title} instruction {k} ({shown(str(line))})"
            self._instruction(title, line)
        self.at = title
        if not title.startswith("backward") or self.tape.backward is not None:
            missing = sorted(self._owed(title) - self.written)
            if missing:
                raise self._refusal("writes every result", f"none for {missing[0]}")

    def names(self) -> None:
        """Named values stand where something was written."""
        self.at, seen = "names", set[str]()
        half = self.tape.forward
        registers = {line.to for line in half.update + half.read}
        for entry in self.tape.names:
            name, _, place = entry.partition("=")
            if not is_name(name) or name in seen:
                raise self._refusal("each value has a name of its own", shown(entry))
            if place not in self.written | registers | self.places["x"]:
                raise self._refusal("a named value is written", shown(entry))
            seen.add(name)

    def _refusal(self, rule: str, came: str) -> ModelFileError:
        return refusal(self.file, self.at, rule, came, _REPAIR)

    def _owed(self, title: str) -> set[str]:
        """What must have been written by the end of a section."""
        owed = {
            "update": self.places["new"],
            "read": self.places["y"],
            "backward read": self.places["dfinal"] if self.tape.outputs else set(),
            "backward update": self.places["dx"]
            | self.places["ds"]
            | {f"t{k}" for k in range(len(self.products))},
            "backward epilogue": self.places["dp"],
        }
        if title == "prologue" and self.places["start"] & self.written:
            return self.places["start"]
        return owed.get(title, set())

    def _instruction(self, title: str, line: Instruction) -> None:
        to = Place.of(line.to)
        if to.space not in _SECTIONS[title].writes or not self._exists(to, line.to):
            allowed = " ".join(sorted(_SECTIONS[title].writes))
            raise self._refusal(f"writes one of {allowed}, as the cell has them", shown(line.to))
        if line.to in self.written and to.space not in ("r", "q"):
            raise self._refusal("each result is written once", f"{line.to} twice")
        if line.op == "project":
            self._project(line)  # it is read gate by gate
            return
        if line.op == "unproject":
            self._unproject(line, to)
        else:
            self._compute(title, line, to)
        self.written.add(line.to)

    def _exists(self, place: Place, text: str) -> bool:
        if place.space in self.places:
            return text in self.places[place.space]
        if place.space == "du":
            return place.name in self._gates_of(place.number)
        return place.name is None and place.number is not None and place.number < MAX_INSTRUCTIONS

    def _gates_of(self, number: int | None) -> list[str]:
        """The gates of product `number`; none where there is no such product yet."""
        known = number is not None and number < len(self.products)
        of = self.products[number].of[1:] if known and number is not None else ()
        return [split_gate(str(gate))[0] for gate in of]

    def _compute(self, title: str, line: Instruction, to: Place) -> None:
        op = OPS.get(line.op)
        if op is None:
            raise self._refusal("an instruction of the closed set", shown(line.op))
        if to.space in ("u", "t"):
            raise self._refusal(f"{to.space} is written by a product with U", line.op)
        if len(line.of) != op.arity:
            raise self._refusal(f"{line.op} has {op.arity} operands", str(len(line.of)))
        for operand in line.of:
            self._operand(title, operand)
        narrow = [self._is_narrow(operand) for operand in line.of]
        if line.op == "mean":
            if narrow[0] or not self._is_narrow(line.to):
                raise self._refusal("mean takes one value a unit, gives one a row", str(line))
        elif self._is_narrow(line.to) and not all(narrow):
            raise self._refusal("one value a row comes from values a row", str(line))

    def _operand(self, title: str, operand: Operand) -> None:
        if isinstance(operand, float):
            if not math.isfinite(operand):
                raise self._refusal("numbers are finite", str(operand))
            return
        if operand not in self.written:
            raise self._refusal("an operand was written before", shown(operand))
        if Place.of(operand).space not in _SECTIONS[title].reads:
            allowed = " ".join(sorted(_SECTIONS[title].reads))
            raise self._refusal(f"reads {allowed}", operand)
        self.read.add(operand)

    def _is_narrow(self, operand: Operand) -> bool:
        """Whether it is one value a row, or a number."""
        if isinstance(operand, float):
            return True
        place = Place.of(operand)
        if place.space in ("y", "dy") and place.number is not None:
            return self.tape.outputs[place.number] == "1"
        return place.space in _ROW

    def _project(self, line: Instruction) -> None:
        if line.to != f"u{len(self.products)}":
            raise self._refusal(f"the next product is u{len(self.products)}", shown(line.to))
        if len(line.of) < 2:
            raise self._refusal("a product has a vector and gates", f"{len(line.of)} operands")
        self._operand("update", line.of[0])
        self._vector(line.of[0])
        gates = [split_gate(str(gate)) for gate in line.of[1:]]
        names = [gate for gate, _ in gates]
        if len(set(names)) < len(names) or not set(names) <= set(self.tape.recurrent):
            raise self._refusal(f"gates of {self.tape.recurrent}, each once", shown(names))
        for column in (f"x.{gate}" for gate, added in gates if added):
            # It may be added in place, so nothing else may look at it, before or after.
            if column not in self.written or column in self.read:
                raise self._refusal("a gate that a product takes in is read by it alone", column)
            self.written.remove(column)
        self.written |= {f"{line.to}.{gate}" for gate in names}
        self.products.append(line)

    def _vector(self, operand: Operand) -> None:
        place = Place.of(str(operand))
        lasts = place.space in ("s", "p", "f", "v", "new") or place.name in self.tape.inputs
        if self._is_narrow(operand) or not (lasts or self.tape.backward is None):
            # The gradient of U is a product of the vectors of all steps.
            raise self._refusal("a product is of one saved value a unit", shown(operand))

    def _unproject(self, line: Instruction, to: Place) -> None:
        gates = self._gates_of(to.number)
        if to.space != "t" or not gates:
            raise self._refusal("the gradient of product k is tk", shown(line.to))
        if len(line.of) != len(gates):
            raise self._refusal(f"{len(gates)} gates", f"{len(line.of)} operands")
        for gate, operand in zip(gates, line.of, strict=True):
            if operand not in (f"dx.{gate}", f"du{to.number}.{gate}"):
                rule = f"dx.{gate} or du{to.number}.{gate}"
                raise self._refusal(rule, shown(operand))
            self._operand("backward update", operand)
