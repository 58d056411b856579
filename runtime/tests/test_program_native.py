"""The compiled runner beside the interpreter: same numbers, and a row's bits are its own."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

import native_programs as programs
from elman_runtime import native
from elman_runtime.program import NumpyRunner, evaluate
from elman_runtime.program.native_runner import NativeRunner

SETS = native.engines()
DTYPES = ["f4", "f8"]
NEAR = {"f4": 2e-5, "f8": 1e-13}
# Panels of either precision and every set: below, at, beyond, and several.
SIZES = [1, 5, 16, 33, 67]


def run(made, inputs, cuts=(), rows=None, held=None):
    """All outputs and the final states, T cut at `cuts`."""
    batch, steps = inputs[0].shape[:2]
    state = np.tile(made.start(), (held or batch, 1))
    outputs = programs.outputs_of(made, batch, steps)
    for a, b in pairwise([0, *cuts, steps]):
        made.run(state, [x[:, a:b] for x in inputs], [o[:, a:b] for o in outputs], rows)
    return outputs, state


def same(a, b):
    return all(x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def check(made, program, tensors, tapes, inputs, near):
    """Against the interpreter in float64."""
    wide = {name: value.astype("f8") for name, value in tensors.items()}
    exact = [x if x.dtype.kind == "i" else x.astype("f8") for x in inputs]
    wanted, after = evaluate(program, wide, tapes, exact)
    outputs, state = run(made, inputs)
    for found, one in zip(outputs, wanted, strict=True):
        np.testing.assert_allclose(found, one, rtol=near, atol=near)
    flat = np.concatenate([v.reshape(len(v), -1) for v in after], 1)
    np.testing.assert_allclose(state, flat, rtol=near, atol=near)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", SIZES)
@pytest.mark.parametrize("tape", programs.TAPES, ids=lambda tape: tape.name)
def test_cells(tape, units, dtype, name):
    width = units if "raw" in tape.inputs else 3
    program, tensors, tapes = programs.stack(tape, units, width, dtype=dtype)
    made = NativeRunner(program, tensors, tapes, name)
    assert (made.instruction_set, made.dtype) == (name, np.dtype(dtype))
    inputs = programs.inputs_of(program, tensors, 3, 5)
    check(made, program, tensors, tapes, inputs, NEAR[dtype] * units**0.5)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "options",
    [{"narrow": 5}, {"narrow": 16}, {"zoneout": [0.1, 0.0]}, {"narrow": 3, "zoneout": [0.5, 1.0]}],
    ids=str,
)
def test_projections_and_zoneout(options, dtype, name):
    program, tensors, tapes = programs.stack(programs.LSTM, 16, dtype=dtype, **options)
    made = NativeRunner(program, tensors, tapes, name)
    inputs = programs.inputs_of(program, tensors, 4, 6)
    check(made, program, tensors, tapes, inputs, 4 * NEAR[dtype])


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [7, 16, 40])
def test_every_op(units, dtype, name):
    program, tensors, tapes = programs.every_op(dtype, units)
    made = NativeRunner(program, tensors, tapes, name)
    inputs = programs.inputs_of(program, tensors, 3, 9)
    check(made, program, tensors, tapes, inputs, 50 * NEAR[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_it_begins_where_the_numpy_runner_begins(dtype):
    for program, tensors, tapes in (
        programs.stack(programs.STAGED, dtype=dtype),
        programs.every_op(dtype),
    ):
        made, twin = NativeRunner(program, tensors, tapes), NumpyRunner(program, tensors, tapes)
        assert made.state_size == twin.state_size
        assert made.start().tobytes() == twin.start().tobytes()
        made.start()[:] = 7
        assert made.start().tobytes() == twin.start().tobytes()


# --- bits ----------------------------------------------------------------------------------------


@pytest.fixture(name="made", params=[(n, d) for n in SETS for d in DTYPES], ids=str)
def _made(request):
    name, dtype = request.param
    program, tensors, tapes = programs.every_op(dtype, 20)
    return NativeRunner(program, tensors, tapes, name), tensors


ROWS, STEPS = 29, 31


@pytest.mark.parametrize("cuts", [[1], [5, 5, 6], [16, 30], list(range(1, STEPS))], ids=len)
def test_bits_do_not_depend_on_how_time_is_cut(made, cuts):
    made, tensors = made
    inputs = programs.inputs_of(made.program, tensors, ROWS, STEPS)
    (whole, end), (cut, after) = run(made, inputs), run(made, inputs, cuts)
    assert same(whole, cut)
    assert end.tobytes() == after.tobytes()


def test_bits_do_not_depend_on_the_batch(made):
    made, tensors = made
    inputs = programs.inputs_of(made.program, tensors, ROWS, STEPS)
    whole, end = run(made, inputs)
    for count in (1, 2, 3, 5, 7, 13):
        chosen = np.random.default_rng(count).permutation(ROWS)[:count]
        alone, after = run(made, [x[chosen] for x in inputs])
        assert same([o[chosen] for o in whole], alone)
        assert end[chosen].tobytes() == after.tobytes()


def test_many_rows_and_many_steps_have_the_bits_of_one(made):
    """More of both than are run at once."""
    made, tensors = made
    for rows, steps in ((700, 2), (2, 700), (90, 90)):
        inputs = programs.inputs_of(made.program, tensors, rows, steps)
        whole, end = run(made, inputs)
        for row in (0, rows // 2, rows - 1):
            alone, after = run(made, [x[row : row + 1] for x in inputs], [1, steps // 2, steps - 1])
            assert same([o[row : row + 1] for o in whole], alone)
            assert end[row : row + 1].tobytes() == after.tobytes()


def test_rows_say_whose_state_it_is(made):
    made, tensors = made
    inputs = programs.inputs_of(made.program, tensors, ROWS, STEPS)
    whole, end = run(made, inputs)
    order = np.random.default_rng(0).permutation(ROWS)[:10]
    held, after = run(made, [x[order] for x in inputs], rows=order, held=ROWS)
    assert same([o[order] for o in whole], held)
    assert end[order].tobytes() == after[order].tobytes()
    untouched = np.setdiff1d(np.arange(ROWS), order)
    assert (after[untouched] == made.start()).all()


def test_no_steps_and_no_rows(made):
    made, tensors = made
    state = np.tile(made.start(), (2, 1))
    made.run(
        state, programs.inputs_of(made.program, tensors, 2, 0), programs.outputs_of(made, 2, 0)
    )
    assert (state == made.start()).all()
    nobody = programs.inputs_of(made.program, tensors, 0, 3)
    made.run(state, nobody, programs.outputs_of(made, 0, 3), np.zeros(0, int))
    assert (state == made.start()).all()


def test_a_single_row_has_a_short_way_in():
    program, tensors, tapes = one_way()
    made = NativeRunner(program, tensors, tapes)
    (x,) = programs.inputs_of(program, tensors, 1, 12)
    (wanted,), end = run(made, (x,))
    state, out = made.start(), np.full((12, 2), np.nan, "f4")
    for k in range(4):
        assert made.step(state, x[0, k], out[k]) is True
    assert made.step(state, x[0, 4:], out[4:], True) is True
    assert made.step(state, x[0, :0], out[:0]) is True
    assert out.tobytes() == wanted.tobytes()
    assert state.tobytes() == end.tobytes()


def one_way(units=20, seed=0):
    """One input and one output."""
    b = programs.Build(seed=seed)
    y = b.linear(b.cell(programs.GRU, "x", 3, units), units, 2)
    return b.program((programs.Value("x", ("T", 3)),), (y, 2)), b.tensors, b.tapes


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_changes_nothing(bad):
    made = NativeRunner(*one_way())
    state, out = made.start() + 1, np.full((9, 2), 5, "f4")
    for at in range(27):
        x = np.ones((9, 3), "f4")
        x.reshape(-1)[at] = bad
        assert made.step(state, x, out, True) is False
        assert made.run_finite(state[None], (x[None],), (out[None],)) is False
    assert (state == made.start() + 1).all()
    assert (out == 5).all()
    assert made.step(state, x, out) is True
    assert (out != 5).all()


def test_tokens_out_of_range_change_nothing():
    program, tensors, tapes = programs.every_op()
    made = NativeRunner(program, tensors, tapes)
    inputs, outputs = programs.inputs_of(program, tensors, 2, 3), programs.outputs_of(made, 2, 3)
    for wrong in (-1, 11, 1 << 40):
        state, inputs[0][1, 2] = np.tile(made.start(), (2, 1)), wrong
        with pytest.raises(ValueError, match=f"holds {wrong}; the embedding has the rows 0 to 10"):
            made.run(state, inputs, outputs)
        assert (state == made.start()).all()
        assert all(np.isnan(o).all() for o in outputs)


def test_a_forked_child_goes_on_as_its_parent_would():
    program, tensors, tapes = programs.every_op()
    made = NativeRunner(program, tensors, tapes)
    inputs = programs.inputs_of(program, tensors, 300, 5)
    wanted, end = run(made, inputs)
    context = multiprocessing.get_context("fork")
    theirs, ours = context.Pipe(duplex=False)
    child = context.Process(target=lambda: ours.send(run(made, inputs)), daemon=True)
    child.start()
    assert theirs.poll(30)
    outputs, state = theirs.recv()
    child.join(10)
    assert same(wanted, outputs)
    assert end.tobytes() == state.tobytes()


# --- threads -------------------------------------------------------------------------------------

SHARED = (401, 6)
"""Rows and steps of `every_op` that are enough to be shared, the rows an odd number."""


def start_of(made, rows):
    return np.tile(made.start(), (rows, 1))


@pytest.fixture(name="teams", params=DTYPES, scope="module")
def _teams(request):
    """The same program for 1, 2 and 3 threads, inputs for SHARED, and what one thread makes."""
    program, tensors, tapes = programs.every_op(request.param, 20)
    teams = [NativeRunner(program, tensors, tapes, threads=n) for n in (1, 2, 3)]
    assert [made.threads for made in teams] == [1, 2, 3]
    inputs = programs.inputs_of(program, tensors, *SHARED)
    assert len(teams[0].image) // teams[0].dtype.itemsize * np.prod(SHARED) > 1 << 22
    return teams, inputs, run(teams[0], inputs)


@pytest.mark.parametrize("rows", [1, 47, 79, 101, 401])
def test_bits_do_not_depend_on_the_number_of_threads(teams, rows):
    teams, inputs, (outputs, end) = teams
    order = np.random.default_rng(rows).permutation(SHARED[0])[:rows]
    for made in teams:
        alone, after = run(made, [x[:rows] for x in inputs], [1])
        assert same([o[:rows] for o in outputs], alone)
        assert end[:rows].tobytes() == after.tobytes()
        there, after = run(made, [x[order] for x in inputs], rows=order, held=SHARED[0])
        assert same([o[order] for o in outputs], there)
        assert end[order].tobytes() == after[order].tobytes()


def test_a_bad_row_in_the_last_part_changes_nothing(teams):
    teams, inputs, _ = teams
    for made in teams:
        for k, x in enumerate(inputs):
            bad = [one.copy() for one in inputs]
            state, outputs = start_of(made, SHARED[0]), programs.outputs_of(made, *SHARED)
            bad[k].reshape(-1)[-1] = np.nan if x.dtype.kind == "f" else 11
            if x.dtype.kind == "f":
                assert made.run_finite(state, bad, outputs) is False
            else:
                with pytest.raises(ValueError, match="holds 11"):
                    made.run(state, bad, outputs)
            assert (state == made.start()).all()
            assert all(np.isnan(o).all() for o in outputs)


def test_a_team_goes_on_in_a_forked_child(teams):
    teams, inputs, (outputs, end) = teams
    context = multiprocessing.get_context("fork")
    theirs, ours = context.Pipe(duplex=False)
    run(teams[2], inputs)
    child = context.Process(target=lambda: ours.send(run(teams[2], inputs)), daemon=True)
    child.start()
    assert theirs.poll(30)
    found, state = theirs.recv()
    child.join(10)
    assert same(outputs, found)
    assert end.tobytes() == state.tobytes()


def test_two_teams_run_at_once(teams):
    teams, inputs, (outputs, end) = teams
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda k: run(teams[1 + k % 2], inputs), range(12))
    for alone, after in found:
        assert same(outputs, alone)
        assert end.tobytes() == after.tobytes()


@pytest.mark.parametrize("threads", [0, -1, 257])
def test_threads_have_a_range(threads):
    with pytest.raises(ValueError, match="threads: must be 1 to 256"):
        NativeRunner(*one_way(), threads=threads)


def test_threads_take_turns():
    """Calls long enough to give the interpreter's lock away, and short ones between them."""
    program, tensors, tapes = programs.every_op()
    made = NativeRunner(program, tensors, tapes)
    sizes = [(400, 5), (1, 1), (3, 300), (2, 2)] * 6
    given = [programs.inputs_of(program, tensors, *size, seed=k) for k, size in enumerate(sizes)]
    alone = [run(made, inputs) for inputs in given]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda inputs: run(made, inputs), given))
    for (a, end), (b, after) in zip(alone, together, strict=True):
        assert same(a, b)
        assert end.tobytes() == after.tobytes()
