"""Cells made of tapes."""

import pytest
import torch

import elman
from elman.cells import Cell
from elman.nn import Recurrent
from elman.ops import tanh, where
from elman.testing import assert_close
from elman.trace import trace
from elman.trace.rebuild import cell_of
from elman_runtime.tape import from_text

CELLS = sorted(elman.cells.builtin())


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "both halves"])
@pytest.mark.parametrize("name", CELLS)
def test_outputs_states_and_gradients_are_those_of_the_cell(name, backward):
    cell = elman.cells.by_name(name)
    layer = Recurrent(cell, 4, 4, dtype=torch.float64)
    if cell.constrain is not None:
        pytest.skip("the layer constrains U, the tape does not say how")
    rebuilt = cell_of(trace(cell, backward=backward))
    again = Recurrent(rebuilt, 4, 4, bias=cell.bias, dtype=torch.float64)
    again.load_state_dict(layer.state_dict())
    x = torch.randn(2, 6, 4, dtype=torch.float64)
    further = {n: torch.rand(2, 6, dtype=torch.float64) for n in cell.inputs if n != "raw"}
    for one in (layer, again):
        y, state = one(x, lengths=[6, 3], **further)
        (y.square().sum() + sum(leaf.sum() for leaf in state[0])).backward()
    assert_close(again(x, **further)[0], layer(x, **further)[0], terms=50)
    for key, parameter in layer.named_parameters():
        assert_close(again.get_parameter(key).grad, parameter.grad, terms=200, what=key)


@pytest.mark.parametrize("name", CELLS)
def test_named_values_keep_their_names(name):
    tape = trace(elman.cells.by_name(name), backward=False)
    again = trace(cell_of(tape), backward=False)
    assert {entry.split("=")[0] for entry in again.names} == {
        entry.split("=")[0] for entry in tape.names
    }


def test_a_start_and_a_read_of_several():
    class Odd(Cell):
        gates = ("n",)
        state = ("h", "c")
        params = {"w": elman.init.constant(0.5)}

        def update(x, u, s, p):
            c = tanh(x.n + u.n(s.h * p.w))
            return where(s.c > 0.0, c, -c), s.c + c

        def read(s, x, p):
            return s.h, tanh(x.n) * s.c

        def start(p):
            return 0.3 * p.w, 1.0

    layer = Recurrent(Odd, 3, 4, dtype=torch.float64)
    again = Recurrent(cell_of(trace(Odd, backward=False)), 3, 4, dtype=torch.float64)
    again.load_state_dict(layer.state_dict())
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    assert_close(again(x)[0], layer(x)[0], terms=50)
    assert_close(again.initial_state(2)[0].h, layer.initial_state(2)[0].h, terms=1)


def test_a_comparison_that_is_used_as_a_number():
    lines = "state h\nupdate\n  r0 = gt s.h 0.0\n  r1 = gt x.n 0.0\n  r0 = add r0 r1\n"
    text = f"elman tape 1\nname Count\ngates n\n{lines}  new.h = copy r0\n"
    layer = Recurrent(cell_of(from_text(text)), 1, 1, bias=False)
    layer.weight_ih_l0.data.fill_(1.0)
    assert layer(torch.ones(1, 2, 1))[0].flatten().tolist() == [1.0, 2.0]
