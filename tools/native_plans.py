"""Write the plans of every exported cell as text, for runtime/tests/cpp.

    python tools/native_plans.py build/plans.txt

A file is words between white space; runtime/tests/cpp/plan_file.hpp reads it and says their order.
"""

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import elman
from elman import init, ops
from elman.cells import Cell
from elman.trace import trace
from elman_runtime.tape import Tape
from elman_runtime.tape.lower import lower


class EveryInstruction(Cell):
    """Each instruction, two products of which one waits, two outputs, a start, further inputs."""

    gates = ("a", "b", "c")
    recurrent = ("a", "b", "k")
    state = ("h", "c")
    params = {"w": init.constant(0.5), "m": init.constant(0.5)}  # noqa: RUF012
    inputs = ("dt", "gain")

    def update(x, u, s, p):
        """Bounded."""
        a = ops.sigmoid(x.a + u.a) * ops.cos(x.gain)
        b = ops.softplus(x.b + u.b) + ops.relu(s.c) * ops.exp(-p.w * x.dt)
        c = ops.maximum(ops.sin(b), ops.minimum(a, s.h)) / (1 + ops.abs(s.c))
        k = ops.tanh(u.k(a * s.h)) + ops.log(1 + b)
        level = ops.mean(k)
        high, low = ops.expm1(-b), ops.sqrt(1 + ops.relu(x.c))
        # Comparisons of what is given: no rounding decides them.
        high = ops.where(x.gain > x.dt, high, low) - ops.where(x.gain >= 0.25, 0.5, low)
        low = ops.where(x.dt < 0.5, high, low) + ops.where(x.dt <= x.gain, a, high)
        return ops.tanh(low + c), 0.5 * s.c + p.m * (k - level)

    def read(s, x, p):
        """One value a row in front of one a unit."""
        return ops.mean(s.h * p.w), s.h * s.c + x.gain

    def start(p):
        """Not zero."""
        return p.w * p.w, 0.5


def tapes() -> Iterator[Tape]:
    """Of every cell; and once more where the first state can be projected."""
    found = (getattr(elman.cells, name) for name in elman.cells.__all__)
    cells = [c for c in found if isinstance(c, type) and issubclass(c, Cell) and c is not Cell]
    for cell in (*cells, EveryInstruction):
        yield trace(cell)


def words(tape: Tape) -> Iterator[object]:
    """A plan as plan_file.hpp reads it."""
    plan = lower(tape)
    names = (tape.gates, tape.recurrent, tape.state, tape.params, tape.inputs, plan.columns)
    yield from ("plan", tape.name, int(tape.takes_projection))
    yield from (len(of) for of in names)
    yield int(bool(plan.products) or tape.needs_whole_rows)
    yield from (len(plan.counts), *plan.counts)
    yield from (len(plan.slots), *map(int, chain.from_iterable(plan.slots)))
    yield from (len(plan.numbers), *(value.hex() for value in map(float, plan.numbers)))
    yield from (len(tape.outputs), *(int(width == "1") for width in tape.outputs))
    yield len(plan.products)
    for product in plan.products:
        yield from (product.vector, product.first_u, product.t)
        for numbers in (product.gates, product.added, product.d):
            yield from (len(numbers), *numbers)
    for section in plan.sections:
        yield from (len(section), *chain.from_iterable(section))


def main() -> None:
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(" ".join(map(str, words(tape))) + "\n" for tape in tapes()))


if __name__ == "__main__":
    main()
