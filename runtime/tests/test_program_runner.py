"""Step programs run for ever: a row's bits depend on its own inputs alone."""

from itertools import pairwise

import numpy as np
import pytest

import program_zoo as zoo
from elman_runtime import ModelFileError
from elman_runtime.program import Node, NumpyRunner, Program, Value, evaluate, runner

ROWS, STEPS, WIDTH = 7, 12, 33


@pytest.fixture(name="made", params=["f4", "f8"])
def _made(request):
    program, tensors = zoo.stack(np.random.default_rng(0).standard_normal, request.param)
    return NumpyRunner(program, tensors, [zoo.RNN])


def tokens(rows=ROWS, steps=STEPS):
    return np.random.default_rng(1).integers(0, 11, (rows, steps))


def outputs_of(made, rows, steps):
    shapes = [(rows, steps, *v.shape[1:]) for v in made.program.outputs]
    return [np.full(shape, np.nan, made.dtype) for shape in shapes]


def run(made, inputs, cuts=None, rows=None, held=None):
    """All outputs and the final states, T cut at `cuts`."""
    batch, steps = inputs.shape
    state = np.tile(made.start(), (held or batch, 1))
    outputs = outputs_of(made, batch, steps)
    edges = [0, *(cuts or []), steps]
    for a, b in pairwise(edges):
        made.run(state, (inputs[:, a:b],), [o[:, a:b] for o in outputs], rows)
    return outputs, state


def same(a, b):
    return all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def test_it_computes_the_program(made):
    outputs, state = run(made, tokens())
    tensors = zoo.stack(np.random.default_rng(0).standard_normal, made.dtype)[1]
    wanted, after = evaluate(made.program, tensors, [zoo.RNN], [tokens()])
    near = 1e-4 if made.dtype == np.float32 else 1e-12
    for found, one in zip(outputs, wanted, strict=True):
        np.testing.assert_allclose(found, one, rtol=near, atol=near)
    flat = np.concatenate([v.reshape(ROWS, -1) for v in after], 1)
    np.testing.assert_allclose(state, flat, rtol=near, atol=near)
    assert state.shape == (ROWS, made.state_size)
    assert made.state_size == 4 * 5 + 7 + 1 + 7


@pytest.mark.parametrize("cuts", [[1], [5, 5, 6], list(range(1, STEPS))])
def test_bits_do_not_depend_on_how_time_is_cut(made, cuts):
    whole, end = run(made, tokens())
    cut, after = run(made, tokens(), cuts)
    assert same(whole, cut)
    assert end.tobytes() == after.tobytes()


def test_bits_do_not_depend_on_the_batch(made):
    whole, end = run(made, tokens())
    for row in range(ROWS):
        alone, after = run(made, tokens()[row : row + 1])
        assert same([o[row] for o in whole], [o[0] for o in alone])
        assert end[row].tobytes() == after[0].tobytes()


def test_rows_say_whose_state_it_is(made):
    whole, end = run(made, tokens())
    order = np.array([4, 0, 6, 2])
    held, after = run(made, tokens()[order], rows=order, held=ROWS)
    assert same([o[order] for o in whole], held)
    assert end[order].tobytes() == after[order].tobytes()
    untouched = [row for row in range(ROWS) if row not in order]
    assert (after[untouched] == made.start()).all()


def test_products_of_many_sizes_keep_their_bits():
    """Where BLAS would choose another kernel for more rows."""
    draw = np.random.default_rng(0).standard_normal
    for width in (1, 3, 8, 17, 64, 129):
        tensors = {"w": draw((2 * width, width)).astype("f4")}
        node = Node("linear", ("x",), ("y",), {"weight": "w"})
        ends = (Value("x", ("T", width)),), (Value("y", ("T", 2 * width)),)
        made, x = NumpyRunner(Program(*ends, (), (node,)), tensors), draw((5, 6, width))
        outputs, state = outputs_of(made, 5, 6), np.empty((5, 0), "f4")
        made.run(state, (x.astype("f4"),), outputs)
        for row in range(5):
            for t in range(6):
                wanted = tensors["w"] @ x[row, t].astype("f4")
                assert outputs[0][row, t].tobytes() == wanted.tobytes()


def test_no_steps_and_no_rows(made):
    state = np.tile(made.start(), (2, 1))
    made.run(state, (np.zeros((2, 0), int),), outputs_of(made, 2, 0))
    assert (state == made.start()).all()
    made.run(state, (np.zeros((0, 3), int),), outputs_of(made, 0, 3), np.zeros(0, int))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": np.zeros((2, 3))}, r"state: must be \(rows, 35\)"),
        ({"state": np.zeros((2, 35), int)}, r"state: must be \(rows, 35\) float"),
        ({"inputs": ()}, "the program has 1 and 2; got 0 and 2"),
        ({"inputs": (np.zeros((2, 3, 1), int),)}, r"'token' must be \(N, T\)"),
        ({"rows": np.array([0, 0])}, "no row stands twice"),
        ({"rows": np.array([0, 2])}, "must be 0 to 1; got 0 to 2"),
        ({"rows": np.array([0.0, 1.0])}, "integers; got float64"),
        ({"rows": np.array([0])}, r"must be \(2,\) integers"),
    ],
)
def test_what_does_not_fit_is_refused(made, change, words):
    arguments = {
        "state": np.tile(made.start(), (2, 1)),
        "inputs": (np.zeros((2, 3), int),),
        "outputs": outputs_of(made, 2, 3),
        "rows": None,
        **change,
    }
    before = arguments["state"].copy()
    with pytest.raises(ValueError, match=words):
        made.run(**arguments)
    assert np.array_equal(arguments["state"], before)


def test_outputs_that_do_not_fit_are_refused(made):
    state = np.tile(made.start(), (2, 1))
    outputs = (outputs_of(made, 2, 3)[0], np.empty((2, 3, 8), made.dtype))
    with pytest.raises(ValueError, match=r"'h' must be \(N, T, 7\)"):
        made.run(state, (np.zeros((2, 3), int),), outputs)
    with pytest.raises(ValueError, match="state: must have the 3 rows of the inputs; got 2"):
        made.run(state, (np.zeros((3, 1), int),), outputs_of(made, 3, 1))


def test_only_step_programs_run_for_ever():
    whole = zoo.one("last", [("T", 4)], (4,))
    with pytest.raises(ValueError, match=r"must be a step program .* this one is whole"):
        runner(whole, {})
    broken = zoo.one("relu", [("T", 4)], ("T", 5))
    with pytest.raises(ModelFileError, match="has shape"):
        runner(broken, {})
