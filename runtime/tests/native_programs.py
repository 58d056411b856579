"""Step programs for the tests of the compiled runner: every op, sizes to choose."""

from dataclasses import dataclass, field

import numpy as np

from elman_runtime.program import Node, Program, State, Value
from elman_runtime.program.ops import ONE, TWO
from elman_runtime.tape import Tape, from_text

GRU = from_text(
    """\
elman tape 1
name GRU
gates r z n
recurrent r z n
state h
update
  u0 = project s.h r+ z+ n
  v0 = sigmoid u0.r
  v1 = sigmoid u0.z
  v2 = copy u0.n
  r0 = mul v0 u0.n
  r0 = add x.n r0
  v3 = tanh r0
  r0 = sub s.h v3
  r0 = mul v1 r0
  new.h = add v3 r0
"""
)
LSTM = from_text(
    """\
elman tape 1
name LSTM
gates i f g o
recurrent i f g o
state h c
update
  u0 = project s.h i+ f+ g+ o+
  v0 = sigmoid u0.i
  v1 = sigmoid u0.f
  v2 = tanh u0.g
  v3 = sigmoid u0.o
  r0 = mul v1 s.c
  r1 = mul v0 v2
  new.c = add r0 r1
  v4 = tanh new.c
  new.h = mul v3 v4
"""
)
# A stage that waits, one value a row, two outputs, a parameter, a start, further inputs.
STAGED = from_text(
    """\
elman tape 1
name Staged
gates a b
recurrent a k
state h c
params w
inputs dt gain
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
  r0 = mul r0 x.gain
  new.h = tanh r0
  v1 = sigmoid x.b
  w0 = mean new.h
  r0 = mul v1 w0
  r1 = mul 0.5 s.c
  new.c = add r1 r0
read
  y0 = mul final.h final.c
  y1 = mean final.c
"""
)
# No product, and the layer's own input.
SCAN = from_text(
    """\
elman tape 1
name Scan
gates z
state h
inputs raw
update
  v0 = sigmoid x.z
  r0 = sub s.h x.raw
  r0 = mul v0 r0
  new.h = add x.raw r0
"""
)
TAPES = (GRU, LSTM, STAGED, SCAN)


@dataclass
class Build:
    """A program as it grows; tensors are drawn as they are needed."""

    dtype: str = "f4"
    seed: int = 0
    tensors: dict = field(default_factory=dict)
    nodes: list = field(default_factory=list)
    states: list = field(default_factory=list)
    tapes: list = field(default_factory=list)

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)

    def tensor(self, *shape, scale=1.0):
        name = f"w{len(self.tensors)}"
        self.tensors[name] = (scale * self.rng.standard_normal(shape)).astype(self.dtype)
        return name

    def state(self, *shape, start=False):
        name = f"s{len(self.states)}"
        self.states.append(State(name, shape, self.tensor(*shape) if start else None))
        return name

    def add(self, op, *inputs, params=None, states=(), **attrs):
        name = f"v{len(self.nodes)}"
        self.nodes.append(Node(op, inputs, (name,), params or {}, tuple(states), attrs))
        return name

    def linear(self, x, width, rows, bias=True):
        params = {"weight": self.tensor(rows, width, scale=width**-0.5)}
        return self.add("linear", x, params=params | ({"bias": self.tensor(rows)} if bias else {}))

    def cell(self, tape: Tape, x, width, units, *further, narrow=None, zoneout=None, start=False):
        """A cell of `units`; `narrow` is the size of V's result."""
        first, gates = narrow or units, max(1, len(tape.gates))
        params = {
            "weight_ih": self.tensor(gates * units, width, scale=width**-0.5),
            "bias_ih": self.tensor(gates * units),
        }
        if tape.recurrent:
            rows = len(tape.recurrent) * units
            params["weight_hh"] = self.tensor(rows, first, scale=first**-0.5)
            params["bias_hh"] = self.tensor(rows)
        if narrow:
            params["weight_hr"] = self.tensor(narrow, units, scale=units**-0.5)
        params |= {name: self.tensor(units, scale=0.5) for name in tape.params}
        sizes = [first, *[units] * (len(tape.state) - 1)]
        states = [self.state(size, start=start) for size in sizes]
        attrs = {"zoneout": zoneout} if zoneout else {}
        self.tapes.append(tape)
        number = len(self.tapes) - 1
        return self.add("cell", x, *further, params=params, states=states, tape=number, **attrs)

    def program(self, inputs, *outputs):
        """`inputs` are values, `outputs` (name, width)."""
        ends = tuple(Value(name, ("T", width)) for name, width in outputs)
        return Program(tuple(inputs), ends, tuple(self.states), tuple(self.nodes))


def stack(tape=GRU, units=8, width=3, rows=2, **options):
    """A cell and a head: program, tensors, tapes."""
    dtype, seed = options.pop("dtype", "f4"), options.pop("seed", 0)
    build, names = Build(dtype, seed), [n for n in tape.inputs if n != "raw"]
    further = [Value(n, ("T",) if k % 2 == 0 else ("T", units)) for k, n in enumerate(names)]
    hidden = build.cell(tape, "x", width, units, *names, **options)
    out = options.get("narrow") or units
    out = sum(units if v == "H" else 1 for v in tape.outputs) if tape.outputs else out
    y = build.linear(hidden, out, rows)
    ends = (Value("x", ("T", width)), *further)
    return build.program(ends, (hidden, out), (y, rows)), build.tensors, build.tapes


def every_op(dtype="f4", units=7, seed=0):
    """All ops that images have, tokens and numbers in, two layers of cells."""
    b = Build(dtype, seed)
    table = b.add("embedding", "tokens", params={"weight": b.tensor(11, units)})
    conv = {"weight": b.tensor(units, 3, 4, scale=0.3), "bias": b.tensor(units)}
    conv = b.add("conv", "x", params=conv, states=[b.state(6, 3, start=True)], dilation=2)
    both = b.add("concat", table, conv)
    low = b.cell(LSTM, both, 2 * units, units + 2, narrow=units, zoneout=[0.25, 0.0], start=True)
    norm = {"weight": b.tensor(units), "bias": b.tensor(units)}
    value = b.add("layer_norm", low, params=norm, eps=1e-5)
    value = b.cell(STAGED, value, units, units, "dt", table, zoneout=[0.0, 0.5])
    value = b.add(
        "affine", value, params={"scale": b.tensor(units + 1), "shift": b.tensor(units + 1)}
    )
    value = b.add("slice", value, axis="last", start=1, stop=units + 1)
    value = b.cell(SCAN, value, units, units)
    for op in ONE.split():
        # Logarithms and roots have positive operands.
        made = b.add("softplus", value) if op in ("log", "sqrt") else value
        value = b.add("add", b.add("scale", b.add(op, made), factor=0.5, shift=0.01), table)
        value = b.add("tanh", value)
    wide = b.add("constant", params={"value": b.tensor(1, units)})
    part = b.add("slice", wide, axis="last", start=0, stop=1)
    for k, op in enumerate(TWO.split()):
        narrow = b.add("slice", table, axis="last", start=k % units, stop=k % units + 1)
        other = b.add("add", b.add("exp", narrow), part) if op == "div" else narrow
        value = b.add("tanh", b.add("mul", b.add(op, value, other), wide))
    high = b.add("running", value, states=[b.state(1), b.state(units)], how="max")
    mean = b.add("running", value, states=[b.state(1), b.state(units)], how="mean")
    logits = b.linear(b.add("concat", high, mean, value), 3 * units, 5, bias=False)
    ends = ((b.add("softmax", logits), 5), (b.add("log_softmax", logits), 5), (value, units))
    tokens, dt = Value("tokens", ("T",), "int"), Value("dt", ("T",))
    return b.program((tokens, Value("x", ("T", 3)), dt), *ends), b.tensors, b.tapes


def inputs_of(program, tensors, rows, steps, seed=1):
    """Random inputs (N, T, ...); tokens are below 11."""
    rng, dtype = np.random.default_rng(seed), next(iter(tensors.values())).dtype
    shapes = [(rows, steps, *(int(s) for s in v.shape[1:])) for v in program.inputs]
    return tuple(
        rng.integers(0, 11, shape) if v.kind == "int" else rng.standard_normal(shape).astype(dtype)
        for v, shape in zip(program.inputs, shapes, strict=True)
    )


def outputs_of(made, rows, steps):
    shapes = [(rows, steps, *v.shape[1:]) for v in made.program.outputs]
    return tuple(np.full(shape, np.nan, made.dtype) for shape in shapes)
