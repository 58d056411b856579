"""Programs built by hand."""

import pytest
import torch

from elman.nn import Builder, CannotStore
from elman_runtime.program import evaluate


def test_what_no_output_needs_is_left_out():
    b = Builder()
    x = b.input("x", "T", 3)
    y, state = b.lower(torch.nn.LSTM(3, 4, batch_first=True), x)
    b.apply("tanh", y)
    program = b.build(y=b.apply("relu", y))
    assert [node.op for node in program.nodes] == ["cell", "relu"]
    assert program.nodes[0].attrs["reverse"] is False
    assert len(program.nodes[0].outputs) == 1
    assert state[0][0].shape == (4,)


def test_one_value_under_two_names_and_an_input_as_output():
    b = Builder()
    x = b.input("x", 3)
    y = b.scale(x, 2.0)
    program = b.build(first=y, second=y, same=x)
    values = torch.randn(2, 3).numpy()
    first, second, same = evaluate(program, b.tensors, b.tapes, [values])[0]
    assert (first == second).all()
    assert (same == values).all()


def test_equal_tensors_and_tapes_are_stored_once_and_others_apart():
    b = Builder()
    layer, other = torch.nn.GRU(3, 3, batch_first=True), torch.nn.GRU(3, 3, batch_first=True)
    x = b.input("x", "T", 3)
    y, _ = b.lower(layer, b.lower(layer, x)[0])
    program = b.build(y=b.lower(other, y)[0])
    assert len(b.tapes) == 1
    assert len(b.tensors) == 8
    assert "weight_ih_l0_2" in b.tensors
    assert len({state.name for state in program.states}) == 3


def test_programs_of_one_file_share_tensors():
    first = Builder()
    layer = torch.nn.Linear(3, 3)
    first.build(y=first.lower(layer, first.input("x", 3), name="a"))
    second = Builder(beside=first)
    second.build(y=second.lower(layer, second.input("x", 3), name="b"))
    assert sorted(second.tensors) == ["a.bias", "a.weight"]


def test_tensors_are_copies():
    b = Builder()
    layer = torch.nn.Linear(3, 3, bias=False)
    b.lower(layer, b.input("x", 3))
    before = b.tensors["weight"].copy()
    with torch.no_grad():
        layer.weight.add_(1)
    assert (b.tensors["weight"] == before).all()


@pytest.mark.errors
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda b, x: b.linear(x, torch.zeros(2, 4)), "linear needs weight has shape"),
        (lambda b, x: b.lower(torch.nn.Embedding(3, 2), x), "takes int values, and got float"),
        (lambda b, x: b.reshape(x, 3), "reshape needs"),
        (lambda b, x: b.concat(x, b.last(x)), "concat needs equal shapes"),
        (lambda b, x: b.linear((x, x), torch.zeros(2, 3)), "takes one value, and got 2 values"),
        (lambda b, x: b.lower(torch.nn.Linear(3, 2).half(), x), "write module.float"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    b = Builder()
    x = b.input("x", "T", 3)
    with pytest.raises(CannotStore, match=message):
        build(b, x)


def test_outputs_need_names_of_their_own():
    b = Builder()
    x = b.input("x", 3)
    for outputs in ({}, {"x": x}):
        with pytest.raises(ValueError, match="name the outputs"):
            b.build(**outputs)


def test_a_step_has_no_whole_sequence():
    b = Builder(each=True)
    x = b.input("x", "T", 3)
    with pytest.raises(CannotStore, match="needs the whole sequence"):
        b.lower(torch.nn.GRU(3, 4, batch_first=True, bidirectional=True), x)
