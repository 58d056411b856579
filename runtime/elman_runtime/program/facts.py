"""What is known of a node before it runs, and what it says of a rule that it breaks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from elman_runtime.program.form import Shape
from elman_runtime.tape import Tape

TIME = "T"
Sizes = tuple[int, ...]


class BrokenRule(Exception):
    """A node breaks a rule; `check` adds file, place and repair."""

    def __init__(self, rule: str, came: object) -> None:
        super().__init__(rule, came)
        self.rule, self.came = rule, came


class Typed(NamedTuple):
    """A value's shape without the batch, and "float" or "int"."""

    shape: Shape
    kind: str = "float"


@dataclass(frozen=True)
class Facts:
    """What is known of a node before it runs: `params` are shapes by role."""

    inputs: tuple[Typed, ...]
    params: Mapping[str, Sizes] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    tape: Tape | None = None

    @property
    def first(self) -> Shape:
        """The shape of the first input."""
        return self.inputs[0].shape


class Made(NamedTuple):
    """Shapes of a node's outputs and of its states."""

    outputs: tuple[Shape, ...]
    states: tuple[Sizes, ...] = ()


def last_axis(shape: Shape) -> int:
    """The size of the last axis, which is no time."""
    last = shape[-1] if shape else None
    if not isinstance(last, int):
        raise BrokenRule("the last axis has a fixed size", shape)
    return last


def without_time(shape: Shape) -> Sizes:
    """A shape, which has no axis of time."""
    if TIME in shape:
        raise BrokenRule("a value without an axis of time", shape)
    return tuple(int(size) for size in shape)


def as_sequence(shape: Shape) -> tuple[int | str, int]:
    """Steps and features of a value (T, F)."""
    if len(shape) != 2:
        raise BrokenRule("a value of shape (T, F)", shape)
    return shape[0], last_axis(shape)


def compare(facts: Facts, role: str, wanted: Sizes) -> None:
    """Compare a parameter with its due shape, if the node has it."""
    if role in facts.params and facts.params[role] != wanted:
        raise BrokenRule(f"{role} has shape {wanted}", facts.params[role])


def of_rank(facts: Facts, role: str, rank: int) -> Sizes:
    """The shape of a parameter that the node has."""
    shape = facts.params[role]
    if len(shape) != rank or 0 in shape:
        raise BrokenRule(f"{role} has {rank} axes, none of them empty", shape)
    return shape
