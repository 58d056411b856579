"""Programs that tests and the fuzzer share: of one node, of one cell, and stacks with every op."""

from itertools import pairwise

import numpy as np

from elman_runtime.program import OPS, Node, Program, State, Value
from elman_runtime.tape import Weights, from_text

RNN = from_text(
    """\
elman tape 1
name RNN
gates n
recurrent n
state h
update
  u0 = project s.h n+
  new.h = tanh u0.n
"""
)
# Two states, a parameter, a further input, its own start, two outputs of different widths.
HAND = from_text(
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
"""
)
NARROW = from_text(
    """\
elman tape 1
name Narrow
gates n
recurrent n
state h
update
  u0 = project s.h n+
  new.h = tanh u0.n
"""
)
# No product with U, and the layer's own input.
RAW = from_text(
    """\
elman tape 1
name Raw
gates n
state h
inputs raw
update
  v0 = sigmoid x.n
  r0 = sub x.raw s.h
  r0 = mul v0 r0
  new.h = add s.h r0
"""
)


def one(op, inputs, output, attrs=None, params=None, states=(), kind="float"):
    """A program of one node; `inputs` are shapes, `output` a shape or a list of them."""
    names = [f"in{k}" for k in range(len(inputs))]
    outputs = output if isinstance(output, list) else [output]
    made = [f"out{k}" for k in range(len(outputs))]
    carried = tuple(State(f"state{k}", shape) for k, shape in enumerate(states))
    roles = {role: role for role in params or {}}
    node = Node(op, tuple(names), tuple(made), roles, tuple(s.name for s in carried), attrs or {})
    return Program(
        tuple(Value(n, s, kind) for n, s in zip(names, inputs, strict=True)),
        tuple(Value(n, s) for n, s in zip(made, outputs, strict=True)),
        carried,
        (node,),
    )


def cell_program(tape, params, width, attrs=None, starts=None, steps="T"):
    """A program of one cell whose roles are called as they are."""
    units = len(params["weight_ih"]) // len(tape.gates)
    narrow = len(params["weight_hr"]) if "weight_hr" in params else units
    sizes = [narrow, *[units] * (len(tape.state) - 1)]
    begun = starts or [None] * len(sizes)
    states = tuple(
        State(f"layer.{n}", (size,), start)
        for n, size, start in zip(tape.state, sizes, begun, strict=True)
    )
    out = sum(units if w == "H" else 1 for w in tape.outputs) if tape.outputs else narrow
    further = (Value(name, (steps,)) for name in tape.inputs if name != "raw")
    inputs = (Value("x", (steps, width)), *further)
    node = Node(
        "cell",
        tuple(v.name for v in inputs),
        ("y",),
        {role: role for role in params},
        tuple(s.name for s in states),
        {"tape": 0, **(attrs or {})},
    )
    return Program(inputs, (Value("y", (steps, out)),), states, (node,))


def hand_params(draw, units=4, width=2):
    shapes_of = {
        "weight_ih": (2 * units, width),
        "weight_hh": (units, units),
        "bias_ih": (2 * units,),
        "bias_hh": (units,),
        "w": (units,),
    }
    return {role: draw(shape) for role, shape in shapes_of.items()}


def as_weights(tape, params):
    own = {name: params[name] for name in tape.params}
    return Weights(**{k: v for k, v in params.items() if k not in own}, params=own)


def stack(draw, dtype="f4", vocabulary=11):
    """Embedding, conv, cell, norm, running mean, linear; and its tensors."""
    tensors = {
        "table": draw((vocabulary, 5)),
        "taps": draw((6, 5, 3)),
        "w": draw((7, 6)),
        "u": draw((7, 7)) / 3,
        "b": draw(7),
        "h0": draw(7),
        "scale": draw(7),
        "head": draw((2, 7)),
    }
    nodes = (
        Node("embedding", ("token",), ("e",), {"weight": "table"}),
        Node("conv", ("e",), ("k",), {"weight": "taps"}, ("taps",), {"dilation": 2}),
        Node(
            "cell",
            ("k",),
            ("h",),
            {"weight_ih": "w", "weight_hh": "u", "bias_ih": "b"},
            ("h0",),
            {"tape": 0},
        ),
        Node("layer_norm", ("h",), ("n",), {"weight": "scale"}, (), {"eps": 1e-5}),
        Node("running", ("n",), ("m",), {}, ("count", "mean"), {"how": "mean"}),
        Node("add", ("n", "m"), ("s",)),
        Node("linear", ("s",), ("z",), {"weight": "head"}),
        Node("log_softmax", ("z",), ("y",)),
    )
    program = Program(
        (Value("token", ("T",), "int"),),
        (Value("y", ("T", 2)), Value("h", ("T", 7))),
        (State("taps", (4, 5)), State("h0", (7,), "h0"), State("count", (1,)), State("mean", (7,))),
        nodes,
    )
    return program, {name: value.astype(dtype) for name, value in tensors.items()}


def elementwise():
    """Every op of one and of two values, as a step program of a state that is only counted."""
    ones = ("abs", "sqrt", "tanh", "sigmoid", "relu", "softplus", "exp", "log", "gelu", "neg")
    steps = (*ones, "softmax", "log_softmax")
    nodes = [Node(op, (before,), (op,)) for before, op in pairwise(("x", *steps))]
    before = nodes[-1].outputs[0]
    for op in ["add", "sub", "mul", "div", "maximum", "minimum"]:
        nodes.append(Node(op, ("x", before), (op,)))
        before = op
    nodes += [
        Node("scale", (before,), ("scaled",), {}, (), {"factor": 0.5, "shift": -1}),
        Node("affine", ("scaled",), ("moved",), {"scale": "a", "shift": "b"}),
        Node("constant", (), ("c",), {"value": "a"}),
        Node("concat", ("moved", "scaled"), ("both",)),
        Node("slice", ("both",), ("part",), {}, (), {"axis": "last", "start": 2, "stop": 5}),
        Node("add", ("part", "c"), ("y",)),
        Node("running", ("y",), ("m",), {}, ("n", "max"), {"how": "max"}),
    ]
    ends = (Value("x", ("T", 3)),), (Value("y", ("T", 3)), Value("m", ("T", 3)))
    tensors = {"a": np.array([1, 2, 3], "f8"), "b": np.array([0.5, 0, -1])}
    return Program(*ends, (State("n", (1,)), State("max", (3,))), tuple(nodes)), tensors


def window(draw):
    """A window of 8 observations of 3: patches, a cell over them, attention, a repeated answer."""
    tensors = {
        "w": draw((5, 6)),
        "u": draw((5, 5)),
        "taps": draw((5, 5, 2)),
        "v": draw(5),
        "table": draw((2, 5)),
    }
    roles = {"weight_ih": "w", "weight_hh": "u"}
    nodes = (
        Node("reshape", ("x",), ("patches",), {}, (), {"shape": (4, 6)}),
        Node("cell", ("patches",), ("h",), roles, ("h",), {"tape": 0}),
        Node("conv", ("h",), ("k",), {"weight": "taps"}, ("taps",), {"dilation": 1}),
        Node("slice", ("k",), ("end",), {}, (), {"axis": "first", "start": 3, "stop": 4}),
        Node("constant", (), ("asked",), {"value": "table"}),
        Node("add", ("asked", "end"), ("query",)),
        Node("attention", ("query", "k", "h"), ("found", "weights"), {"v": "v"}),
        Node("last", ("found",), ("answer",)),
        Node("pool", ("h",), ("mean",), {}, (), {"how": "mean"}),
        Node("add", ("answer", "mean"), ("sum",)),
        Node("repeat", ("sum",), ("y",), {}, (), {"n": 3}),
    )
    outputs = (Value("y", (3, 5)), Value("weights", (2, 4)))
    states = (State("h", (5,)), State("taps", (1, 5)))
    return Program((Value("x", (8, 3)),), outputs, states, nodes), tensors


def encoder(draw):
    """Both directions of a cell, pooled; and a decoder's step that attends to them."""
    tensors = {
        name: draw(shape)
        for name, shape in {
            "w": (4, 3),
            "u": (4, 4),
            "wd": (4, 11),
            "ud": (4, 4),
            "v": (8,),
        }.items()
    }
    tensors |= {"q": draw((8, 4))}
    ahead = {"weight_ih": "w", "weight_hh": "u"}
    encode = (
        Node("cell", ("x",), ("f",), ahead, ("f",), {"tape": 0}),
        Node("cell", ("x",), ("b",), ahead, ("b",), {"tape": 0, "reverse": True}),
        Node("concat", ("f", "b"), ("keys",)),
        Node("pool", ("keys",), ("pooled",), {}, (), {"how": "max"}),
    )
    states = (State("f", (4,)), State("b", (4,)))
    first = Program(
        (Value("x", ("T", 3)),), (Value("keys", ("T", 8)), Value("pooled", (8,))), states, encode
    )
    decoder = {"weight_ih": "wd", "weight_hh": "ud"}
    decode = (
        Node("linear", ("h",), ("query",), {"weight": "q"}),
        Node("attention", ("query", "keys", "keys"), ("context", "weights"), {"v": "v"}),
        Node("concat", ("x", "context"), ("given",)),
        Node("cell_step", ("given", "h"), ("y", "h1"), decoder, (), {"tape": 0}),
    )
    ends = (Value("x", (3,)), Value("h", (4,)), Value("keys", ("T", 8)))
    outputs = (Value("y", (4,)), Value("h1", (4,)), Value("weights", ("T",)))
    return {"main": first, "step": Program(ends, outputs, (), decode)}, tensors


def models():
    """Name -> programs, tapes and tensors: every op, every kind."""
    draw = np.random.default_rng(0).standard_normal
    step, tensors = stack(draw)
    last = Node("last", ("y",), ("end",))
    whole = Program(step.inputs, (Value("end", (2,)),), step.states, (*step.nodes, last))
    hand = hand_params(draw)
    narrow = {"weight_ih": draw((6, 2)), "weight_hh": draw((6, 3)), "weight_hr": draw((3, 6))}
    raw = {"weight_ih": draw((4, 4)), "bias_ih": draw(4)}
    found = {
        "stack": ({"main": whole, "step": step}, [RNN], tensors),
        "hand": ({"main": cell_program(HAND, hand, 2, {"zoneout": (0.5, 0)})}, [HAND], hand),
        "narrow": ({"main": cell_program(NARROW, narrow, 2)}, [NARROW], narrow),
        "raw": ({"main": cell_program(RAW, raw, 4)}, [RAW], raw),
    }
    for name, (program, arrays) in (("elementwise", elementwise()), ("window", window(draw))):
        found[name] = ({"main": program}, [RNN], arrays)
    programs, arrays = encoder(draw)
    found["encoder"] = (programs, [RNN], arrays)
    used = {n.op for p, *_ in found.values() for one_ in p.values() for n in one_.nodes}
    assert used == OPS.keys(), OPS.keys() - used
    return found
