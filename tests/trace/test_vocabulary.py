"""Cells that say all that a cell can say, beside the reference engine."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from elman import init, ops
from elman.cells import Cell
from elman.ops import exp, maximum, mean, minimum, named, relu, sigmoid, sqrt, tanh, where
from elman.trace import trace

pytestmark = pytest.mark.usefixtures("float64")


class TwoStages(Cell):
    gates = ("r", "n")

    def update(x, u, s, p):
        return tanh(x.n + u.n(sigmoid(x.r + u.r) * s.h))


class OneGateThreeTimes(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return tanh(x.n + u.n + u.n(tanh(u.n)) + u.n(x.n) + u.n(p.a))

    params = {"a": init.uniform(-1, 1)}


class ThreeStates(Cell):
    gates = ("a", "b")
    state = ("h", "c", "m")

    def update(x, u, s, p):
        m = maximum(s.m, x.a)
        return tanh(u.a + s.c) * m, s.c, m

    def read(s, x, p):
        return s.c * s.h, mean(s.m * x.b), s.h


class Prologue(Cell):
    gates = ("n",)
    params = {"tau": init.log_uniform(1, 10), "b": init.uniform(-1, 1)}
    constants = {"rate": 0.3}

    def update(x, u, s, p):
        decay = exp(-1.0 / p.tau) * mean(p.tau * p.tau)
        return s.h + p.rate * (tanh(x.n + u.n * decay + p.b) - s.h) / (1.0 + p.rate)

    def start(p):
        return tanh(p.b) * p.rate


class StartOfNumbers(Cell):
    gates = ("n",)
    state = ("h", "c")
    params = {"a": init.uniform(-1, 1)}

    def update(x, u, s, p):
        return tanh(x.n + u.n + s.c), s.c * 0.5

    def start(p):
        return p.a, 1.0


class Normed(Cell):
    gates = ("n",)
    params = {"gain": init.constant(1.0)}

    def update(x, u, s, p):
        v = x.n + u.n
        centred = v - mean(v)
        spread = sqrt(mean(centred * centred) + 1e-3)
        level = where(mean(s.h) > mean(x.n), spread, relu(mean(u.n)))
        return tanh(p.gain * centred / spread + level * mean(mean(v)))


class OneValueARow(Cell):
    gates = ("n",)
    state = ("h", "c")

    def update(x, u, s, p):
        return mean(x.n) + 0.0 * s.h, mean(u.n) * s.c

    def read(s, x, p):
        return mean(s.h + x.n), mean(s.c)


class Choices(Cell):
    gates = ("a", "b")

    def update(x, u, s, p):
        v = where(x.a > u.a, x.b, u.b) + where(s.h <= 0.5, s.h, 0.5) + where(x.a < x.b, 0.0, 1.0)
        v = v + (x.a >= 0) * s.h + minimum(maximum(x.b, s.h), 0.5) + maximum(0, u.a)
        return 0.25 * (v + relu(x.a - s.h) + ops.abs(x.b - s.h))


class Scan(Cell):
    gates = ("z", "n")
    recurrent = ()
    inputs = ("dt",)

    def update(x, u, s, p):
        keep = exp(-x.dt) * sigmoid(x.z)
        return keep * s.h + (1 - keep) * x.n


class RawAndTime(Cell):
    gates = ("n",)
    inputs = ("dt", "raw", "mask")

    def update(x, u, s, p):
        return where(x.mask > 0.5, tanh(x.n + u.n(s.h * x.raw)), s.h / (1 + x.dt)) + x.raw * mean(
            x.dt
        )

    def read(s, x, p):
        return s.h * x.dt, x.raw


class Unread(Cell):
    """Most of what is declared has no gradient."""

    gates = ("a", "b", "c")
    state = ("h", "c")
    inputs = ("dt",)
    params = {"w": init.constant(1.0)}

    def update(x, u, s, p):
        return where(u.a > 0, x.b, 1.0), s.h

    def read(s, x, p):
        return s.c


class Plain(Cell):
    """Nothing but sums, and the same value in several places."""

    gates = ("a", "b")
    state = ("h", "c", "m", "k")

    def update(x, u, s, p):
        v = x.a + u.a + x.b
        return v, v, x.b, s.m

    def read(s, x, p):
        return s.h, s.h, x.a, mean(s.h)


class Everything(Cell):
    """Each function, away from where it is undefined."""

    gates = ("a",)

    def update(x, u, s, p):
        v = x.a + u.a
        total = (
            ops.sin(v) + ops.cos(v) + ops.expm1(0.1 * v) + ops.softplus(30 * v) + ops.log(v * v + 1)
        )
        return tanh(total / 4 - s.h + sqrt(ops.abs(v)) - sigmoid(-v))


HERE = [
    c
    for c in list(globals().values())
    if isinstance(c, type) and issubclass(c, Cell) and c is not Cell
]


@pytest.mark.parametrize("cell", HERE, ids=lambda c: c.__name__)
@pytest.mark.parametrize("halves", [False, True], ids=["anywhere", "ties and zeros"])
@pytest.mark.parametrize("given", [False, True], ids=["own start", "state given"])
def test_it_does_what_the_reference_does(cell, halves, given, draw, compare):
    reset = torch.tensor([[0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=torch.bool)
    compare(draw(cell, halves=halves, given=given, reset=None if given else reset))


@pytest.mark.parametrize("cell", HERE, ids=lambda c: c.__name__)
def test_ragged_with_wide_inputs(cell, draw, compare):
    compare(draw(cell, wide=True, lengths=torch.tensor([1, 4, 3])))


def test_every_function_of_the_vocabulary_is_used_here(draw, compare):
    used = {line.op for cell in HERE for _, lines in trace(cell).sections() for line in lines}
    assert used >= (set(ops.__all__) - {"Deferred", "Symbolic", "named"})


# --- random expressions ------------------------------------------------------------------------

UNARY = "sigmoid tanh exp expm1 sin cos softplus relu abs neg mean".split()  # noqa: SIM905
BINARY = "add sub mul maximum minimum where_gt where_le safe_div".split()  # noqa: SIM905
LEAVES = "x.a x.b x.dt u.a u.b s.h s.c p.w p.k 0.5 1.0 -2.0".split()  # noqa: SIM905


def combine(inner):
    one = st.tuples(st.sampled_from(UNARY), inner)
    two = st.tuples(st.sampled_from(BINARY), inner, inner)
    return one | two | st.tuples(st.just("product"), inner)


EXPRESSIONS = st.recursive(st.sampled_from(LEAVES), combine, max_leaves=12)


def evaluate(e, scope):
    if isinstance(e, str):
        space, _, name = e.partition(".")
        return getattr(scope[space], name) if space in scope else float(e)
    op, *of = e
    a, *rest = (evaluate(v, scope) for v in of)
    b = rest[0] if rest else None
    if op == "product":
        # A number or a mean is no vector until it meets one.
        return scope["u"].b(a * 0.3 + scope["s"].c)
    special = {
        "neg": lambda: -a,
        "exp": lambda: exp(-ops.abs(a)),
        "expm1": lambda: ops.expm1(-ops.abs(a)),
        "mean": lambda: mean(a + 0.0 * scope["s"].c),
        "add": lambda: a + b,
        "sub": lambda: a - b,
        "mul": lambda: a * b,
        "safe_div": lambda: a / (1.0 + b * b),
        "where_gt": lambda: where(scope["s"].h > a, a, b),
        "where_le": lambda: where(scope["x"].a <= b, b, a),
    }
    return (
        special[op]() if op in special else getattr(ops, op)(*(v for v in (a, b) if v is not None))
    )


@pytest.mark.parametrize("halves", [False, True], ids=["anywhere", "ties and zeros"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS)
def test_random_expressions(halves, draw, compare, first, second, out):
    class Random(Cell):
        gates = ("a", "b")
        state = ("h", "c")
        inputs = ("dt",)
        params = {"w": init.uniform(-1, 1), "k": init.uniform(-1, 1)}

        def update(x, u, s, p):
            scope = {"x": x, "u": u, "s": s, "p": p}
            # Bounded, so that four steps do not grow beyond comparing.
            return tuple(tanh(evaluate(e, scope) + 0.0 * s.c) for e in (first, second))

        def read(s, x, p):
            scope = {"x": x, "u": lambda: None, "s": s, "p": p}
            return named("out", evaluate(replaced(out), scope) + s.h)

    torch.manual_seed(0)
    compare(draw(Random, halves=halves))


def replaced(e):
    """Without products: `read` has no u."""
    if isinstance(e, str):
        return "s.c" if e.startswith("u.") else e
    return ("neg", *map(replaced, e[1:])) if e[0] == "product" else (e[0], *map(replaced, e[1:]))
