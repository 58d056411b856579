"""From a tape back to a cell: equations that every engine runs, and that can be differentiated."""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from elman import init, ops
from elman.cells import Cell
from elman.ops import named
from elman_runtime.tape import Instruction, Place, Tape, split_gate

__all__ = ["cell_of"]

Values = dict[str, Any]

_COMPARISONS = {name: getattr(operator, name) for name in ("gt", "ge", "lt", "le")}
_OPERATORS = {name: getattr(operator, name) for name in ("add", "sub", "mul", "neg")}
_FUNCTIONS = "maximum minimum where abs relu sqrt exp expm1 log sin cos tanh sigmoid softplus mean"
_COMPUTE: dict[str, Callable[..., Any]] = {
    "copy": lambda v: v,
    "div": operator.truediv,
    **_OPERATORS,
    **_COMPARISONS,
    **{name: getattr(ops, name) for name in _FUNCTIONS.split()},
}


def cell_of(tape: Tape) -> type[Cell]:
    """The cell that a tape says: its `update` carries out the instructions.

    Its tape is the same but for the order of what may come in any. Constants are numbers by now,
    and what `constrain` made of U is what U is.

    Example:
        >>> import elman
        >>> from elman.trace import trace
        >>> tape = trace(elman.cells.GRU, backward=False)
        >>> trace(cell_of(tape), backward=False) == tape
        True
    """
    body: dict[str, Any] = {
        "__doc__": f"{tape.name}, from its tape.",
        "gates": tape.gates,
        "recurrent": tape.recurrent,
        "state": tape.state,
        "params": dict.fromkeys(tape.params, init.constant(0.0)),
        "inputs": tape.inputs,
        "update": _update(tape),
    }
    if tape.outputs:
        body["read"] = _read(tape)
    if any(line.to.startswith("start.") for line in tape.forward.prologue):
        body["start"] = _start(tape)
    return type(tape.name, (Cell,), body)


def _update(tape: Tape) -> Callable[..., Any]:
    names = _names(tape, within_read=False)

    def update(x: Any, u: Any, s: Any, p: Any) -> tuple[Any, ...]:
        values = _given(tape, {"x": (x, (*tape.gates, *tape.inputs)), "s": (s, tape.state)}, p)
        _run(_of_products(tape, u), tape.forward.update, values)
        for name, place in names:
            named(name, values[place])
        return tuple(values[f"new.{name}"] for name in tape.state)

    return update


def _read(tape: Tape) -> Callable[..., Any]:
    """`read`, with what it shares with `update`, which is made of inputs and parameters alone."""
    written = {line.to for line in (*tape.forward.prologue, *tape.forward.read)}
    wanted = {v for line in tape.forward.read for v in line.of if isinstance(v, str)} - written
    before = _slice(tape.forward.update, wanted)
    names = _names(tape, within_read=True)

    def read(s: Any, x: Any, p: Any) -> tuple[Any, ...]:
        values = _given(tape, {"x": (x, (*tape.gates, *tape.inputs)), "final": (s, tape.state)}, p)
        _run(_no_products, [*before, *tape.forward.read], values)
        for name, place in names:
            named(name, values[place])
        return tuple(values[f"y{k}"] for k in range(len(tape.outputs)))

    return read


def _start(tape: Tape) -> Callable[..., Any]:
    def start(p: Any) -> tuple[Any, ...]:
        values = _given(tape, {}, p)
        return tuple(values.get(f"start.{name}", 0.0) for name in tape.state)

    return start


def _names(tape: Tape, *, within_read: bool) -> list[tuple[str, str]]:
    """Names and places of the named values of one section."""
    # A register that `update` names is left alone by `read`.
    places = {line.to for line in tape.forward.read}
    pairs = (entry.split("=") for entry in tape.names)
    return [(name, place) for name, place in pairs if (place in places) == within_read]


def _given(tape: Tape, spaces: dict[str, tuple[Any, Sequence[str]]], p: Any) -> Values:
    """What a section may read before it starts: inputs, states, parameters and the prologue."""
    values = {f"p.{name}": getattr(p, name) for name in tape.params}
    for space, (holder, names) in spaces.items():
        # A further input that is not asked for may be missing: it is looked up when it is read.
        values |= {f"{space}.{name}": getattr(holder, name) for name in names}
    _run(_no_products, tape.forward.prologue, values)
    return values


def _run(
    product: Callable[[Instruction, Values], None], lines: Iterable[Instruction], values: Values
) -> None:
    lines = list(lines)
    as_numbers = _counted(lines)
    for k, line in enumerate(lines):
        if line.op == "project":
            product(line, values)
            continue
        found = _COMPUTE[line.op](*(values[v] if isinstance(v, str) else v for v in line.of))
        values[line.to] = ops.where(found, 1.0, 0.0) if k in as_numbers else found


def _counted(lines: Sequence[Instruction]) -> set[int]:
    """Comparisons that something else than `where` reads, as 1 or 0."""
    made: dict[str, int] = {}
    found = set()
    for k, line in enumerate(lines):
        for at, place in enumerate(line.of):
            if place in made and not (line.op == "where" and at == 0):
                found.add(made[str(place)])
        made.pop(line.to, None)
        if line.op in _COMPARISONS:
            made[line.to] = k
    return found


def _of_products(tape: Tape, u: Any) -> Callable[[Instruction, Values], None]:
    """Products with U: of the first state `u.g`, of any other vector `u.g(v)`."""
    first = f"s.{tape.state[0]}"

    def product(line: Instruction, values: Values) -> None:
        vector = str(line.of[0])
        for gate, added in map(split_gate, map(str, line.of[1:])):
            block = getattr(u, gate)
            block = block if vector == first else block(values[vector])
            values[f"{line.to}.{gate}"] = block + values[f"x.{gate}"] if added else block

    return product


def _no_products(line: Instruction, _: Values) -> None:
    raise ValueError(f"{line}: a product with U stands in update alone")


def _slice(lines: Sequence[Instruction], wanted: Iterable[str]) -> list[Instruction]:
    """The lines that some saved values need, in order; registers hold one value after another."""
    needed, kept = {place for place in wanted if Place.of(place).space in ("v", "w")}, []
    for line in reversed(lines):
        if line.to in needed:
            needed.discard(line.to)
            needed.update(v for v in line.of if isinstance(v, str))
            kept.append(line)
    return kept[::-1]
