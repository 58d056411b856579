"""Probes along time, on recurrences whose answers are known."""

import numpy as np
import pytest
import torch

from elman import Cell
from elman.doctor import inspect
from elman.doctor.jacobian import lyapunov, singular_values
from elman.doctor.memory import memory
from elman.doctor.path import path_of, unroll
from elman.nn import Recurrent
from elman.ops import tanh


class Fading(Cell):
    """Keeps 0.8 of what it has, and adds the input."""

    gates = ("n",)
    recurrent = ()
    constants = {"keep": 0.8}

    def update(x, u, s, p):
        return p.keep * s.h + x.n


class Linear(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return x.n + u.n


class Delayed(Cell):
    """What enters is read out two steps later."""

    gates = ("n",)
    recurrent = ()
    state = ("old", "new")

    def update(x, u, s, p):
        return s.new, x.n


def path(layer, x=None, rows=8, steps=256, **options):
    x = torch.randn(4, 30, layer.input_size) if x is None else x
    (trace,) = inspect(layer, x, **options).layers.values()
    return path_of(trace.recorded, rows, steps)


def test_an_exponential_memory_by_its_rate():
    found = memory(path(Recurrent(Fading, 3, 5)))
    assert np.allclose(found.inputs[1:] / found.inputs[:-1], 0.8)
    assert np.allclose(found.states[1:] / found.states[:-1], 0.8)
    assert found.half_life == 4, "0.8 ** 3 is more than a half and 0.8 ** 4 is less"
    assert found.reach == 21, "counted from the input before the last: 0.8 ** 20 is over 1 %"
    assert found.growth == 1.0


def test_growth_is_over_all_steps():
    layer = Recurrent(Fading, 3, 5, constants={"keep": 1.2})
    found = memory(path(layer))
    assert found.growth == pytest.approx(1.2**29)
    assert found.half_life == np.inf


def test_a_delay_is_a_memory_of_that_length():
    found = memory(path(Recurrent(Delayed, 3, 5)))
    assert (found.inputs > 0).tolist() == [False, True] + [False] * 28
    assert found.reach == 1
    assert found.past == 1.0


def test_singular_values_and_exponents_are_those_of_a_linear_step():
    layer = Recurrent(Linear, 3, 6)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.diag(torch.tensor([1.1, 0.9, 0.8, 0.5, 0.4, 0.1])))
    one = path(layer)
    assert np.allclose(singular_values(one).singular, [1.1, 0.9, 0.8, 0.5, 0.4, 0.1])
    # It takes some steps until the directions are those of the eigenvectors.
    exponents = lyapunov(path(layer, torch.randn(1, 200, 3)), count=3)
    assert np.allclose(exponents, np.log([1.1, 0.9, 0.8]), atol=0.03)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SLSTM", "LayerNormLSTM"])
def test_a_jacobian_is_that_of_finite_differences(name):
    one = path(Recurrent(name, 3, 4))
    found = singular_values(one, points=1).singular[0]
    found_states = unroll(one).states[0]
    leaves = [leaf.detach() + 0.1 for leaf in found_states]
    flat = torch.cat([leaf[0] for leaf in leaves])

    def step(v):
        given = [part.expand(len(one.x), -1) for part in v.split([len(leaf[0]) for leaf in leaves])]
        return torch.cat([leaf[0] for leaf in one.advance(0, one.x[:, 0], given)[1]])

    eye = 1e-6 * torch.eye(len(flat), dtype=flat.dtype)
    numeric = torch.stack([(step(flat + e) - step(flat - e)) / 2e-6 for e in eye], 1)
    analytic = torch.autograd.functional.jacobian(step, flat)
    assert torch.allclose(numeric, analytic, atol=1e-7)
    assert found.shape == (len(flat),)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_path_is_the_layers_own(reverse):
    """The end of the longest rows, in the order in which the layer takes the steps."""
    layer = Recurrent("LSTM", 3, 4, bidirectional=True).double()
    x = torch.randn(3, 12, 3, dtype=torch.float64)
    lengths = [12, 2, 10]
    trace = inspect(layer, x, lengths=lengths)["l0_reverse" if reverse else "l0"]
    one = path_of(trace.recorded, rows=2, steps=5)
    assert one.x.shape == (2, 5, 3)
    found = unroll(one)
    for k, (row, length) in enumerate([(0, 12), (2, 10)]):
        steps = range(4, -1, -1) if reverse else range(length - 5, length)
        expected = trace["h"][row, list(steps)]
        got = torch.stack([y[k] for y in found.y]).detach().numpy()
        assert np.allclose(got, expected)


def test_a_row_of_one_step_has_no_path():
    assert path(Recurrent("GRU", 3, 4), torch.randn(2, 1, 3)) is None


class Both(Cell):
    gates = ("n",)
    inputs = ("dt",)

    def update(x, u, s, p):
        return tanh(x.n + u.n) * x.dt


def test_further_inputs_are_those_of_the_row():
    layer = Recurrent(Both, 3, 4).double()
    x = torch.randn(4, 9, 3, dtype=torch.float64)
    dt = torch.rand(4, 9, dtype=torch.float64)
    one = path(layer, x, rows=2, dt=dt, lengths=[3, 9, 9, 1])
    y, _ = layer(x[1:3], dt=dt[1:3])
    assert torch.allclose(torch.stack(unroll(one).y, 1), y)
