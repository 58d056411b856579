"""A cell on its tape, run by NumPy, beside the same cell in the reference engine."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from elman.engine import Call, Weights, reference
from elman.testing import assert_close
from elman.trace import trace
from elman_runtime import tape as tapes

BATCH, TIME, WIDTH, UNITS = 3, 4, 2, 5
# Multiples of a half: sums and products of them meet exactly, so that ties and zeros occur.
HALVES = torch.tensor([-1.0, -0.5, 0.0, 0.0, 0.0, 0.5, 1.0])


def random(*shape, halves):
    if halves:
        return HALVES.to(torch.get_default_dtype())[torch.randint(len(HALVES), shape)]
    return torch.randn(*shape)


def own_parameters(cell, units):
    """As the cell declares them, and near that: a time constant has to stay positive."""
    found = {}
    for name, fill in cell.params.items():
        value = torch.empty(units)
        fill(value)
        found[name] = torch.where(
            value == 0, torch.rand(units) - 0.5, value * (0.9 + 0.1 * torch.rand(units))
        )
    return found


def draw(cell, *, halves=False, bias=True, wide=False, given=True, lengths=None, reset=None):
    """Random arguments of a call; everything that can have a gradient asks for one."""
    width = UNITS if "raw" in cell.inputs else WIDTH
    gates, recurrent = len(cell.gates) * UNITS, len(cell.recurrent) * UNITS
    scale = 1.0 if halves else UNITS**-0.5
    shape = {"weight_ih": (gates, width), "weight_hh": (recurrent, UNITS)}
    shape |= {"bias_ih": (gates,), "bias_hh": (recurrent,)} if bias else {}
    weights = {k: random(*s, halves=halves) * scale for k, s in shape.items() if s[0]}
    inputs = {
        n: 0.1 + torch.rand(BATCH, TIME, *([UNITS] * wide)) for n in cell.inputs if n != "raw"
    }
    # Sums of squares and the like start away from zero, where some cells divide by them.
    state = [random(BATCH, UNITS, halves=halves).abs() + 0.5 * (not halves) for _ in cell.state]
    found = SimpleNamespace(
        cell=cell,
        weights=weights,
        params=own_parameters(cell, UNITS),
        x=random(BATCH, TIME, width, halves=halves),
        inputs=inputs,
        state=state if given else None,
        lengths=lengths,
        reset=reset,
        constants=dict(cell.constants),
    )
    leaves = [*weights.values(), *found.params.values(), found.x, *inputs.values()]
    for leaf in [*leaves, *(state if given else ())]:
        leaf.requires_grad_()
    return found


def in_reference(a):
    """Outputs, final state and every gradient by autograd, by name; and those from above."""
    cell = a.cell
    weights = Weights(**{"weight_ih": None, **a.weights}, params=a.params)
    start = first_state(cell, a)
    x, inputs, state = a.x, a.inputs, start
    if a.lengths is not None:
        valid = torch.arange(TIME) < a.lengths[:, None]
        x = x.masked_fill(~valid[..., None], 0)
        inputs = {
            k: v.masked_fill(~(valid if v.dim() == 2 else valid[..., None]), 0)
            for k, v in inputs.items()
        }
    if a.state is not None:
        state = cell.State(*a.state)
    call = Call(cell, x, state, weights, a.constants, inputs, a.lengths, a.reset, start)
    result = reference.run(call)
    above = torch.randn_like(result.output), [torch.randn_like(s) for s in result.state]
    total = (result.output * above[0]).sum()
    total = total + sum((s * d).sum() for s, d in zip(result.state, above[1], strict=True))
    found = {"output": result.output}
    found |= {f"final {n}": s for n, s in zip(cell.state, result.state, strict=True)}
    sources = {**a.weights, **a.params, "x": a.x, **a.inputs}
    sources |= dict(zip([f"state {n}" for n in cell.state], a.state or (), strict=False))
    grads = torch.autograd.grad(total, list(sources.values()), allow_unused=True)
    for (name, source), grad in zip(sources.items(), grads, strict=True):
        found[f"d {name}"] = torch.zeros_like(source) if grad is None else grad
    return {k: v.detach() for k, v in found.items()}, above


def first_state(cell, a):
    if cell.start is None:
        return cell.State(*(torch.zeros(BATCH, UNITS) for _ in cell.state))
    values = cell.start(SimpleNamespace(**a.params, **a.constants))
    values = values if isinstance(values, tuple) else (values,)
    return cell.State(*(torch.as_tensor(v).expand(BATCH, UNITS) for v in values))


def array(t):
    return None if t is None else t.detach().numpy()


def on_tape(a, tape, above):
    """The same by the tape."""
    params = {k: array(v) for k, v in a.params.items()}
    weights = tapes.Weights(**{k: array(v) for k, v in a.weights.items()}, params=params)
    state = None if a.state is None else tuple(map(array, a.state))
    inputs = {k: array(v) for k, v in a.inputs.items()}
    run = tapes.forward(
        tape,
        weights,
        array(a.x),
        state,
        inputs=inputs,
        lengths=array(a.lengths),
        reset=array(a.reset),
    )
    grads = tapes.backward(tape, weights, run, array(above[0]), tuple(map(array, above[1])))
    found = {"output": run.output}
    found |= {f"final {n}": s for n, s in zip(a.cell.state, run.state, strict=True)}
    found |= {f"d {n}": getattr(grads.weights, n) for n in a.weights}
    found |= {f"d {n}": g for n, g in grads.weights.params.items()}
    found["d x"] = grads.x
    for name, value in a.inputs.items():
        # One value a row has the gradients of all its units.
        grad = grads.inputs[name]
        found[f"d {name}"] = grad.sum(-1) if value.dim() == 2 else grad
    found |= dict(zip([f"d state {n}" for n in a.cell.state], grads.state or (), strict=False))
    return found


def compare(a, tape=None):
    tape = trace(a.cell) if tape is None else tape
    expected, above = in_reference(a)
    with np.errstate(all="ignore"):
        actual = on_tape(a, tape, above)
    assert actual.keys() == expected.keys()
    terms = BATCH * TIME * (UNITS + WIDTH) * (1 + len(a.cell.gates)) * 16
    for name, value in expected.items():
        found = torch.from_numpy(np.array(actual[name]))
        assert found.dtype == value.dtype
        # Where torch's own derivative is not a number, so is the tape's.
        missing = ~value.isfinite()
        torch.testing.assert_close(found[missing], value[missing], equal_nan=True, rtol=0, atol=0)
        assert_close(
            found[~missing], value[~missing], terms=terms, what=f"{a.cell.__name__} {name}"
        )


@pytest.fixture(name="draw")
def _draw():
    return draw


@pytest.fixture(name="compare")
def _compare():
    """`compare(draw(cell), tape)`: fails unless the tape does what the reference engine does."""
    return compare
