"""The interpreter, by itself: no torch here. Derivatives are compared with differences."""

import numpy as np
import pytest

from elman_runtime.tape import OPS, Weights, backward, forward, from_text, step

ROWS, STEPS, WIDTH, UNITS = 3, 4, 2, 5

# h' = tanh(a + w * dt * s.h), c' = c + sigmoid(b) * mean(h'), read: (h * c, mean(c)).
TAPE = from_text(
    """\
elman tape 1
name Hand
gates a b
recurrent a
state h c
params w
inputs dt
outputs H 1
prologue
  f0 = neg p.w
  start.h = mul p.w p.w
  start.c = copy 0.5
update
  u0 = project s.h a+
  r0 = mul f0 x.dt
  r0 = mul r0 s.h
  r0 = sub u0.a r0
  new.h = tanh r0
  v0 = sigmoid x.b
  w0 = mean new.h
  r0 = mul v0 w0
  new.c = add s.c r0
read
  y0 = mul final.h final.c
  y1 = mean final.c
backward read
  dfinal.h = mul dy0 final.c
  r0 = mul dy0 final.h
  dfinal.c = add r0 dy1
backward update
  r0 = mul dnew.c w0
  dx.b = dsigmoid r0 v0
  r0 = mul dnew.c v0
  q0 = mean r0
  r0 = add dnew.h q0
  dx.a = dtanh r0 new.h
  t0 = unproject dx.a
  r1 = mul dx.a p.w
  r0 = mul r1 x.dt
  ds.h = add t0 r0
  dx.dt = mul r1 s.h
  ds.c = copy dnew.c
  r0 = mul s.h x.dt
  r0 = mul dx.a r0
  g0 = neg r0
backward epilogue
  r0 = neg g0
  r1 = mul 2.0 p.w
  r1 = mul dstart.h r1
  dp.w = add r0 r1
"""
)
PLAIN = from_text(
    """\
elman tape 1
name Plain
gates h
recurrent h
state h
update
  u0 = project s.h h+
  new.h = tanh u0.h
backward update
  dx.h = dtanh dnew.h new.h
  t0 = unproject dx.h
  ds.h = copy t0
"""
)


@pytest.fixture
def draw():
    return np.random.default_rng(0).standard_normal


def weights_of(tape, draw, dtype=np.float64, first=UNITS):
    gates, recurrent = len(tape.gates) * UNITS, len(tape.recurrent) * UNITS
    found = Weights(
        weight_ih=draw((gates, WIDTH)),
        weight_hh=draw((recurrent, first)) / 2,
        bias_ih=draw(gates),
        bias_hh=draw(recurrent),
        weight_hr=draw((first, UNITS)) if first < UNITS else None,
        params={name: draw(UNITS) for name in tape.params},
    )
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"):
        if getattr(found, name) is not None:
            object.__setattr__(found, name, getattr(found, name).astype(dtype))
    object.__setattr__(found, "params", {k: v.astype(dtype) for k, v in found.params.items()})
    return found


def given(draw, tape, first=UNITS, dtype=np.float64):
    x = draw((ROWS, STEPS, WIDTH)).astype(dtype)
    widths = [first, *[UNITS] * (len(tape.state) - 1)]
    state = tuple(draw((ROWS, w)).astype(dtype) for w in widths)
    return x, state, {name: draw((ROWS, STEPS)).astype(dtype) for name in tape.inputs}


def test_a_step_by_hand(draw):
    w = weights_of(TAPE, draw)
    x, (h, c), inputs = given(draw, TAPE)
    output, new = step(TAPE, w, x[:, 0], (h, c), inputs={"dt": inputs["dt"][:, 0]})
    a, b = np.split(x[:, 0] @ w.weight_ih.T + w.bias_ih, 2, -1)
    expected = np.tanh(a + h @ w.weight_hh.T + w.bias_hh + w.params["w"] * inputs["dt"][:, :1] * h)
    np.testing.assert_allclose(new[0], expected, rtol=1e-13)
    level = c + expected.mean(-1, keepdims=True) / (1 + np.exp(-b))
    np.testing.assert_allclose(new[1], level, rtol=1e-13)
    read = np.concatenate([expected * level, level.mean(-1, keepdims=True)], -1)
    np.testing.assert_allclose(output, read, rtol=1e-13)


def test_steps_are_the_sequence(draw):
    w = weights_of(TAPE, draw)
    x, state, inputs = given(draw, TAPE)
    run = forward(TAPE, w, x, state, inputs=inputs)
    for t in range(STEPS):
        y, state = step(TAPE, w, x[:, t], state, inputs={"dt": inputs["dt"][:, t]})
        np.testing.assert_array_equal(run.output[:, t], y)
    np.testing.assert_array_equal(run.state, state)


def test_no_steps_leave_the_state(draw):
    w = weights_of(TAPE, draw)
    x, state, inputs = given(draw, TAPE)
    run = forward(TAPE, w, x[:, :0], state, inputs={"dt": inputs["dt"][:, :0]})
    assert run.output.shape == (ROWS, 0, UNITS + 1)
    np.testing.assert_array_equal(run.state, state)
    grads = backward(TAPE, w, run, run.output, state)
    assert grads.x.shape == (ROWS, 0, WIDTH)
    np.testing.assert_array_equal(grads.state, state)
    assert not grads.weights.weight_ih.any()


def test_padding_and_documents_have_no_influence(draw):
    w = weights_of(TAPE, draw)
    x, state, inputs = given(draw, TAPE)
    lengths = np.array([2, 0, 4])
    reset = np.zeros((ROWS, STEPS), bool)
    reset[2, 2] = True
    clean = forward(TAPE, w, x, state, inputs=inputs, lengths=lengths, reset=reset)
    beyond = np.arange(STEPS) >= lengths[:, None]
    dirty = np.where(beyond[..., None], np.nan, x)
    fouled = {"dt": np.where(beyond, np.nan, inputs["dt"])}
    run = forward(TAPE, w, dirty, state, inputs=fouled, lengths=lengths, reset=reset)
    np.testing.assert_array_equal(run.output, clean.output)
    assert not run.output[beyond].any()
    np.testing.assert_array_equal(run.state[0][1], state[0][1])
    apart = forward(TAPE, w, x[2:, 2:], inputs={"dt": inputs["dt"][2:, 2:]})
    np.testing.assert_allclose(run.output[2, 2:], apart.output[0], rtol=1e-13)
    grads = backward(TAPE, w, run, np.ones_like(run.output), state)
    assert np.isfinite(grads.x).all()
    assert not grads.x[beyond].any()


OPTIONS = {
    "state given": {},
    "own start": {"own": True},
    "ragged with resets": {
        "lengths": np.array([2, 0, 4]),
        "reset": np.eye(ROWS, STEPS, dtype=bool),
    },
    "zoneout": {"keep": (0.7, 0.4)},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_gradients_are_limits_of_differences(options, draw):
    x, state, inputs = given(draw, TAPE)
    check_differences(TAPE, weights_of(TAPE, draw), x, state, inputs, draw, dict(options))


def test_gradients_with_a_projected_state(draw):
    x, state, inputs = given(draw, PLAIN, first=2)
    weights = weights_of(PLAIN, draw, first=2)
    check_differences(PLAIN, weights, x, state, inputs, draw, {"keep": (0.6,)})


def check_differences(tape, weights, x, state, inputs, draw, options):
    own = options.pop("own", False)
    up = draw((ROWS, STEPS, forward(tape, weights, x, state, inputs=inputs).output.shape[-1]))
    above = tuple(map(draw, [s.shape for s in state]))

    def loss():
        run = forward(tape, weights, x, None if own else state, inputs=inputs, **options)
        return (run.output * up).sum() + sum(
            (s * d).sum() for s, d in zip(run.state, above, strict=True)
        ), run

    grads = backward(tape, weights, loss()[1], up, above)
    pairs = [(x, grads.x), *((v, grads.inputs[k].sum(-1)) for k, v in inputs.items())]
    pairs += [(v, grads.weights.params[k]) for k, v in weights.params.items()]
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"):
        if getattr(weights, name) is not None:
            pairs.append((getattr(weights, name), getattr(grads.weights, name)))
    if own:
        assert grads.state is None
    else:
        pairs += zip(state, grads.state, strict=True)
    for value, gradient in pairs:
        assert value.shape == gradient.shape
        for at in np.ndindex(value.shape):
            kept = value[at]
            value[at] = kept + 1e-6
            more = loss()[0]
            value[at] = kept - 1e-6
            slope = (more - loss()[0]) / 2e-6
            value[at] = kept
            assert abs(slope - gradient[at]) < 1e-7 * (1 + abs(slope))


def test_float32_stays_float32(draw):
    w = weights_of(TAPE, draw, np.float32)
    x, state, inputs = given(draw, TAPE, dtype=np.float32)
    run = forward(TAPE, w, x, state, inputs=inputs)
    grads = backward(TAPE, w, run, run.output, state)
    found = [run.output, *run.state, grads.x, *grads.state, grads.weights.weight_hh]
    assert {v.dtype for v in [*found, *grads.weights.params.values()]} == {np.dtype(np.float32)}


def test_what_is_missing_is_said(draw):
    w = weights_of(TAPE, draw)
    x, state, inputs = given(draw, TAPE)
    with pytest.raises(ValueError, match=r"inputs: Hand needs \('dt',\), got \(\)"):
        forward(TAPE, w, x, state)
    with pytest.raises(ValueError, match="weight_hh is None"):
        forward(TAPE, Weights(w.weight_ih, params=w.params), x, state, inputs=inputs)
    halved = type(TAPE)(**{**vars(TAPE), "backward": None})
    run = forward(halved, w, x, state, inputs=inputs)
    with pytest.raises(ValueError, match="no backward half"):
        backward(halved, w, run, run.output, state)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_instructions_far_out(dtype):
    big = np.array([-1000.0, -50.0, -0.0, 0.0, 50.0, 1000.0], dtype)
    with np.errstate(all="raise", under="ignore"):
        found = OPS["sigmoid"].compute(big)
        assert OPS["softplus"].compute(big)[-1] == 1000
    np.testing.assert_allclose(found, [0, np.exp(dtype(-50)), 0.5, 0.5, 1, 1], rtol=1e-6)
    assert found.dtype == dtype
    assert OPS["gt"].compute(big, dtype(0)).dtype == dtype
