"""Each op against NumPy written out here."""

import math
from dataclasses import replace

import numpy as np
import pytest

import program_zoo as zoo
from elman_runtime.program import (
    Node,
    NumpyRunner,
    Program,
    Value,
    evaluate,
    from_json,
    kind_of,
)
from elman_runtime.tape import Weights, forward

B, T, F = 3, 5, 4


@pytest.fixture(name="draw")
def _draw():
    return np.random.default_rng(0).standard_normal


def of_one(op, inputs, output, arrays, attrs=None, params=None, **more):
    """What one node makes of arrays."""
    states = more.pop("states", ())
    program = zoo.one(op, inputs, output, attrs, params, states)
    assert from_json(program.to_json()) == program
    made, after = evaluate(program, params or {}, [], arrays, **more)
    return (*made, *after) if len(made) + len(after) > 1 else made[0]


ELEMENTWISE = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "exp": np.exp,
    "log": np.log,
    "gelu": lambda x: x * np.vectorize(lambda v: (1 + math.erf(v / math.sqrt(2))) / 2)(x),
    "neg": np.negative,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "softmax": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    "log_softmax": lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
}


@pytest.mark.parametrize("op", ELEMENTWISE)
@pytest.mark.parametrize("shape", [("T", F), (F,), (2, 3, F)])
def test_elementwise(op, shape, draw):
    x = draw((B, *(T if s == "T" else s for s in shape))).astype("f4")
    x = np.abs(x) + 0.5 if op in ("log", "sqrt") else x
    wanted = ELEMENTWISE[op](x.astype("f8"))
    np.testing.assert_allclose(of_one(op, [shape], shape, [x]), wanted, rtol=1e-5, atol=1e-6)


def test_elementwise_at_the_ends():
    x = np.array([[-800.0, 800.0]])
    assert of_one("sigmoid", [(2,)], (2,), [x]).tolist() == [[0.0, 1.0]]
    assert of_one("softplus", [(2,)], (2,), [x]).tolist() == [[0.0, 800.0]]
    assert of_one("softmax", [(2,)], (2,), [x]).tolist() == [[0.0, 1.0]]
    assert of_one("log_softmax", [(2,)], (2,), [x]).tolist() == [[-1600.0, 0.0]]


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "maximum", "minimum"])
@pytest.mark.parametrize(
    ("a", "b", "made"),
    [
        (("T", F), ("T", F), ("T", F)),
        (("T", F), (F,), ("T", F)),
        ((1,), ("T", F), ("T", F)),
        (("T", 1), ("T", F), ("T", F)),
        ((), ("T",), ("T",)),
        ((2, F), (2, 1), (2, F)),
    ],
)
def test_two_values(op, a, b, made, draw):
    x, y = (draw((B, *(T if s == "T" else s for s in shape))) for shape in (a, b))
    found = of_one(op, [a, b], made, [x, y])
    compute = {"sub": np.subtract, "mul": np.multiply, "div": np.divide}.get(op) or getattr(np, op)
    for row in range(B):
        x, y = x.astype("f4"), y.astype("f4")
        np.testing.assert_array_equal(found[row], compute(x[row], y[row]))


def test_of_parameters(draw):
    x, weight, bias = draw((B, T, F)), draw((6, F)), draw(6)
    params = {"weight": weight, "bias": bias}
    found = of_one("linear", [("T", F)], ("T", 6), [x], params=params)
    np.testing.assert_allclose(found, x @ weight.T + bias)
    found = of_one("linear", [(F,)], (6,), [x[:, 0]], params={"weight": weight})
    np.testing.assert_allclose(found, x[:, 0] @ weight.T)
    found = of_one(
        "affine", [("T", F)], ("T", F), [x], params={"scale": bias[:F], "shift": bias[2:]}
    )
    np.testing.assert_allclose(found, x * bias[:F] + bias[2:])
    params = {"weight": bias[:F], "bias": bias[2:]}
    found = of_one("layer_norm", [("T", F)], ("T", F), [x], {"eps": 0.1}, params)
    normal = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 0.1)
    np.testing.assert_allclose(found, normal * bias[:F] + bias[2:])


def test_embedding(draw):
    tokens, weight = np.array([[0, 2], [6, 1]]), draw((7, F))
    program = zoo.one("embedding", [("T",)], ("T", F), params={"weight": 0}, kind="int")
    made, _ = evaluate(program, {"weight": weight}, [], [tokens])
    np.testing.assert_array_equal(made[0], weight[tokens])
    for wrong in (7, -1):
        with pytest.raises(ValueError, match=f"'in0' holds {wrong}; the embedding has the rows 0"):
            evaluate(program, {"weight": weight}, [], [np.array([[0, wrong]])])
    with pytest.raises(TypeError, match="'in0' must be integers; got float64"):
        evaluate(program, {"weight": weight}, [], [np.zeros((1, 2))])


def test_of_shapes(draw):
    x = draw((B, T, 2, F)).astype("f4")
    step = x[:, 0]
    shape = {"axis": "last", "start": 1, "stop": 3}
    np.testing.assert_array_equal(
        of_one("slice", [("T", 2, F)], ("T", 2, 2), [x], shape), x[..., 1:3]
    )
    first = {"axis": "first", "start": 1, "stop": 2}
    np.testing.assert_array_equal(of_one("slice", [(2, F)], (1, F), [step], first), step[:, 1:])
    np.testing.assert_array_equal(
        of_one("reshape", [(2, F)], (F, 2), [step], {"shape": (F, 2)}), step.reshape(B, F, 2)
    )
    np.testing.assert_array_equal(
        of_one("repeat", [(2, F)], (3, 2, F), [step], {"n": 3}), np.stack([step] * 3, 1)
    )
    np.testing.assert_array_equal(
        of_one("concat", [(2, F), (2, F)], (2, 2 * F), [step, -step]),
        np.concatenate([step, -step], -1),
    )
    np.testing.assert_array_equal(
        of_one("scale", [("T", 2, F)], ("T", 2, F), [x], {"factor": 2, "shift": 0.5}), x * 2 + 0.5
    )


def test_constant(draw):
    value = draw((2, F))
    program = Program(
        (Value("x", (F,)),),
        (Value("y", (2, F)),),
        (),
        (
            Node("constant", (), ("c",), {"value": "table"}),
            Node("add", ("x", "c"), ("y",)),
        ),
    )
    x = draw((B, F))
    made, _ = evaluate(program, {"table": value}, [], [x])
    np.testing.assert_array_equal(made[0], x[:, None] + value)


LENGTHS = np.array([0, 3, T])


def test_last_and_pool(draw):
    x = draw((B, T, F))
    x[np.arange(T) >= LENGTHS[:, None]] = np.nan
    for op, attrs, compute in (
        ("last", {}, lambda row: row[-1]),
        ("pool", {"how": "max"}, lambda row: row.max(0)),
        ("pool", {"how": "mean"}, lambda row: row.mean(0)),
    ):
        found = of_one(op, [("T", F)], (F,), [x], attrs, lengths=LENGTHS)
        wanted = [compute(row[:n]) if n else np.zeros(F) for row, n in zip(x, LENGTHS, strict=True)]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        assert not of_one(op, [("T", F)], (F,), [x[:, :0]], attrs).any()


@pytest.mark.parametrize(("how", "compute"), [("max", np.max), ("mean", np.mean)])
def test_running(how, compute, draw):
    x = draw((B, T, F)) - 3
    states = [(1,), (F,)]
    made, count, value = of_one("running", [("T", F)], ("T", F), [x], {"how": how}, states=states)
    for t in range(T):
        np.testing.assert_allclose(made[:, t], compute(x[:, : t + 1], axis=1), rtol=1e-5)
    assert count.tolist() == [[T]] * B
    np.testing.assert_array_equal(value, made[:, -1])


@pytest.mark.parametrize(("taps", "gap"), [(1, 1), (2, 1), (3, 2)])
def test_conv(taps, gap, draw):
    x, weight, bias = draw((B, T, F)), draw((2, F, taps)), draw(2)
    params, before = {"weight": weight, "bias": bias}, ((taps - 1) * gap, F)
    attrs, states = {"dilation": gap}, [before]
    program = zoo.one("conv", [("T", F)], ("T", 2), attrs, params, states)
    (made,), (after,) = evaluate(program, params, [], [x], LENGTHS)
    for row, length in enumerate(LENGTHS):
        held = np.concatenate([np.zeros(before), x[row, :length]])
        for t in range(T):
            taken = [held[t + k * gap] @ weight[:, :, k].T for k in range(taps) if t < length]
            np.testing.assert_allclose(made[row, t], sum(taken, bias) if t < length else 0)
        np.testing.assert_array_equal(after[row], held[length:])


def test_attention(draw):
    query, keys, values, v = draw((B, F)), draw((B, T, F)), draw((B, T, 2)), draw(F)
    shape = [(F,), ("T", F), ("T", 2)]
    found, weights = of_one(
        "attention", shape, [(2,), ("T",)], [query, keys, values], params={"v": v}, lengths=LENGTHS
    )
    for row, n in enumerate(LENGTHS):
        scores = np.exp(np.tanh(query[row] + keys[row, :n]) @ v)
        wanted = np.concatenate([scores / scores.sum(), np.zeros(T - n)])
        np.testing.assert_allclose(weights[row], wanted)
        np.testing.assert_allclose(found[row], wanted @ values[row], atol=1e-15)
    several = np.stack([query, -query], 1)
    shape = [(2, F), (T, F), (T, 2)]
    program = zoo.one("attention", shape, [(2, 2), (2, T)], params={"v": v})
    (wide, _), _ = evaluate(program, {"v": v}, [], [several, keys, values])
    alone, _ = evaluate(
        zoo.one("attention", [(F,), *shape[1:]], [(2,), (T,)], params={"v": v}),
        {"v": v},
        [],
        [-query, keys, values],
    )
    np.testing.assert_allclose(wide[:, 1], alone[0])


@pytest.mark.parametrize("zoneout", [(), (0.25, 0.0)])
def test_cell(zoneout, draw):
    params, x, dt = zoo.hand_params(draw), draw((B, T, 2)), draw((B, T))
    program = zoo.cell_program(zoo.HAND, params, 2, {"zoneout": zoneout})
    (made,), after = evaluate(program, params, [zoo.HAND], [x, dt], LENGTHS)
    keep = tuple(1 - share for share in zoneout) or None
    run = forward(
        zoo.HAND, zoo.as_weights(zoo.HAND, params), x, inputs={"dt": dt}, lengths=LENGTHS, keep=keep
    )
    np.testing.assert_allclose(made, run.output, rtol=1e-12)
    for found, wanted in zip(after, run.state, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_cell_backwards_in_time(draw):
    params, x, dt = zoo.hand_params(draw), draw((B, T, 2)), draw((B, T))
    program = zoo.cell_program(zoo.HAND, params, 2, {"reverse": True})
    assert kind_of(program).name == "whole"
    (made,), _ = evaluate(program, params, [zoo.HAND], [x, dt], LENGTHS)
    for row, n in enumerate(LENGTHS):
        back, one_dt = x[row : row + 1, :n][:, ::-1], dt[row : row + 1, :n][:, ::-1]
        run = forward(zoo.HAND, zoo.as_weights(zoo.HAND, params), back, inputs={"dt": one_dt})
        np.testing.assert_allclose(made[row, :n], run.output[0, ::-1], rtol=1e-12)
        assert not made[row, n:].any()


def test_cell_begins_where_the_program_says(draw):
    params, x, dt = zoo.hand_params(draw), draw((B, T, 2)), draw((B, T))
    own = zoo.cell_program(zoo.HAND, params, 2)
    assert NumpyRunner(own, params, [zoo.HAND]).start().tolist() == [*params["w"] ** 2, *[0.5] * 4]
    params |= {"h0": draw(4), "c0": draw(4)}
    weights = {k: v for k, v in params.items() if k not in ("h0", "c0")}
    learned = zoo.cell_program(zoo.HAND, weights, 2, starts=["h0", "c0"])
    (made,), _ = evaluate(learned, params, [zoo.HAND], [x, dt])
    states = tuple(np.broadcast_to(params[k], (B, 4)) for k in ("h0", "c0"))
    (again,), _ = evaluate(own, params, [zoo.HAND], [x, dt], states=states)
    np.testing.assert_array_equal(made, again)
    assert not np.array_equal(made, evaluate(own, params, [zoo.HAND], [x, dt])[0][0])


def test_cell_with_a_projected_state(draw):
    params = {"weight_ih": draw((6, 2)), "weight_hh": draw((6, 3)), "weight_hr": draw((3, 6))}
    program = zoo.cell_program(zoo.NARROW, params, 2)
    x = draw((B, T, 2))
    (made,), (h,) = evaluate(program, params, [zoo.NARROW], [x])
    run = forward(zoo.NARROW, Weights(**params), x)
    np.testing.assert_allclose(made, run.output, rtol=1e-12)
    np.testing.assert_allclose(h, run.state[0], rtol=1e-12)


def test_cell_gives_its_final_states(draw):
    params, x, dt = zoo.hand_params(draw), draw((B, T, 2)), draw((B, T))
    plain = zoo.cell_program(zoo.HAND, params, 2)
    attrs = {"tape": 0, "final": True}
    node = replace(plain.nodes[0], outputs=("y", "h", "c"), attrs=attrs)
    outputs = (*plain.outputs, Value("h", (4,)), Value("c", (4,)))
    final = replace(plain, outputs=outputs, nodes=(node,))
    assert kind_of(final).name == "whole"
    (made, *ends), after = evaluate(final, params, [zoo.HAND], [x, dt], LENGTHS)
    for end, state in zip(ends, after, strict=True):
        np.testing.assert_array_equal(end, state)
    np.testing.assert_array_equal(made, evaluate(plain, params, [zoo.HAND], [x, dt], LENGTHS)[0][0])


def test_cell_step(draw):
    """One step, from states that are values: as a cell makes it of a sequence of one."""
    params, x, dt = zoo.hand_params(draw), draw((B, 2)), draw((B,))
    h, c = draw((B, 4)), draw((B, 4))
    names = ("x", "h", "c", "dt")
    shapes_of = ((2,), (4,), (4,), ())
    outputs = (Value("y", (5,)), Value("h1", (4,)), Value("c1", (4,)))
    roles = {role: role for role in params}
    node = Node("cell_step", names, ("y", "h1", "c1"), roles, (), {"tape": 0})
    program = Program(tuple(map(Value, names, shapes_of)), outputs, (), (node,))
    made, _ = evaluate(program, params, [zoo.HAND], [x, h, c, dt])
    (wanted,), after = evaluate(
        zoo.cell_program(zoo.HAND, params, 2),
        params,
        [zoo.HAND],
        [x[:, None], dt[:, None]],
        states=(h, c),
    )
    for found, one_ in zip(made, (wanted[:, 0], *after), strict=True):
        np.testing.assert_allclose(found, one_, rtol=1e-12)
