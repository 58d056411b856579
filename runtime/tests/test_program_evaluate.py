"""Whole programs: blocks, lengths, padding, kinds, and what does not fit."""

import numpy as np
import pytest

import program_zoo as zoo
from elman_runtime.program import Program, Value, evaluate, kind_of, shapes

B, T, F = 3, 5, 4
LENGTHS = np.array([0, 3, T])


@pytest.fixture(name="draw")
def _draw():
    return np.random.default_rng(0).standard_normal


@pytest.mark.parametrize(("dtype", "near"), [("f4", 2e-5), ("f8", 1e-12)])
def test_whole_and_cut_into_blocks_agree(draw, dtype, near):
    program, tensors = zoo.stack(draw, dtype)
    tokens = np.random.default_rng(1).integers(0, 11, (B, 9))
    whole, end = evaluate(program, tensors, [zoo.RNN], [tokens])
    parts, states = [], None
    for cut in (slice(0, 0), slice(0, 1), slice(1, 6), slice(6, 9)):
        made, states = evaluate(program, tensors, [zoo.RNN], [tokens[:, cut]], states=states)
        parts.append(made)
    for k, wanted in enumerate(whole):
        assert wanted.dtype == dtype
        found = np.concatenate([made[k] for made in parts], 1)
        np.testing.assert_allclose(found, wanted, rtol=near, atol=near)
    for found, wanted in zip(states, end, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=near, atol=near)


def test_padding_means_nothing(draw):
    """A row of a ragged batch equals the row alone, its states too."""
    program, tensors = zoo.stack(draw, "f8")
    tokens, lengths = np.random.default_rng(1).integers(0, 11, (B, 9)), np.array([9, 0, 4])
    made, states = evaluate(program, tensors, [zoo.RNN], [tokens], lengths)
    other = np.where(np.arange(9) < lengths[:, None], tokens, 10 - tokens)
    again, _ = evaluate(program, tensors, [zoo.RNN], [other], lengths)
    for k in range(2):
        np.testing.assert_array_equal(made[k], again[k])
    for row, n in enumerate(lengths):
        alone, end = evaluate(program, tensors, [zoo.RNN], [tokens[row : row + 1, :n]])
        for found, wanted in zip(made, alone, strict=True):
            np.testing.assert_allclose(found[row, :n], wanted[0], rtol=1e-12)
            assert not found[row, n:].any()
        for found, wanted in zip(states, end, strict=True):
            np.testing.assert_allclose(found[row], wanted[0], rtol=1e-12)


def test_nan_in_padding_means_nothing(draw):
    params, x, dt = zoo.hand_params(draw), draw((B, T, 2)), draw((B, T))
    program = zoo.cell_program(zoo.HAND, params, 2)
    made, states = evaluate(program, params, [zoo.HAND], [x, dt], LENGTHS)
    x[np.arange(T) >= LENGTHS[:, None]] = dt[np.arange(T) >= LENGTHS[:, None]] = np.nan
    again, after = evaluate(program, params, [zoo.HAND], [x, dt], LENGTHS)
    for one_, other in zip((*made, *states), (*again, *after), strict=True):
        np.testing.assert_array_equal(one_, other)


def test_padding_is_cleared_before_anything_reads_it(draw):
    """No token of an embedding, and no share of an attention: -1 and NaN would show."""
    program, tensors = zoo.stack(draw)
    tokens = np.where(np.arange(T) < LENGTHS[:, None], 1, -1)
    made, _ = evaluate(program, tensors, [zoo.RNN], [tokens], LENGTHS)
    again, _ = evaluate(program, tensors, [zoo.RNN], [np.ones((B, T), int)], LENGTHS)
    np.testing.assert_array_equal(made[0], again[0])
    shape, v = [(F,), ("T", F), ("T", 2)], {"v": draw(F)}
    program = zoo.one("attention", shape, [(2,), ("T",)], params=v)
    query, keys, values = draw((B, F)), draw((B, T, F)), draw((B, T, 2))
    wanted, _ = evaluate(program, v, [], [query, keys, values], LENGTHS)
    keys[np.arange(T) >= LENGTHS[:, None]] = np.nan
    values[np.arange(T) >= LENGTHS[:, None]] = np.nan
    found, _ = evaluate(program, v, [], [query, keys, values], LENGTHS)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_rows_and_no_steps():
    """Every model of the zoo gives what its shapes say, for B = 0 and T = 0 too."""
    for programs, tapes, tensors in zoo.models().values():
        for program in programs.values():
            for batch, steps in ((0, 3), (2, 0), (0, 0)):
                shapes_of = [[steps if n == "T" else n for n in v.shape] for v in program.inputs]
                kinds = ["i8" if v.kind == "int" else "f8" for v in program.inputs]
                pairs = zip(shapes_of, kinds, strict=True)
                inputs = [np.zeros((batch, *shape), kind) for shape, kind in pairs]
                made, _ = evaluate(program, tensors, tapes, inputs)
                for value, array in zip(program.outputs, made, strict=True):
                    shape = tuple(steps if n == "T" else n for n in value.shape)
                    assert array.shape == (batch, *shape)
                    assert np.isfinite(array).all()


def test_kinds(draw):
    program, tensors = zoo.stack(draw)
    assert kind_of(program) == ("step", None, 0)
    assert shapes(program, tensors, [zoo.RNN])["e"] == (("T", 5), "float")
    assert kind_of(zoo.one("last", [("T", F)], (F,))).name == "whole"
    assert kind_of(zoo.one("relu", [("T", F)], ("T", F))).name == "step"
    assert kind_of(zoo.one("relu", [(6, F)], (6, F))) == ("window", 6, 0)
    assert kind_of(zoo.one("last", [(6, F)], (F,))) == ("window", 6, 0)
    assert kind_of(zoo.one("relu", [(F,)], (F,))).name == "whole"
    mixed = zoo.one("add", [("T", F), (F,)], ("T", F))
    assert kind_of(mixed).name == "whole"
    keys = zoo.one("attention", [(F,), ("T", F), ("T", 2)], [(2,), ("T",)], params={"v": 0})
    assert kind_of(keys).name == "whole"
    params = zoo.hand_params(draw)
    window = zoo.cell_program(zoo.HAND, params, 2, steps=8)
    assert kind_of(window) == ("window", 8, 0)
    beside = Program(
        (*window.inputs, Value("z", ("T", F))), (Value("z", ("T", F)),), window.states, window.nodes
    )
    assert kind_of(beside).name == "whole"  # a cell over a fixed axis begins anew each time


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"inputs": []}, ValueError, "takes 1 .token.; got 0"),
        ({"inputs": [np.zeros((B, T, 1), int)]}, ValueError, r"'token' must be \(B, T\); got"),
        ({"lengths": np.zeros(B)}, ValueError, "integers, one a row; got float64"),
        ({"lengths": np.array([0, 1, T + 1])}, ValueError, "must be 0 to 5; got 0 to 6"),
        ({"states": ()}, ValueError, "the program has 4; got 0"),
        ({"states": [np.zeros(2)] * 4}, ValueError, r"'taps' must be \(3, 4, 5\); got \(2,\)"),
    ],
)
def test_what_does_not_fit_is_refused(draw, change, error, words):
    program, tensors = zoo.stack(draw)
    arguments = {"inputs": [np.zeros((B, T), int)], **change}
    with pytest.raises(error, match=words):
        evaluate(program, tensors, [zoo.RNN], **arguments)
    ragged = zoo.one("add", [("T",), ("T",)], ("T",))
    with pytest.raises(ValueError, match="must agree in batch and time"):
        evaluate(ragged, {}, [], [np.zeros((2, 3)), np.zeros((2, 4))])
