"""Shapes of cells: what a tape's matrices, parameters, inputs and states must be."""

from collections.abc import Mapping

from elman_runtime.program.facts import (
    BrokenRule,
    Facts,
    Made,
    Sizes,
    Typed,
    as_sequence,
    compare,
    last_axis,
    of_rank,
)
from elman_runtime.program.form import Shape
from elman_runtime.tape import Tape

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
"""Roles of a cell's matrices and biases; the others are the parameters of its tape."""


def cell_sizes(tape: Tape, params: Mapping[str, Sizes]) -> tuple[int, int]:
    """Units H, and the width P of the first state."""
    units = params["weight_ih"][0] // max(1, len(tape.gates))
    return units, params["weight_hr"][0] if "weight_hr" in params else units


def cell_width(tape: Tape, params: Mapping[str, Sizes]) -> int:
    """Width of what a cell reads out."""
    units, narrow = cell_sizes(tape, params)
    return sum(units if size == "H" else 1 for size in tape.outputs) if tape.outputs else narrow


def cell(facts: Facts) -> Made:
    steps, _ = as_sequence(facts.first)
    tape, units, out, states = _cell_weights(facts)
    _cell_inputs(facts, tape, facts.inputs[1:], (steps,), units)
    return Made(((steps, out), *(states if facts.attrs["final"] else ())), states)


def cell_step(facts: Facts) -> Made:
    last_axis(facts.first)
    rows = facts.first[:-1]
    tape, units, out, states = _cell_weights(facts)
    given = facts.inputs[1 : 1 + len(states)]
    for name, wanted, value in zip(tape.state, states, given, strict=False):
        if value.shape not in (wanted, (*rows, *wanted)):
            raise BrokenRule(f"{name} has shape {wanted} or {(*rows, *wanted)}", value.shape)
    if len(given) < len(states):
        raise BrokenRule(f"the inputs are x and {len(states)} states", len(facts.inputs))
    _cell_inputs(facts, tape, facts.inputs[1 + len(states) :], rows, units)
    return Made(((*rows, out), *((*rows, *state) for state in states)))


def _cell_weights(facts: Facts) -> tuple[Tape, int, int, tuple[Sizes, ...]]:
    """The tape, its units, the width of its output, and the shapes of its states."""
    tape = facts.tape
    if tape is None:
        raise BrokenRule("a cell has a tape", None)
    _cell_roles(facts, tape)
    width = last_axis(facts.first)
    rows, gates = of_rank(facts, "weight_ih", 2)[0], max(1, len(tape.gates))
    if "weight_hr" in facts.params:
        of_rank(facts, "weight_hr", 2)
    units, narrow = cell_sizes(tape, facts.params)
    if rows % gates or units < 1:
        raise BrokenRule(f"weight_ih has rows for each of {gates} gates", rows)
    compare(facts, "weight_ih", (gates * units, width))
    compare(facts, "weight_hh", (len(tape.recurrent) * units, narrow))
    compare(facts, "weight_hr", (narrow, units))
    compare(facts, "bias_ih", (gates * units,))
    compare(facts, "bias_hh", (len(tape.recurrent) * units,))
    for name in tape.params:
        compare(facts, name, (units,))
    shares = facts.attrs["zoneout"]
    if shares and len(shares) != len(tape.state):
        raise BrokenRule(f"zoneout has a share for each of {len(tape.state)} states", shares)
    states = ((narrow,), *[(units,)] * (len(tape.state) - 1))
    return tape, units, cell_width(tape, facts.params), states


def _cell_roles(facts: Facts, tape: Tape) -> None:
    """Which matrices a tape needs, and which it may have."""
    if bool(tape.products) and "weight_hh" not in facts.params:
        raise BrokenRule("a tape with a product by U has weight_hh", sorted(facts.params))
    if "bias_hh" in facts.params and "weight_hh" not in facts.params:
        raise BrokenRule("bias_hh comes with weight_hh", sorted(facts.params))
    if clash := set(tape.params) & set(WEIGHTS):
        raise BrokenRule("a tape's parameter is called otherwise than a weight", min(clash))
    if "weight_hr" not in facts.params:
        return
    if not tape.takes_projection or any(v.to.startswith("start.") for v in tape.forward.prologue):
        raise BrokenRule("weight_hr needs a cell whose first state is read through U", tape.name)


def _cell_inputs(
    facts: Facts, tape: Tape, given: tuple[Typed, ...], rows: Shape, units: int
) -> None:
    """The further inputs, each of one value a row or one a unit."""
    names = [name for name in tape.inputs if name != "raw"]
    if len(given) != len(names):
        raise BrokenRule(f"the cell has {len(names)} further inputs", len(given))
    for name, (shape, _) in zip(names, given, strict=True):
        if shape not in (rows, (*rows, units)):
            raise BrokenRule(f"{name} has shape {rows} or {(*rows, units)}", shape)
    if "raw" in tape.inputs and facts.first[-1] != units:
        raise BrokenRule(f"a cell that reads x.raw has inputs of its {units} units", facts.first)
