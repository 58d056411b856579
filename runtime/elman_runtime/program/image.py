"""A step program as one flat block of bytes, which C++ and C run (runtime/src/program/image.hpp).

Weights are laid out as the program has them; each processor packs them anew when it loads.
"""

import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from elman_runtime.program.check import shapes
from elman_runtime.program.compute import PLAIN, PURE, Array, Bound
from elman_runtime.program.form import Node, Program
from elman_runtime.program.interpret import Interpreter
from elman_runtime.program.kinds import kind_of
from elman_runtime.program.ops import ONE, TIME, TWO, WEIGHTS, Typed
from elman_runtime.tape import Forward, Instruction, Tape
from elman_runtime.tape.lower import OPS, lower

MAGIC = b"elmanimg"
VERSION = 1
MOST_LINES = 1 << 12
_HEADER = struct.Struct("<8sIIIIQQ24x")
_ALIGNMENT = 64
_INPUT, _INTEGER, _MADE, _FIXED, _PART = range(5)
_CODES = (
    *("embedding", "linear", "cell", "layer_norm", "affine", "unary", "softmax", "log_softmax"),
    *("binary", "scale", "concat", "running", "conv"),
)
_GELU = 100


class ImageError(ValueError):
    """A program that has no image: the message says which node, and why."""


@dataclass(frozen=True)
class _Value:
    """A value of the image: its number, and `lead` lines of `width` for each row and step."""

    number: int
    lead: int
    width: int
    fixed: Array | None = None
    """What it always is, of the program's shape without the batch."""


def image(program: Program, tensors: Mapping[str, Array], tapes: Sequence[Tape] = ()) -> bytes:
    """The image of a step program, in the dtype of its tensors.

    Raises:
        ImageError: it is no step program, or a node is one that images do not have.
        ModelFileError: the program breaks a rule.
    """
    interpreter = Interpreter(program, tensors, tapes)
    return _Writer(interpreter, shapes(program, tensors, tapes)).written()


class _Writer:
    def __init__(self, interpreter: Interpreter, typed: Mapping[str, Typed]) -> None:
        self.typed = typed
        self.program, self.dtype = interpreter.program, interpreter.dtype
        self.interpreter = interpreter
        kind = kind_of(self.program).name
        if kind != "step":
            raise ImageError(f"program: only a step program has an image; this one is {kind}")
        self.reals: list[Array] = []
        self.count = 0
        self.offsets: dict[int, int] = {}
        self.values: dict[str, _Value] = {}
        self.rows: list[tuple[int, ...]] = []  # of the values, as they are stored
        self.nodes: list[list[int]] = []
        self.limits: dict[str, int] = {}

    def written(self) -> bytes:
        feeds = list(self.program.inputs)
        for k, value in enumerate(feeds):
            kind = _INTEGER if value.kind == "int" else _INPUT
            self.value(value.name, value.shape, kind, k)
        for bound in self.interpreter.nodes:
            self.node(bound)
        words = _listed(
            [int(v.kind == "int"), self.size(v.name), self.limits.get(v.name, 0)] for v in feeds
        )
        words += self.states()
        words += _listed(self.rows)
        words += _listed([self.values[v.name].number] for v in self.program.outputs)
        words += [len(self.nodes), *(word for node in self.nodes for word in node)]
        return self.assembled(words)

    def assembled(self, words: list[int]) -> bytes:
        body = np.array(words, "<i8").tobytes()
        body += bytes(-(_HEADER.size + len(body)) % _ALIGNMENT)
        kind = self.dtype.newbyteorder("<")
        body += b"".join(np.ascontiguousarray(a, kind).tobytes() for a in self.reals)
        size = self.dtype.itemsize
        rest = _HEADER.pack(MAGIC, VERSION, 0, size, 0, len(words), self.count)[16:] + body
        return struct.pack("<8sII", MAGIC, VERSION, zlib.crc32(rest)) + rest

    def states(self) -> list[int]:
        """Sizes, and where each begins in an array of what all start from."""
        starts = [np.ravel(start) for start in self.interpreter.starts]
        if not starts:
            return [0]
        at = self.array(np.concatenate(starts))
        sizes = [start.size for start in starts]
        return _listed([size, at + sum(sizes[:k])] for k, size in enumerate(sizes))

    # --- what an image is made of ------------------------------------------------------------

    def array(self, array: Array | None) -> int:
        """The offset of an array, which is stored once however often it is asked for."""
        if array is None:
            return -1
        if id(array) not in self.offsets:
            self.offsets[id(array)] = self.count
            self.reals.append(array)  # also keeps its id from being given again
            self.count += array.size
        return self.offsets[id(array)]

    def value(self, name: str, shape: Sequence[int | str], kind: int, of: int) -> _Value:
        """A value that the image stores; `shape` is the program's."""
        sizes = [int(size) for size in shape if size != TIME]
        lead, width = math.prod(sizes[:-1]), sizes[-1] if sizes else 1
        if lead > MOST_LINES:
            raise ImageError(
                f"{name!r}: more than {MOST_LINES} lines a step; the NumPy runner has it"
            )
        found = _Value(len(self.rows), lead, width)
        self.rows.append((kind, of, 0, lead, width))
        self.values[name] = found
        return found

    def size(self, name: str) -> int:
        value = self.values[name]
        return value.lead * value.width

    def fixed(self, value: _Value) -> _Value:
        """One that never changes, as the image has it from now on."""
        if value.fixed is None or value.number >= 0:
            return value
        found = replace(value, number=len(self.rows))
        self.rows.append((_FIXED, self.array(value.fixed), 0, value.lead, value.width))
        return found

    # --- nodes -------------------------------------------------------------------------------

    def node(self, bound: Bound) -> None:
        node = bound.node
        if node.op == "constant":
            self.constant(node, bound.params["value"])
        elif all(self.values[name].fixed is not None for name in node.inputs):
            self.folded(bound)
        elif node.op == "slice":
            self.part(bound)
        else:
            self.operation(bound)

    def constant(self, node: Node, array: Array) -> None:
        shape = array.shape
        width = shape[-1] if shape else 1
        self.values[node.outputs[0]] = _Value(-1, array.size // max(1, width), width, array)

    def folded(self, bound: Bound) -> None:
        """What only constants go into is computed here."""
        node = bound.node
        given = [np.asarray(self.values[name].fixed)[None] for name in node.inputs]
        if node.op in PURE:
            made = PURE[node.op](bound, *given)
        elif node.op in PLAIN:
            made = PLAIN[node.op](*given)
        else:
            raise self.refusal(node, "it reads constants alone")
        self.constant(node, np.ascontiguousarray(made[0], self.dtype))

    def refusal(self, node: Node, why: str) -> ImageError:
        return ImageError(f"node {node.op} of {node.outputs}: {why}; the NumPy runner has it")

    def part(self, bound: Bound) -> None:
        """A slice of the last axis is a view: no node."""
        node, attrs = bound.node, bound.facts.attrs
        whole = self.values[node.inputs[0]]
        if attrs["axis"] == "first":
            raise self.refusal(node, "it is of the first axis")
        if bound.facts.inputs[0].kind == "int":
            raise self.refusal(node, "it is of integers")
        kind, of, offset, lead, _ = self.rows[whole.number]
        of, offset = (of, offset) if kind == _PART else (whole.number, 0)
        width = attrs["stop"] - attrs["start"]
        self.values[node.outputs[0]] = _Value(len(self.rows), lead, width)
        self.rows.append((_PART, of, offset + attrs["start"], lead, width))

    def operation(self, bound: Bound) -> None:
        node = bound.node
        shape = self.shape_of(bound)
        code, integers, doubles, rest = self.encoded(bound)
        inputs = [self.operand(bound, name, shape) for name in self.read(bound)]
        out = self.value(node.outputs[0], shape, _MADE, -1)
        names = [s.name for s in self.program.states]
        self.nodes.append(
            [
                _CODES.index(code),
                *_list([v.number for v in inputs]),
                out.number,
                *_list([names.index(s) for s in node.states]),
                *_list(integers),
                *_list([_bits(v) for v in doubles]),
                *rest,
            ]
        )

    def shape_of(self, bound: Bound) -> tuple[int | str, ...]:
        return self.typed[bound.node.outputs[0]].shape

    def read(self, bound: Bound) -> list[str]:
        """The values that a node reads; of a cell its further inputs in the tape's order."""
        node, tape = bound.node, bound.facts.tape
        if tape is None:
            return list(node.inputs)
        further = iter(node.inputs[1:])
        return [
            node.inputs[0],
            *(node.inputs[0] if n == "raw" else next(further) for n in tape.inputs),
        ]

    def operand(self, bound: Bound, name: str, out: Sequence[int | str]) -> _Value:
        value = self.values[name]
        if bound.node.op in TWO.split():
            return self.broadcast(bound.node, value, out)
        if value.fixed is not None and value.lead != 1:
            raise self.refusal(bound.node, f"{name!r} is a constant of several lines")
        return self.fixed(value)

    def broadcast(self, node: Node, value: _Value, out: Sequence[int | str]) -> _Value:
        """One of two operands, as lines of what comes of them."""
        sizes = [int(size) for size in out if size != TIME]
        lead, width = math.prod(sizes[:-1]), sizes[-1] if sizes else 1
        if value.fixed is not None:
            # Where the result has time, an operand as long has an axis of 1 in its place.
            shape = (1, *sizes)
            array = np.broadcast_to(value.fixed, shape).reshape(lead, width)
            return self.fixed(_Value(-1, lead, width, np.ascontiguousarray(array)))
        if value.lead != lead or value.width not in (1, width):
            raise self.refusal(node, "it broadcasts axes other than the last")
        return value

    def encoded(self, bound: Bound) -> tuple[str, list[int], list[float], list[int]]:
        """Code, integers, doubles and what follows them."""
        node, attrs = bound.node, bound.facts.attrs
        op, get = node.op, bound.params.get
        if op in ONE.split():
            return "unary", [_GELU if op == "gelu" else OPS.index(op)], [], []
        if op in TWO.split():
            return "binary", [OPS.index(op)], [], []
        if op in ("softmax", "log_softmax", "concat"):
            return op, [], [], []
        if op == "embedding":
            return op, [self.embedding(bound)], [], []
        if op == "linear":
            return op, [self.array(get("weight")), self.array(get("bias"))], [], []
        if op == "layer_norm":
            return op, [self.array(get("weight")), self.array(get("bias"))], [attrs["eps"]], []
        if op == "affine":
            return op, [self.array(get("scale")), self.array(get("shift"))], [], []
        if op == "scale":
            return op, [], [attrs["factor"], attrs["shift"]], []
        if op == "running":
            return op, [int(attrs["how"] == "mean")], [], []
        if op == "conv":
            weight = np.ascontiguousarray(bound.params["weight"].transpose(0, 2, 1))
            taps = [weight.shape[1], attrs["dilation"]]
            return op, [self.array(weight), self.array(get("bias")), *taps], [], []
        if op == "cell":
            return self.cell(bound)
        raise self.refusal(node, "images have no such node")

    def embedding(self, bound: Bound) -> int:
        node, table = bound.node, bound.params["weight"]
        name = node.inputs[0]
        if self.limits.setdefault(name, len(table)) != len(table):
            raise self.refusal(node, f"{name!r} goes into tables of different lengths")
        return self.array(table)

    def cell(self, bound: Bound) -> tuple[str, list[int], list[float], list[int]]:
        node, facts, params = bound.node, bound.facts, bound.params
        tape, layer = facts.tape, bound.layer
        assert tape is not None  # `infer` found it
        assert layer is not None
        if len(node.outputs) > 1:
            raise self.refusal(node, "it gives its final states")
        units = layer.units
        first = params["weight_hr"].shape[0] if "weight_hr" in params else units
        if first > units:
            raise self.refusal(node, f"its projection is wider than its {units} units")
        if any(self.values[name].lead != 1 for name in node.inputs):
            raise self.refusal(node, "an input has more than one line a step")
        arrays = [params.get(role) for role in WEIGHTS] + [params[name] for name in tape.params]
        integers = [units, first, *map(self.array, arrays)]
        keep = [1 - share for share in facts.attrs["zoneout"]]
        return "cell", integers, keep, _plan(forward_only(tape))


def forward_only(tape: Tape) -> Tape:
    """The tape without its derivative, and without what only that would read."""
    half, needed = tape.forward, set[str]()
    read = _alive(half.read, needed)
    update = _alive(half.update, needed)
    return replace(tape, names=(), forward=Forward(half.prologue, update, read), backward=None)


def _alive(section: Sequence[Instruction], needed: set[str]) -> tuple[Instruction, ...]:
    """The instructions whose results `needed` holds or leave the step; it gains what they read."""
    found = []
    for line in reversed(section):
        private = line.to[0] in "rvqw" and line.to[1:].isdigit()
        if private and line.to not in needed:
            continue
        # A register is written anew for each use.
        needed.discard(line.to)
        needed.update(str(v) for v in line.of)
        found.append(line)
    return tuple(reversed(found))


def _plan(tape: Tape) -> list[int]:
    """A tape as runtime/src/program/image.cpp reads it."""
    plan = lower(tape)
    names = (tape.gates, tape.recurrent, tape.state, tape.params, tape.inputs)
    words = [*map(len, names), *_list(plan.counts)]
    words += _listed([space, index, int(narrow)] for space, index, narrow in plan.slots)
    words += _list([_bits(v) for v in plan.numbers])
    words += _list([int(width == "1") for width in tape.outputs])
    words += _listed([p.vector, p.first_u, *_list(p.gates), *_list(p.added)] for p in plan.products)
    for section in plan.sections[:3]:
        words += _listed(section)
    return words


def _bits(value: float) -> int:
    """A double as an integer of the same bits."""
    return int(np.float64(value).view(np.int64))


def _list(entries: Sequence[int]) -> list[int]:
    return [len(entries), *entries]


def _listed(rows: Iterable[Sequence[int]]) -> list[int]:
    """A count, and the words of all rows."""
    found = list(rows)
    return [len(found), *(word for row in found for word in row)]
