"""Every exported cell as a step program: the compiled runner beside the one of NumPy."""

import numpy as np
import pytest

from elman.cells import builtin
from elman.testing import assert_close
from elman.trace import trace
from elman_runtime import native
from elman_runtime.program import Node, NumpyRunner, Program, State, Value
from elman_runtime.program.native_runner import NativeRunner


def model(cell, units, dtype):
    """Program, tensors and tape of one layer with random parameters."""
    tape, rng = trace(cell), np.random.default_rng(0)
    shapes = {
        "weight_ih": (max(1, len(tape.gates)) * units, units),
        "bias_ih": (max(1, len(tape.gates)) * units,),
    }
    if tape.recurrent:
        shapes["weight_hh"] = (len(tape.recurrent) * units, units)
        shapes["bias_hh"] = (len(tape.recurrent) * units,)
    shapes |= dict.fromkeys(tape.params, (units,))
    tensors = {
        role: rng.uniform(0.1, 0.9, shape) / (shape[-1] ** 0.5 if len(shape) > 1 else 1)
        for role, shape in shapes.items()
    }
    further = [name for name in tape.inputs if name != "raw"]
    out = sum(units if width == "H" else 1 for width in tape.outputs) or units
    node = Node(
        "cell",
        ("x", *further),
        ("y",),
        {role: role for role in shapes},
        tape.state,
        {"tape": 0},
    )
    ends = (Value("x", ("T", units)), *(Value(name, ("T",)) for name in further))
    states = tuple(State(name, (units,)) for name in tape.state)
    program = Program(ends, (Value("y", ("T", out)),), states, (node,))
    return program, {name: value.astype(dtype) for name, value in tensors.items()}, [tape]


@pytest.mark.parametrize("name", native.engines())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cell", sorted(builtin()))
def test_every_cell(cell, dtype, name):
    for units in (3, 20):
        program, tensors, tapes = model(builtin()[cell], units, dtype)
        made = NativeRunner(program, tensors, tapes, name)
        twin = NumpyRunner(program, {k: v.astype("f8") for k, v in tensors.items()}, tapes)
        rng = np.random.default_rng(1)
        shapes = [(2, 6, *v.shape[1:]) for v in program.inputs]
        inputs = [rng.uniform(0, 1, shape).astype(dtype) for shape in shapes]
        ends = []
        for one in (made, twin):
            state = np.tile(one.start(), (2, 1))
            output = np.empty((2, 6, int(program.outputs[0].shape[1])), one.dtype)
            one.run(state, [x.astype(one.dtype) for x in inputs], [output])
            ends.append((output, state))
        for what, found, wanted in zip(("output", "state"), *ends, strict=True):
            assert_close(found, wanted.astype(dtype), terms=6 * units, what=what)
