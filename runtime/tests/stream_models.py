"""Small models that tests of streams store and feed; random, distinct weights."""

import numpy as np

from elman_runtime import write_model
from elman_runtime.program import Node, Program, State, Value
from elman_runtime.tape import from_text

GRU = from_text(
    """\
elman tape 1
name GRU
gates r z n
recurrent r z n
state h
update
  u0 = project s.h r+ z+ n
  v0 = sigmoid u0.r
  v1 = sigmoid u0.z
  v2 = copy u0.n
  r0 = mul v0 u0.n
  r0 = add x.n r0
  v3 = tanh r0
  r0 = sub s.h v3
  r0 = mul v1 r0
  new.h = add v3 r0
"""
)
INPUTS, UNITS, OUTPUTS = 3, 8, 2
VOCABULARY = 11
WINDOW, SERIES, AHEAD = 5, 2, 4
_ROLES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def tensors(seed=0, inputs=INPUTS, dtype=np.float32):
    draw = np.random.default_rng(seed)
    shapes = {
        "gru.weight_ih": (3 * UNITS, inputs),
        "gru.weight_hh": (3 * UNITS, UNITS),
        "gru.bias_ih": (3 * UNITS,),
        "gru.bias_hh": (3 * UNITS,),
        "gru.start": (UNITS,),
        "head.weight": (OUTPUTS, UNITS),
        "head.bias": (OUTPUTS,),
    }
    return {name: (0.4 * draw.standard_normal(s)).astype(dtype) for name, s in shapes.items()}


def _gru(x):
    params = {role: f"gru.{role}" for role in _ROLES}
    return Node("cell", (x,), ("h",), params, ("gru.h",), {"tape": 0})


def _head(y="y"):
    return Node("linear", ("h",), (y,), {"weight": "head.weight", "bias": "head.bias"})


_STATES = (State("gru.h", (UNITS,), "gru.start"),)


def gru(path, seed=0, dtype=np.float32):
    """(T, 3) to (T, 2) as "step"; "main" gives the last output alone."""
    x = (Value("x", ("T", INPUTS)),)
    step = Program(x, (Value("y", ("T", OUTPUTS)),), _STATES, (_gru("x"), _head()))
    last = Node("last", ("y",), ("end",))
    main = Program(x, (Value("end", (OUTPUTS,)),), _STATES, (_gru("x"), _head(), last))
    return _write(path, {"main": main, "step": step}, tensors(seed, dtype=dtype))


def several(path):
    """Tokens and a vector in, two outputs."""
    held = tensors(1, inputs=2 + INPUTS)
    held["words"] = np.random.default_rng(2).standard_normal((VOCABULARY, 2)).astype(np.float32)
    nodes = (
        Node("embedding", ("token",), ("e",), {"weight": "words"}),
        Node("concat", ("e", "x"), ("both",)),
        _gru("both"),
        _head(),
        Node("tanh", ("h",), ("squashed",)),
    )
    inputs = (Value("token", ("T",), "int"), Value("x", ("T", INPUTS)))
    outputs = (Value("y", ("T", OUTPUTS)), Value("squashed", ("T", UNITS)))
    return _write(path, {"main": Program(inputs, outputs, _STATES, nodes)}, held)


def window(path):
    """The last 5 observations of 2 series to 4 values ahead of each."""
    draw = np.random.default_rng(3)
    width = WINDOW * SERIES
    held = {
        "weight": draw.standard_normal((AHEAD * SERIES, width)).astype(np.float32),
        "bias": draw.standard_normal(AHEAD * SERIES).astype(np.float32),
    }
    nodes = (
        Node("reshape", ("x",), ("flat",), attrs={"shape": [width]}),
        Node("linear", ("flat",), ("ahead",), {"weight": "weight", "bias": "bias"}),
        Node("reshape", ("ahead",), ("y",), attrs={"shape": [AHEAD, SERIES]}),
    )
    inputs, outputs = (Value("x", (WINDOW, SERIES)),), (Value("y", (AHEAD, SERIES)),)
    return _write(path, {"main": Program(inputs, outputs, (), nodes)}, held, tapes=())


def backward(path):
    """A program that needs the end: its cell runs from there."""
    cell = _gru("x")
    cell = Node(
        cell.op, cell.inputs, cell.outputs, cell.params, cell.states, {"tape": 0, "reverse": True}
    )
    program = Program(
        (Value("x", ("T", INPUTS)),), (Value("y", ("T", OUTPUTS)),), _STATES, (cell, _head())
    )
    return _write(path, {"main": program}, tensors())


def _write(path, programs, held, tapes=(GRU,)):
    write_model(path, programs, tapes, held, "test", {})
    return path


def noise(steps, width=INPUTS, seed=7):
    return np.random.default_rng(seed).standard_normal((steps, width)).astype(np.float32)
