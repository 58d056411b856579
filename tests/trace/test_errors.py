"""What cannot be an instruction is refused, with the line and what to write instead."""

import linecache
import math
import re

import numpy as np
import pytest
import torch

from elman import init, ops
from elman.cells import GRU, LSTM, RNN, Cell, GRUResetBefore
from elman.ops import maximum, mean, named, tanh, where
from elman.trace import TraceError, trace


def branch(x, u, s, p):
    if x.a > 0:
        return x.a
    return u.a


def both(x, u, s, p):
    return where(x.a > 0 and u.a > 0, x.a, u.a)


def helper(v):
    return math.exp(v)


CASES = {
    "if": (branch, "neither true nor false", r"where\(v > 0, a, b\)"),
    "and": (both, "neither true nor false", "where"),
    "chained": (lambda x, u, s, p: where(0 < x.a < 1, x.a, u.a), "neither true", "chained"),
    "max": (lambda x, u, s, p: max(x.a, u.a), "neither true nor false", "max"),
    "a product": (lambda x, u, s, p: x.a if u.a else s.h, "neither true nor false", "where"),
    "float": (lambda x, u, s, p: float(x.a) * s.h, "is not a number", "elman.ops"),
    "int": (lambda x, u, s, p: int(x.a) * s.h, "is not a number", "elman.ops"),
    "math.exp": (lambda x, u, s, p: math.exp(x.a), "is not a number", "elman.ops.exp"),
    "in a helper": (lambda x, u, s, p: helper(x.a), "is not a number", "elman.ops.exp"),
    "torch.tanh": (lambda x, u, s, p: torch.tanh(x.a), "NumPy or torch", "elman.ops.tanh"),
    "torch.where": (lambda x, u, s, p: torch.where(x.a > 0, x.a, u.a), "NumPy or torch", "elman"),
    "np.tanh": (lambda x, u, s, p: np.tanh(x.a), "ufunc", "elman.ops"),
    "np.where": (lambda x, u, s, p: np.where(x.a > 0, x.a, 0), "NumPy or torch", "elman.ops"),
    "np.mean": (lambda x, u, s, p: np.mean(x.a), "NumPy or torch", "elman.ops"),
    "len": (lambda x, u, s, p: x.a * len(x.a), "is not a sequence", "one step"),
    "index": (lambda x, u, s, p: x.a[0], "is not a sequence", "gates"),
    "iteration": (lambda x, u, s, p: sum(v for v in x.a), "is not a sequence", "gates"),
    "loop over T": (lambda x, u, s, p: [x.a for _ in range(x.a.shape[1])], "no .shape", "one step"),
    "method": (lambda x, u, s, p: x.a.sigmoid(), "no .sigmoid", "elman.ops"),
    "assignment": (lambda x, u, s, p: setattr(x, "a", u.a), "x.a is assigned to", "variable"),
    "power": (lambda x, u, s, p: x.a**2, r"\*\* is no instruction", r"v \* v"),
    "equality": (lambda x, u, s, p: where(x.a == 0, x.a, u.a), "== and != are no", "<="),
    "matmul": (lambda x, u, s, p: x.a @ u.a, "this operator is no instruction", "elman.ops"),
    "unknown gate": (lambda x, u, s, p: x.b, "there is no x.b; x has a, dt", "declare"),
    "unknown product": (lambda x, u, s, p: u.dt, "there is no u.dt; u has a", "declare"),
    "unknown parameter": (lambda x, u, s, p: p.c, "there is no p.c; p has w, k", "declare"),
    "unknown state": (lambda x, u, s, p: s.c, "no attribute 'c'", "class body"),
    "tensor": (lambda x, u, s, p: x.a * torch.ones(3), "torch", "elman.ops"),
    "array": (lambda x, u, s, p: np.ones(3) * x.a, "type ndarray", "params"),
    "text": (lambda x, u, s, p: x.a + "1", "type str", "params"),
    "infinity": (lambda x, u, s, p: maximum(x.a, -math.inf), "the operand -inf", "finite"),
    "two values": (lambda x, u, s, p: (x.a, u.a), "update returns 2 values; there are 1", "h"),
    "nothing": (lambda x, u, s, p: None, "returns a NoneType", "values made of"),
    "a number": (lambda x, u, s, p: 1.0, "returns a float", "values made of"),
    "a list": (lambda x, u, s, p: [x.a], "returns a list", "values made of"),
    "a comparison": (lambda x, u, s, p: x.a > 0, "returns a comparison", "where"),
    "one value a row": (lambda x, u, s, p: mean(x.a), "one value a row", r"0.0 \* s.h"),
    "product of a row": (lambda x, u, s, p: u.a(mean(x.a)), "one value a row", "spread"),
    "product of a mask": (lambda x, u, s, p: u.a(x.a > 0), "a comparison", "where"),
    "no mask": (lambda x, u, s, p: where(x.a, x.a, u.a), "no comparison", "where"),
    "mask as number": (lambda x, u, s, p: tanh(x.a > 0) * s.h, "tanh has a comparison", "where"),
    "masks added": (lambda x, u, s, p: ((x.a > 0) + (u.a > 0)) * s.h, "add has a", "where"),
    "name twice": (lambda x, u, s, p: named("v", x.a) + named("v", u.a), "named 'v'", "own"),
    "no name": (lambda x, u, s, p: named("a b", x.a), "must be an identifier", "update"),
    "their own error": (lambda x, u, s, p: x.a / 0 + 1 / 0, "ZeroDivisionError", "must not fail"),
}


def cell_of(function):
    class Mine(Cell):
        gates = ("a",)
        inputs = ("dt",)
        params = {"w": init.constant(1.0)}
        constants = {"k": 1.0}
        update = function

    return Mine


@pytest.mark.parametrize(("function", "rule", "repair"), CASES.values(), ids=CASES)
def test_it_is_refused_where_it_stands(function, rule, repair):
    with pytest.raises(TraceError, match=rule) as caught:
        trace(cell_of(function))
    message = str(caught.value)
    assert re.search(repair, message)
    file, line = re.search(r'File "(.*)", line (\d+):', message).groups()
    assert file == __file__
    source = linecache.getline(file, int(line)).strip()
    assert source
    assert f"\n    {source}\n" in message


def test_in_place_changes_are_refused():
    def update(x, u, s, p):
        v = x.a
        v += u.a
        return v

    with pytest.raises(TraceError, match=r"v \+= u.a\n.*in place; write v = v \+ w"):
        trace(cell_of(update))


def test_the_line_is_that_of_the_mistake_even_in_a_helper():
    with pytest.raises(TraceError, match=r"\n    return math.exp\(v\)\n"):
        trace(cell_of(CASES["in a helper"][0]))


class ReadsWrong(Cell):
    gates = ("a",)

    def update(x, u, s, p):
        return tanh(x.a)

    def read(s, x, p):
        return ops.exp(s.h), 2.0


class StartsWrong(Cell):
    gates = ("a",)

    def update(x, u, s, p):
        return tanh(x.a)

    def start(p):
        return 0.0, 1.0


def test_read_and_start_are_refused_too():
    with pytest.raises(TraceError, match=r"(?s)ReadsWrong.read, File .*read returns a float"):
        trace(ReadsWrong)
    with pytest.raises(TraceError, match=r"(?s)StartsWrong.start, File .*start returns 2 values"):
        trace(StartsWrong)


@pytest.mark.parametrize("cell", [RNN, LSTM], ids=lambda c: c.__name__)
def test_a_first_state_that_only_u_reads_may_be_projected(cell):
    assert trace(cell, projected=True).takes_projection


@pytest.mark.parametrize(
    ("cell", "rule"), [(GRU, "reads s.h, which is projected"), (GRUResetBefore, "mul reads s.h")]
)
def test_other_reads_of_a_projected_state_are_refused(cell, rule):
    assert not trace(cell).takes_projection
    with pytest.raises(TraceError, match=rule):
        trace(cell, projected=True)


def test_a_product_of_a_computed_vector_is_refused_under_a_projection():
    with pytest.raises(TraceError, match=r"u.a\(v\) multiplies a computed vector.*proj_size=0"):
        trace(cell_of(lambda x, u, s, p: u.a(x.a)), projected=True)


def test_more_than_512_instructions_are_refused():
    def update(x, u, s, p):
        v = x.a
        for _ in range(600):
            v = tanh(v) + s.h
        return v

    with pytest.raises(ValueError, match="forward: at most 512 instructions"):
        trace(cell_of(update))
