"""Tapes made ready for the native engine, each once."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from elman.cells import Cell
from elman.trace import TraceError, trace
from elman_runtime import native
from elman_runtime.errors import ModelFileError
from elman_runtime.tape import Place, Tape, from_text
from elman_runtime.tape.lower import Lowered, lower


class Recurrence(NamedTuple):
    """A product with U backwards: which columns of the stored gradients belong to which rows."""

    vector: Place
    """What U multiplied: a state before the step (`s`), a new one (`new`), or a saved value."""
    runs: tuple[tuple[int, int, int], ...]
    """First column, first row block of U, and how many: of H each, and side by side in both."""


class Prepared(NamedTuple):
    """A tape, its numbers, and what the compiled engine made of them."""

    text: str
    tape: Tape
    lowered: Lowered
    plan: Any
    recurrences: tuple[Recurrence, ...]
    values: int
    """How many values of H a step saves for the derivative,"""
    narrow_values: int
    """and how many single ones."""
    further: tuple[str, ...]
    """Names of the inputs that are no projections, without `raw`, which is x itself."""
    multiplied: frozenset[str]
    """Names of the states that U multiplies as a step finds them."""
    plain: bool
    """Whether there are no inputs, and all that U multiplies is such a state or a saved value."""


class CannotRun(Exception):
    """Why a cell has no plan."""


_texts: WeakKeyDictionary[type[Cell], dict[Any, str | CannotRun]] = WeakKeyDictionary()


def text_of(cell: type[Cell], constants: Mapping[str, float], projected: bool) -> str:
    """The text of a cell's tape, which `trouble_with` has nothing against."""
    return str(_known(cell, constants, projected))


def trouble_with(cell: type[Cell], constants: Mapping[str, float], projected: bool) -> str | None:
    """Why a cell has no tape that the engine runs; None where it has one."""
    found = _known(cell, constants, projected)
    return str(found) if isinstance(found, CannotRun) else None


def plain_of(cell: type[Cell], constants: Mapping[str, float]) -> Prepared | None:
    """A cell's tape where it can run and is plain, without a projected state; else None."""
    text = _known(cell, constants, False)
    if isinstance(text, CannotRun):
        return None
    found = prepared(text)
    return found if found.plain else None


def further_inputs(text: str) -> tuple[str, ...]:
    """Names of the inputs of a tape that are no projections, without `raw`, which is x itself."""
    return prepared(text).further


def reads_out(text: str) -> bool:
    """Whether the output is something else than the first state."""
    return bool(prepared(text).tape.outputs)


# torch.compile takes what these return as constants: it need not, and cannot, trace a trace.
_functions: tuple[Any, ...] = (text_of, trouble_with, further_inputs, reads_out)
for _function in _functions:
    _function._dynamo_marked_constant = True


def _known(cell: type[Cell], constants: Mapping[str, float], projected: bool) -> str | CannotRun:
    """Traced once for each set of constants."""
    key = (tuple(sorted(constants.items())) if constants else (), projected)
    known = _texts.get(cell)
    if known is None:
        known = _texts.setdefault(cell, {})
    if key not in known:
        known[key] = _traced(cell, constants, projected)
    return known[key]


def _traced(cell: type[Cell], constants: Mapping[str, float], projected: bool) -> str | CannotRun:
    try:
        text = str(trace(cell, constants, projected=projected))
        prepared(text)
    except (TraceError, ModelFileError, CannotRun) as error:
        return CannotRun(str(error))
    return text


@lru_cache(maxsize=256)
def prepared(text: str) -> Prepared:
    """The plan of a tape; `text` is checked like one from a file."""
    tape = from_text(text)
    lowered = lower(tape)
    found = tuple(_recurrences(tape, lowered))
    return Prepared(
        text,
        tape,
        lowered,
        native.plan(lowered),
        found,
        tape.count("v"),
        tape.count("w"),
        tuple(name for name in tape.inputs if name != "raw"),
        frozenset(str(one.vector.name) for one in found if one.vector.space == "s"),
        not tape.inputs and all(one.vector.space in ("s", "v") for one in found),
    )


def _recurrences(tape: Tape, lowered: Lowered) -> list[Recurrence]:
    found = []
    for line, product in zip(tape.products, lowered.products, strict=True):
        vector = Place.of(str(line.of[0]))
        if vector.space not in ("s", "v", "new"):
            raise CannotRun(f"{tape.name} multiplies {line.of[0]} by U, which is not kept")
        columns = [lowered.slots[d][1] for d in product.d]
        found.append(Recurrence(vector, tuple(_runs(columns, product.gates))))
    return found


def _runs(columns: list[int], rows: list[int]) -> list[tuple[int, int, int]]:
    """Pairs of numbers as (first, first, count) where both go up by one."""
    runs: list[tuple[int, int, int]] = []
    for column, row in zip(columns, rows, strict=True):
        if runs and (column, row) == (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]):
            runs[-1] = (*runs[-1][:2], runs[-1][2] + 1)
        else:
            runs.append((column, row, 1))
    return runs
