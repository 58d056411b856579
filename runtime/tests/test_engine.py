"""The compiled engine beside the slow twin: arrays in, arrays out, without torch."""

import numpy as np
import pytest

from elman_runtime import native
from elman_runtime.tape import Weights, backward, forward, from_text
from elman_runtime.tape.interpret import Layer
from elman_runtime.tape.lower import lower

# A stage that waits, one value a row, two outputs, a parameter, a start, a further input.
STAGED = from_text(
    """\
elman tape 1
name Staged
gates a b
recurrent a k
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
  v0 = tanh u0.a
  u1 = project v0 k
  r0 = mul f0 x.dt
  r0 = mul r0 s.h
  r0 = sub u1.k r0
  new.h = tanh r0
  v1 = sigmoid x.b
  w0 = mean new.h
  r0 = mul v1 w0
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
  dx.b = dsigmoid r0 v1
  r0 = mul dnew.c v1
  q0 = mean r0
  r0 = add dnew.h q0
  du1.k = dtanh r0 new.h
  t1 = unproject du1.k
  dx.a = dtanh t1 v0
  t0 = unproject dx.a
  r1 = mul du1.k p.w
  r0 = mul r1 x.dt
  ds.h = add t0 r0
  dx.dt = mul r1 s.h
  ds.c = copy dnew.c
  r0 = mul s.h x.dt
  r0 = mul du1.k r0
  g0 = neg r0
backward epilogue
  r0 = neg g0
  r1 = mul 2.0 p.w
  r1 = mul dstart.h r1
  dp.w = add r0 r1
"""
)
# No product: units are shared out among threads.
SCAN = from_text(
    """\
elman tape 1
name Scan
gates z
state h
params w
update
  v0 = sigmoid x.z
  r0 = sub s.h p.w
  r0 = mul v0 r0
  new.h = add p.w r0
backward update
  r0 = sub s.h p.w
  r0 = mul r0 dnew.h
  dx.z = dsigmoid r0 v0
  ds.h = mul dnew.h v0
  g0 = sub dnew.h ds.h
backward epilogue
  dp.w = copy g0
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
# The same with a second output that a row has once, though no mean needs the whole row.
NARROW = from_text(
    str(SCAN)
    .replace("name Scan", "name Narrow")
    .replace("params w\n", "params w\noutputs H 1\n")
    .replace("backward update\n", "read\n  y0 = copy final.h\n  y1 = copy 0.5\nbackward read\n"
             "  dfinal.h = copy dy0\nbackward update\n")
)  # fmt: skip
TAPES = {tape.name: tape for tape in (STAGED, SCAN, PLAIN)}
INPUTS = 3


class Call:
    """A tape with random weights and arrays; batch first, as the slow twin takes them."""

    def __init__(
        self, tape, rows, steps, units, *, first=None, dtype=np.float64, seed=0, **options
    ):
        self.rng = np.random.default_rng(seed)
        self.tape, self.dtype, self.options = tape, dtype, options
        self.rows, self.steps, self.units = rows, steps, units
        self.first = first or units
        gates, recurrent = len(tape.gates) * units, len(tape.recurrent) * units
        self.weights = Weights(
            self.draw(gates, INPUTS),
            self.draw(recurrent, self.first) if recurrent else None,
            self.draw(gates),
            self.draw(recurrent) if recurrent else None,
            self.draw(self.first, units) if first else None,
            {name: self.draw(units) for name in tape.params},
        )
        self.widths = [self.first, *[units] * (len(tape.state) - 1)]
        self.x = self.draw(rows, steps, INPUTS)
        self.inputs = {
            name: self.draw(rows, steps, *options.pop("wide", ())) for name in tape.inputs
        }
        self.state = tuple(self.draw(rows, width) for width in self.widths)
        self.dfinal = tuple(self.draw(rows, width) for width in self.widths)
        self.lengths = self.rng.integers(0, steps + 1, rows) if options.get("lengths") else None
        self.reset = self.rng.random((rows, steps)) < 0.3 if options.get("reset") else None
        self.keep = options.get("keep")
        # The compiled engine is given the sequence reversed, and runs backwards in time.
        self.reverse = options.get("reverse", False)

    def draw(self, *shape):
        return (self.rng.standard_normal(shape) / 2).astype(self.dtype)

    def slow(self):
        """What the twin gives, by name."""
        run = forward(
            self.tape, self.weights, self.x, self.state, inputs=self.inputs,
            lengths=self.lengths, reset=self.reset, keep=self.keep,
        )  # fmt: skip
        self.dy = self.draw(*run.output.shape)
        gradients = backward(self.tape, self.weights, run, self.dy, self.dfinal)
        dense = gradients.weights
        found = {"y": run.output, "W": dense.weight_ih, "b": dense.bias_ih}
        if dense.bias_hh is not None:
            found["b of U"] = dense.bias_hh
        for k, (final, d) in enumerate(zip(run.state, gradients.state, strict=True)):
            found |= {f"final{k}": final, f"dstate{k}": d}
        found |= {f"d{name}": d for name, d in gradients.inputs.items()}
        if self.reset is None:  # the share of what a start is made of is summed by the caller
            found |= {f"d{name}": d for name, d in gradients.weights.params.items()}
        return found

    # --- the compiled engine ---------------------------------------------------------------------

    def timed(self, array):
        """Time first; and backwards in time where the engine is to run so."""
        first = np.ascontiguousarray(array.swapaxes(0, 1))
        return np.ascontiguousarray(first[::-1]) if self.reverse else first

    def untimed(self, array):
        return (array[::-1] if self.reverse else array).swapaxes(0, 1)

    def arrays(self):
        """What goes in, time first, and what comes out, full of NaN."""
        tape, (t, b, h) = self.tape, (self.steps, self.rows, self.units)
        valid = np.ones((b, t), bool)
        if self.lengths is not None:
            valid = np.arange(t) < self.lengths[:, None]
        self.clean = np.where(valid[..., None], self.x, self.dtype(0))
        projected = self.clean @ self.weights.weight_ih.T + self.weights.bias_ih
        self.lowered = lower(tape)
        self.ins = {name: self.timed(self.inputs[name]) for name in tape.inputs}
        self.projected = self.timed(projected)
        self.resets = None if self.reset is None else self.timed(self.reset).astype(np.uint8)
        outputs = sum(h if o == "H" else 1 for o in tape.outputs)
        self.y = self.nan(t, b, outputs) if outputs else None
        self.v, self.w = self.nan(t, b, tape.count("v") * h), self.nan(t, b, tape.count("w"))
        self.states = [self.nan(t, b, s) for s in self.widths]
        self.fresh = [self.nan(t, b, h) for _ in self.widths]
        self.final = [self.nan(b, s) for s in self.widths]
        start = Layer(tape, self.weights, self.dtype).start(b)
        self.start = [np.ascontiguousarray(values) for values in start]
        self.columns = self.nan(t, b, len(self.lowered.columns) * h)
        self.sums = self.nan(len(self.lowered.columns) * h)
        self.dinputs = [self.nan(t, b, h) for _ in tape.inputs]
        self.dstate = [self.nan(b, s) for s in self.widths]
        self.dstart = [self.nan(b, s) for s in self.widths]
        self.dparams = [self.nan(h) for _ in tape.params]

    def nan(self, *shape):
        return np.full(shape, np.nan, self.dtype)

    def common(self, threads, name):
        """The arguments that both directions take."""
        w, plan = self.weights, native.plan(self.lowered)
        lengths = None if self.lengths is None else self.lengths.astype(np.int64)
        self.kept_alive = lengths
        dense = (self.projected, w.weight_hh, w.bias_hh, w.weight_hr, lengths, self.resets, None)
        return [
            plan,
            name,
            (self.steps, self.rows, self.units, self.first, self.reverse, threads),
            addresses(dense),
            [(at(array), array.ndim == 2) for array in self.ins.values()],
            addresses(w.params[name] for name in self.tape.params),
            addresses(self.state),
            addresses(self.start if self.reset is not None else ()),
            [(share, 0) for share in self.keep or ()],
            (
                *addresses((self.y, self.v, self.w)),
                *map(addresses, (self.states, self.fresh, self.final)),
            ),
        ]

    def back(self):
        """What only a backward pass takes."""
        none = [0] * len(self.state)
        start = addresses(self.dstart if self.reset is not None else ())
        self.up = self.timed(self.dy)
        per_state = (addresses(self.dfinal), none, addresses(self.dstate), start, [], none)
        up = (at(self.up), at(self.columns), at(self.sums), 0, *per_state)
        return [up, addresses(self.dinputs), addresses(self.dparams)]

    def fast(self, threads=1, name=""):
        """What the compiled engine gives, under the names of `slow`."""
        self.arrays()
        common, double = self.common(threads, name), self.dtype == np.float64
        native.forward(double, *common)
        native.backward(double, *common, *self.back())
        found = {"y": self.untimed(self.states[0] if self.y is None else self.y)}
        for k, (final, d) in enumerate(zip(self.final, self.dstate, strict=True)):
            found |= {f"final{k}": final, f"dstate{k}": d}
        inputs = zip(self.tape.inputs, self.dinputs, strict=True)
        found |= {f"d{name}": self.untimed(d) for name, d in inputs}
        if self.reset is None:
            params = zip(self.tape.params, self.dparams, strict=True)
            found |= {f"d{name}": d for name, d in params}
        gates = self.columns[..., : len(self.tape.gates) * self.units]
        found["W"] = np.einsum("btg,bti->gi", self.untimed(gates), self.clean)
        sums = self.sums.reshape(-1, self.units)
        found["b"] = sums[: len(self.tape.gates)].ravel()
        if self.tape.recurrent:
            found["b of U"] = self.of_gates(sums).ravel()
        return found

    def of_gates(self, sums):
        """Columns of the stored gradients, added to the gates of U that they belong to."""
        total = np.zeros((len(self.tape.recurrent), self.units), self.dtype)
        for product in self.lowered.products:
            for gate, d in zip(product.gates, product.d, strict=True):
                total[gate] += sums[self.lowered.slots[d][1]]
        return total


def at(array):
    """The address of an array; 0 where there is none, or nothing in it."""
    return 0 if array is None or not array.size else array.ctypes.data


def addresses(arrays):
    return [at(array) for array in arrays]


def compare(call, threads=1, name=""):
    expected = call.slow()
    found = call.fast(threads, name)
    assert set(found) == set(expected)
    # A rounding for each instruction of each step, and for each term of a sum.
    lines = sum(len(section) for _, section in call.tape.sections())
    bound = np.finfo(call.dtype).eps * (lines * call.steps + call.rows + np.sqrt(call.units))
    for key, value in expected.items():
        assert np.isfinite(found[key]).all(), key
        scale = 1 + np.abs(value).max(initial=0)
        np.testing.assert_allclose(found[key], value, rtol=0, atol=bound * scale, err_msg=key)


@pytest.mark.parametrize("instructions", native.engines())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES)
@pytest.mark.parametrize("size", [(1, 1, 1), (5, 7, 11), (13, 3, 33)], ids=str)
def test_it_gives_what_the_twin_gives(size, tape, dtype, instructions):
    compare(Call(tape, *size, dtype=dtype), threads=2, name=instructions)


OPTIONS = {
    "lengths": {"lengths": True},
    "resets": {"reset": True},
    "zoneout": {"keep": (0.7, 0.4)},
    "everything": {"lengths": True, "reset": True, "keep": (0.7, 0.4)},
}


@pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_with_options(options, tape):
    options = dict(options)
    if "keep" in options:
        options["keep"] = options["keep"][: len(tape.state)]
    compare(Call(tape, 7, 9, 6, **options), threads=3)


@pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES)
def test_backwards_in_time_is_the_reversed_sequence(tape):
    compare(Call(tape, 4, 5, 6, reverse=True))


@pytest.mark.parametrize("tape", [SCAN, NARROW, PLAIN], ids=lambda t: t.name)
def test_many_units(tape):
    """So many that parts of a row are computed apart, each with its part of the parameters."""
    compare(Call(tape, 3, 4, 700, lengths=True, reset=True), threads=2)


@pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES)
def test_many_rows(tape):
    compare(Call(tape, 3000, 2, 3, lengths=True), threads=2)


def test_a_projected_state():
    compare(Call(PLAIN, 6, 5, 8, first=3))


def test_one_value_a_unit_as_a_further_input():
    compare(Call(STAGED, 3, 4, 6, wide=(6,)))


def test_bits_do_not_depend_on_the_number_of_threads():
    for tape in TAPES.values():
        call = Call(tape, 13, 4, 9, lengths=True)
        call.slow()
        one, four = call.fast(1), call.fast(4)
        for key in ("y", "final0", "dstate0"):
            np.testing.assert_array_equal(one[key], four[key])
