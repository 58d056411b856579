"""The comparison sees what is wrong: tapes and rules that are broken on purpose must fail it."""

from dataclasses import replace

import pytest

from elman.cells import GRU, LSTM, Cell
from elman.ops import maximum, mean, relu, softplus, sqrt, tanh, where
from elman.trace import derive, trace
from elman_runtime.tape import Instruction, checked

pytestmark = pytest.mark.usefixtures("float64")


class Mixed(Cell):
    gates = ("a", "b")
    params = {}

    def update(x, u, s, p):
        v = maximum(x.a, u.a) - relu(x.b + u.b) / (1.0 + s.h * s.h)
        return where(s.h > v, tanh(v), softplus(v) - sqrt(1.0 + mean(v * v)))


SWAPS = {"sub": (1, 0), "div": (1, 0), "where": (0, 2, 1), "gt": (1, 0), "dtanh": (1, 0)}
OTHER = {"add": "sub", "mul": "add", "tanh": "sigmoid", "sigmoid": "tanh", "le": "ge", "mean": None}


def mutations(line):
    """What an instruction might be by mistake."""
    if line.op in SWAPS:
        yield replace(line, of=tuple(line.of[k] for k in SWAPS[line.op]))
    if OTHER.get(line.op):
        yield replace(line, op=OTHER[line.op])
    for k, operand in enumerate(line.of):
        if isinstance(operand, float):
            yield replace(line, of=(*line.of[:k], 0.5 - operand, *line.of[k + 1 :]))


def mutants(tape):
    for half in ("forward", "backward"):
        for section in ("prologue", "update", "read", "epilogue"):
            lines = getattr(getattr(tape, half), section, ())
            for k, line in enumerate(lines):
                for other in mutations(line):
                    broken = (*lines[:k], other, *lines[k + 1 :])
                    changed = replace(getattr(tape, half), **{section: broken})
                    yield f"{half} {section} {k}: {other}", replace(tape, **{half: changed})


@pytest.mark.parametrize("cell", [GRU, LSTM, Mixed], ids=lambda c: c.__name__)
def test_every_mutant_of_a_tape_is_seen(cell, draw, compare):
    tape = trace(cell)
    arguments = [draw(cell), draw(cell, halves=True)]
    found = list(mutants(tape))
    assert len(found) > 10
    survivors = [name for name, mutant in found if passes(compare, arguments, checked(mutant))]
    assert survivors == []


def passes(compare, arguments, tape):
    try:
        for a in arguments:
            compare(a, tape)
    except (AssertionError, ValueError):
        return False
    return True


WRONG = {
    "maximum": lambda g, y, a, b: (where(a >= b, g, 0.0), where(a < b, g, 0.0)),
    "relu": lambda g, y, a: (where(a >= 0, g, 0.0),),
    "abs": lambda g, y, a: (where(a >= 0, g, -g),),
    "sub": lambda g, y, a, b: (g, g),
    "div": lambda g, y, a, b: (g / b, g / b * y),
    "softplus": lambda g, y, a: (g * derive.sigmoid(-a),),
    "sqrt": lambda g, y, a: (g / y,),
    "where": lambda g, y, c, a, b: (None, g, where(c, 0.0, g)),
    "mul": lambda g, y, a, b: (g * a, g * b),
}


class Kinks(Cell):
    gates = ("a", "b")

    def update(x, u, s, p):
        v = maximum(x.a, s.h) - abs(x.b) + relu(u.b) * x.a / (2.0 + u.a * u.a)
        return where(s.h > v, tanh(v), softplus(v)) - sqrt(1.0 + v * v)


@pytest.mark.parametrize("op", WRONG)
def test_a_wrong_rule_is_seen(op, draw, compare, monkeypatch):
    arguments = [draw(Kinks), *(draw(Kinks, halves=True) for _ in range(6))]
    assert passes(compare, arguments, trace(Kinks))
    monkeypatch.setitem(derive.RULES, op, WRONG[op])
    assert not passes(compare, arguments, trace(Kinks))


def test_a_product_of_another_gate_is_seen(draw, compare):
    tape = trace(LSTM)
    first, *rest = tape.forward.update
    swapped = Instruction("project", "u0", ("s.h", "f+", "i+", "g+", "o+"))
    assert first.of == ("s.h", "i+", "f+", "g+", "o+")
    # The gates of a product have names, so their order means nothing forwards.
    tape = replace(tape, forward=replace(tape.forward, update=(swapped, *rest)))
    assert not passes(compare, [draw(LSTM)], tape)
