"""The closed table of ops: what each takes, and what it makes of the shapes it is given.

Nothing is computed here: `interpret` and the native runner do, and `check` compares what this
table infers with what a program declares. docs/programs.md has the table for readers.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from elman_runtime.program.attributes import (
    integer,
    not_negative,
    number,
    one_of,
    shares,
    sizes,
    truth,
)
from elman_runtime.program.cells import WEIGHTS, cell, cell_step
from elman_runtime.program.facts import (
    TIME,
    BrokenRule,
    Facts,
    Made,
    Typed,
    as_sequence,
    compare,
    last_axis,
    of_rank,
    without_time,
)
from elman_runtime.program.form import Node, Shape

__all__ = ["CARRYING", "ONE", "OPS", "TIME", "TWO", "WEIGHTS", "BrokenRule", "Facts", "Made", "Op"]
__all__ += ["Typed", "broadcast", "instructions", "is_whole", "products"]


class Op(NamedTuple):
    """One row of the table.

    - `infer`: the shapes that a node makes; raises BrokenRule.
    - `inputs`: the least and the greatest number of inputs.
    - `required`, `optional`: roles of params; of a cell the tape's parameters come to them.
    - `attrs`: name -> what is wrong with a value ("" where nothing is).
    - `default_attrs`: those that may be left out.
    - `takes`: the kind of its inputs; "same" takes either and makes the same.
    - `whole`: whether an output may depend on inputs that come later.
    """

    infer: Callable[[Facts], Made]
    inputs: tuple[int, int] = (1, 1)
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    attrs: Mapping[str, Callable[[Any], str]] = {}
    default_attrs: Mapping[str, Any] = {}
    takes: str = "float"
    whole: bool = False


# --- shapes --------------------------------------------------------------------------------------


def broadcast(a: Shape, b: Shape) -> Shape:
    """As NumPy does on trailing axes; time meets time or 1."""
    rank = max(len(a), len(b))
    pairs = zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True)
    found = []
    for p, q in pairs:
        if p not in (1, q) and q != 1:
            raise BrokenRule("shapes that broadcast", (a, b))
        found.append(q if p == 1 else p)
    if TIME in found[1:]:
        raise BrokenRule("time stays the first axis", (a, b))
    return tuple(found)


def _same(facts: Facts) -> Made:
    return Made((facts.first,))


def _along_last(facts: Facts) -> Made:
    last_axis(facts.first)
    return _same(facts)


def _embedding(facts: Facts) -> Made:
    return Made(((*facts.first, of_rank(facts, "weight", 2)[1]),))


def _linear(facts: Facts) -> Made:
    rows = of_rank(facts, "weight", 2)[0]
    compare(facts, "weight", (rows, last_axis(facts.first)))
    compare(facts, "bias", (rows,))
    return Made(((*facts.first[:-1], rows),))


def _by_feature(facts: Facts) -> Made:
    width = last_axis(facts.first)
    for role in facts.params:
        compare(facts, role, (width,))
    return _same(facts)


def _two(facts: Facts) -> Made:
    return Made((broadcast(facts.first, facts.inputs[1].shape),))


def _constant(facts: Facts) -> Made:
    return Made((facts.params["value"],))


def _concat(facts: Facts) -> Made:
    leading = facts.first[:-1]
    if any(v.shape[:-1] != leading or not v.shape for v in facts.inputs):
        raise BrokenRule("equal shapes but for the last axis", [v.shape for v in facts.inputs])
    return Made(((*leading, sum(last_axis(v.shape) for v in facts.inputs)),))


def _slice(facts: Facts) -> Made:
    shape, start, stop = facts.first, facts.attrs["start"], facts.attrs["stop"]
    at = 0 if facts.attrs["axis"] == "first" else len(shape) - 1
    size = shape[at] if shape else None
    if not isinstance(size, int) or not start < stop <= size:
        raise BrokenRule(f"start < stop within an axis of {shape} that is no time", (start, stop))
    return Made(((*shape[:at], stop - start, *shape[at + 1 :]),))


def _reshape(facts: Facts) -> Made:
    wanted = tuple(facts.attrs["shape"])
    if math.prod(without_time(facts.first)) != math.prod(wanted):
        raise BrokenRule(f"a value of shape {facts.first} keeps its size", wanted)
    return Made((wanted,))


def _repeat(facts: Facts) -> Made:
    return Made(((facts.attrs["n"], *without_time(facts.first)),))


def _over_time(facts: Facts) -> Made:
    return Made(((as_sequence(facts.first)[1],),))


def _running(facts: Facts) -> Made:
    return Made((facts.first,), ((1,), (as_sequence(facts.first)[1],)))


def _conv(facts: Facts) -> Made:
    steps, width = as_sequence(facts.first)
    rows, _, taps = of_rank(facts, "weight", 3)
    compare(facts, "weight", (rows, width, taps))
    compare(facts, "bias", (rows,))
    return Made(((steps, rows),), (((taps - 1) * facts.attrs["dilation"], width),))


def _attention(facts: Facts) -> Made:
    query, keys, values = (v.shape for v in facts.inputs)
    (steps, width), (again, out) = as_sequence(keys), as_sequence(values)
    if again != steps or not query or query[-1] != width:
        raise BrokenRule("query (..., A), keys (T, A), values (T, V)", (query, keys, values))
    compare(facts, "v", (width,))
    leading = without_time(query)[:-1]
    if leading and steps == TIME:
        raise BrokenRule("one query where the keys have an axis of time", query)
    return Made(((*leading, out), (*leading, steps)))


def products(op: str, facts: Facts) -> int:
    """Multiplications by parameters, for one row and step; what is linear in a value is free."""
    if op == "embedding" or not facts.inputs:
        return 0
    vectors = math.prod(int(size) for size in facts.first[:-1] if size != TIME)
    if op == "attention":
        return vectors * math.prod(int(size) for size in facts.inputs[1].shape if size != TIME)
    return vectors * sum(math.prod(shape) for shape in facts.params.values())


def instructions(facts: Facts) -> int:
    """Steps of a node's tape for one row and step; one that is no cell has none."""
    if facts.tape is None:
        return 0
    fixed = (int(size) for size in facts.first[:-1] if size != TIME)
    lines = sum(map(len, vars(facts.tape.forward).values()))
    return math.prod(fixed) * max(1, lines)


def is_whole(node: Node, over_time: bool) -> bool:
    """Whether a node may look ahead; `over_time`: its first input has an axis of time."""
    op = OPS[node.op]
    # Over a fixed axis these begin anew at each call: nothing is carried.
    starts_anew = node.op in CARRYING and not over_time
    ahead = node.attrs.get("reverse") or node.attrs.get("final")
    return op.whole or starts_anew or bool(ahead)


ONE = "sigmoid tanh relu softplus exp log gelu neg abs sqrt"
TWO = "add sub mul div maximum minimum"
"""Ops element by element, of one value and of two."""
_HOW = one_of("max", "mean")

OPS: dict[str, Op] = {
    "embedding": Op(_embedding, required=("weight",), takes="int"),
    "linear": Op(_linear, required=("weight",), optional=("bias",)),
    "cell": Op(
        cell,
        inputs=(1, 64),
        required=("weight_ih",),
        optional=WEIGHTS[1:],
        attrs={"tape": integer(0), "reverse": truth, "final": truth, "zoneout": shares},
        default_attrs={"reverse": False, "final": False, "zoneout": ()},
    ),
    "cell_step": Op(
        cell_step,
        inputs=(2, 64),
        required=("weight_ih",),
        optional=WEIGHTS[1:],
        attrs={"tape": integer(0), "zoneout": shares},
        default_attrs={"zoneout": ()},
    ),
    "layer_norm": Op(
        _by_feature,
        optional=("weight", "bias"),
        attrs={"eps": not_negative},
    ),
    "affine": Op(_by_feature, optional=("scale", "shift")),
    **dict.fromkeys(ONE.split(), Op(_same)),
    **dict.fromkeys(("softmax", "log_softmax"), Op(_along_last)),
    **dict.fromkeys(TWO.split(), Op(_two, inputs=(2, 2))),
    "constant": Op(_constant, inputs=(0, 0), required=("value",)),
    "scale": Op(_same, attrs={"factor": number, "shift": number}),
    "concat": Op(_concat, inputs=(1, 64)),
    "slice": Op(
        _slice,
        attrs={"axis": one_of("first", "last"), "start": integer(0), "stop": integer(1)},
        takes="same",
    ),
    "reshape": Op(_reshape, attrs={"shape": sizes}, takes="same"),
    "repeat": Op(_repeat, attrs={"n": integer(1)}, takes="same"),
    "last": Op(_over_time, whole=True),
    "pool": Op(_over_time, attrs={"how": _HOW}, whole=True),
    "running": Op(_running, attrs={"how": _HOW}),
    "conv": Op(_conv, required=("weight",), optional=("bias",), attrs={"dilation": integer(1)}),
    "attention": Op(_attention, inputs=(3, 3), required=("v",), whole=True),
}
CARRYING = frozenset(("cell", "conv", "running"))
"""Ops with states."""
