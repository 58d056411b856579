"""The operators of the native engine on tensors: `elman::recurrent` and its derivative.

Everything is dense and time first. Axes: T time, B batch, I input, H units, G gates of W, R of U,
S the size of a state (P of the first where it is projected, else H), O outputs.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from elman.engine.plans import Prepared, Recurrence, prepared, reads_out
from elman_runtime import native


@dataclass(frozen=True)
class Arguments:
    """One layer in one direction."""

    x: Tensor  # (T, B, I)
    weight_ih: Tensor  # (G*H, I)
    weight_hh: Tensor | None  # (R*H, P)
    bias_ih: Tensor | None  # (G*H,)
    bias_hh: Tensor | None  # (R*H,)
    weight_hr: Tensor | None  # (P, H)
    params: list[Tensor]  # (H,) each
    state: list[Tensor]  # (B, S) each
    start: list[Tensor]  # the same, or empty without `reset`
    inputs: list[Tensor]  # (T, B) or (T, B, H) each, without `raw`
    lengths: Tensor | None  # (B,) int64
    reset: Tensor | None  # (T, B) bool
    mask: Tensor | None  # (B, P)
    keep: list[Tensor]  # (T, B, S) each, or (0,) where `share` holds
    share: list[float]
    tape: str
    reverse: bool

    def flat(self) -> tuple[Any, ...]:
        """As the operators take them."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """T, B, H and P."""
        gates = len(prepared(self.tape).tape.gates)
        units = self.weight_ih.shape[0] // gates
        return self.x.shape[0], self.x.shape[1], units, self.state[0].shape[1]


@dataclass(frozen=True)
class Forward:
    """What a forward pass leaves."""

    output: Tensor  # (T, B, O)
    final: list[Tensor]  # (B, S) each
    states: list[Tensor]  # (T, B, S) each, the first maybe `output`; empty where not wanted
    fresh: list[Tensor]  # (T, B, H) each, before V and zoneout; empty without those
    values: list[Tensor]  # v (T, B, n*H) and w (T, B, m); empty where not wanted

    def saved(self) -> list[Tensor]:
        """What a backward pass reads."""
        return [*self.states, *self.fresh, *self.values]


def recurrent(a: Arguments, *, train: bool) -> Forward:
    """Run forwards; `train` keeps every step's states and values."""
    op = torch.ops.elman.recurrent if seen_by_torch(a.x) else _recurrent
    found = list(op(*a.flat(), train))
    k = len(a.state)
    output, final, rest = found[0], found[1 : 1 + k], found[1 + k :]
    if not train:
        return Forward(output, final, [], [], [])
    read = reads_out(a.tape)
    states, rest = rest[: k - (not read)], rest[k - (not read) :]
    states = states if read else [output, *states]
    return Forward(output, final, states, rest[:-2], rest[-2:])


def recurrent_backward(
    a: Arguments,
    saved: Sequence[Tensor],
    up: Sequence[Tensor | None],
    needs: Sequence[bool],
) -> list[Tensor | None]:
    """Gradients of x, W, U, b_ih, b_hh, V, params, state, start and inputs, in this order.

    `up` are those of the output, of the final states and, maybe, of every step's states.
    """
    k = len(a.state)
    upstream = [None if u is None else u.contiguous() for u in up]
    upstream += [None] * (1 + 2 * k - len(upstream))
    op = torch.ops.elman.recurrent_backward if seen_by_torch(a.x) else _lean_backward
    found = list(op(*a.flat(), list(saved), upstream))
    columns, projected, rest = found[0], found[1], found[2:]
    before, rest = rest[:k], rest[k:]
    dstate, rest = rest[:k], rest[k:]
    dstart, rest = rest[: len(a.start)], rest[len(a.start) :]
    count = len(prepared(a.tape).tape.inputs)
    dinputs, dparams = rest[:count], rest[count:]
    dense = _Products(a, columns, saved, before, projected)
    dx, dinputs = dense.of_inputs(dinputs, needs[0])
    return [dx, *dense.of_weights(needs[1:6]), *dparams, *dstate, *dstart, *dinputs]


class _Products:
    """Gradients that are products of whole matrices, from those of every step's projections."""

    def __init__(
        self,
        a: Arguments,
        columns: Tensor,
        saved: Sequence[Tensor],
        before: list[Tensor],
        projected: Tensor,
    ) -> None:
        self.a, self.saved, self.before, self.projected = a, saved, before, projected
        self.prepared = prepared(a.tape)
        self.steps, self.rows, self.units, self.first = a.sizes
        self.columns = columns  # (T*B, C*H)
        self.gates = len(self.prepared.tape.gates) * self.units

    def of_inputs(
        self, dinputs: list[Tensor], needed: bool
    ) -> tuple[Tensor | None, list[Tensor | None]]:
        """Of x, and of the further inputs without `raw`, which is x."""
        a, names = self.a, self.prepared.tape.inputs
        dx = (self.columns[:, : self.gates] @ a.weight_ih).view(a.x.shape) if needed else None
        further: list[Tensor | None] = []
        given = iter(a.inputs)
        for name, d in zip(names, dinputs, strict=True):
            if name == "raw":
                dx = dx if dx is None else dx + d
            else:
                further.append(d.sum(-1) if next(given).dim() == 2 else d)
        return dx, further

    def of_weights(self, needs: Sequence[bool]) -> list[Tensor | None]:
        """Of W, U, b_ih, b_hh and V."""
        a, flat = self.a, self.columns
        found: list[Tensor | None] = [None] * 5
        if needs[0]:
            found[0] = flat[:, : self.gates].t() @ a.x.reshape(-1, a.x.shape[2])
        if needs[1] and a.weight_hh is not None:
            found[1] = self._recurrent(a.weight_hh)
        if a.bias_ih is not None and (needs[2] or needs[3]):
            sums = flat.sum(0)
            found[2] = sums[: self.gates]
            found[3] = None if a.bias_hh is None else self._bias(sums, a.bias_hh)
        if a.weight_hr is not None and needs[4]:
            fresh = self.saved[len(a.state)]
            found[4] = self.projected.t() @ fresh.reshape(-1, self.units)
        return found

    def _whole(self, rows: int) -> tuple[Recurrence, int] | None:
        """The one product that all rows of U have a part in, and its first column, if it is so."""
        found = self.prepared.recurrences
        if len(found) == 1 and len(found[0].runs) == 1 and found[0].runs[0][2] * self.units == rows:
            return found[0], found[0].runs[0][0] * self.units
        return None

    def _bias(self, sums: Tensor, bias_hh: Tensor) -> Tensor:
        if (whole := self._whole(len(bias_hh))) is not None:
            return sums[whole[1] : whole[1] + len(bias_hh)].clone()
        total, h = torch.zeros_like(bias_hh), self.units
        for one in self.prepared.recurrences:
            for column, row, count in one.runs:
                total[row * h : (row + count) * h] += sums[column * h : (column + count) * h]
        return total

    def _recurrent(self, weight: Tensor) -> Tensor:
        if (whole := self._whole(len(weight))) is not None:
            return self._outer(self.columns[:, whole[1] : whole[1] + len(weight)], whole[0])
        total, h = torch.empty_like(weight), self.units
        written: set[int] = set()
        for one in self.prepared.recurrences:
            for column, row, count in one.runs:
                rows, d = slice(row * h, (row + count) * h), self.columns[:, column * h :]
                part = self._outer(d[:, : count * h], one)
                # A gate that several products use has a gradient from each.
                if written & set(range(row, row + count)):
                    total[rows] += part
                else:
                    total[rows] = part
                written |= set(range(row, row + count))
        if len(written) * h < len(weight):
            for row in set(range(len(weight) // h)) - written:
                total[row * h : (row + 1) * h] = 0
        return total

    def _outer(self, d: Tensor, one: Recurrence) -> Tensor:
        """Sum over rows and steps of gradient times vector."""
        space, number, name = one.vector
        if space == "v":
            values = self.saved[-2].flatten(0, 1)
            assert number is not None
            return d.t() @ values[:, number * self.units : (number + 1) * self.units]
        k = self.prepared.tape.state.index(str(name))
        if space == "new":
            fresh = self.saved[len(self.a.state) :][k] if self.a.keep else self.saved[k]
            return d.t() @ fresh.flatten(0, 1)
        if self.before[k].numel():
            return d.t() @ self.before[k].flatten(0, 1)
        # The state before a step is the one after the step before, but for the first.
        states, batch = self.saved[k].flatten(0, 1), self.rows
        early, late = (slice(batch, None), slice(None, -batch))
        ahead, behind = (late, early) if self.a.reverse else (early, late)
        first = slice(-batch, None) if self.a.reverse else slice(None, batch)
        if self.steps == 1:
            return d.t() @ self.a.state[k]
        return torch.addmm(d[first].t() @ self.a.state[k], d[ahead].t(), states[behind])


def seen_by_torch(x: Tensor) -> bool:
    """Whether torch must see an operator: it compiles, exports, or wraps its tensors."""
    return (
        torch.compiler.is_compiling()
        or type(x) not in (Tensor, torch.nn.Parameter)
        or torch._C._len_torch_dispatch_stack() > 0
    )


# --- the operators -------------------------------------------------------------------------------

_SCHEMA = (
    "(Tensor x, Tensor weight_ih, Tensor? weight_hh, Tensor? bias_ih, Tensor? bias_hh,"
    " Tensor? weight_hr, Tensor[] params, Tensor[] state, Tensor[] start, Tensor[] inputs,"
    " Tensor? lengths, Tensor? reset, Tensor? mask, Tensor[] keep, float[] share, str tape,"
    " bool reverse, "
)
_library = torch.library.Library("elman", "DEF")
_library.define("recurrent" + _SCHEMA + "bool train) -> Tensor[]")
_library.define("recurrent_backward" + _SCHEMA + "Tensor[] saved, Tensor?[] up) -> Tensor[]")


class _Room:
    """Makes tensors like another one, not initialised.

    Memory that is touched for the first time can cost more than all that is computed there: the
    system clears it, and hands it out in pages of 4 KiB unless it is told otherwise.
    """

    LARGE = 1 << 20
    PAGE = 2 << 20

    def __init__(self, like: Tensor) -> None:
        self.like = like
        self.plain = like.is_cpu and not seen_by_torch(like)

    def __call__(self, *shape: int) -> Tensor:
        """A tensor of its own."""
        return torch.empty(shape, dtype=self.like.dtype, device=self.like.device)

    def large(self, *shape: int) -> Tensor:
        """One in large pages, which may be part of a larger one."""
        size = prod(shape) * self.like.itemsize
        if not self.plain or size < self.LARGE:
            return self(*shape)
        whole = torch.empty(size + 2 * self.PAGE, dtype=torch.uint8)
        native.use_large_pages(whole.data_ptr(), whole.nbytes)
        first = -whole.data_ptr() % self.PAGE
        return whole[first : first + size].view(self.like.dtype).view(shape)

    def scratch(self, *shape: int) -> Tensor:
        """One that the next call of this thread uses again."""
        size = prod(shape) * self.like.itemsize
        if not self.plain or not self.LARGE <= size <= _Kept.MOST:
            return self(*shape)
        if _kept.room is None or _kept.room.nbytes < size:
            # Not as part of inference mode, whose tensors nothing outside may write to.
            with torch.inference_mode(False):
                _kept.room = torch.empty(size, dtype=torch.uint8)
            native.use_large_pages(_kept.room.data_ptr(), size)
        return _kept.room[:size].view(self.like.dtype).view(shape)


class _Kept(threading.local):
    """Room that a thread keeps from call to call."""

    MOST = 256 << 20
    room: Tensor | None = None


_kept = _Kept()


def _outputs(a: Arguments, train: bool) -> tuple[list[Tensor], dict[str, list[Tensor | None]]]:
    """Empty tensors for all that a forward pass writes: as a list, and by what they are."""
    p = prepared(a.tape)
    tape = p.tape
    steps, rows, units, first = a.sizes
    new = _Room(a.x)
    widths = [first, *[units] * (len(a.state) - 1)]
    final: list[Any] = [new(rows, w) for w in widths]
    out = sum(units if o == "H" else 1 for o in tape.outputs) if tape.outputs else first
    output = new(steps, rows, out)
    states: list[Any] = [new(steps, rows, w) if train else None for w in widths]
    if not tape.outputs:
        states[0] = output
    fresh: list[Any] = []
    if train and (a.keep or a.weight_hr is not None):
        fresh = [new(steps, rows, units) for _ in widths]
    values: list[Any] = []
    if train:
        values = [new.large(steps, rows, p.values * units), new(steps, rows, p.narrow_values)]
    extra = states[0 if tape.outputs else 1 :] if train else []
    places = {"output": [output], "final": final, "states": states, "fresh": fresh, "v": values}
    return [output, *final, *extra, *fresh, *values], places


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None or not tensor.numel() else tensor.data_ptr()


def _addresses(tensors: Sequence[Tensor | None]) -> list[int]:
    return [_address(t) for t in tensors]


def _common(
    a: Arguments, p: Prepared, x: Tensor, places: dict[str, list[Tensor | None]]
) -> tuple[Any, ...]:
    """What `_native.forward` and `_native.backward` take alike (runtime/bind/engine.cpp)."""
    given = iter(a.inputs)
    inputs = [a.x if name == "raw" else next(given) for name in p.tape.inputs]
    values = places["v"] or [None, None]
    return (
        p.plan,
        native.instruction_set(),
        (*a.sizes, a.reverse, torch.get_num_threads()),
        tuple(_addresses([x, a.weight_hh, a.bias_hh, a.weight_hr, a.lengths, a.reset, a.mask])),
        [(_address(i), i.dim() == 2) for i in inputs],
        _addresses(a.params),
        _addresses(a.state),
        _addresses(a.start),
        list(zip(a.share, _addresses(a.keep), strict=True)),
        (
            _address(places["output"][0] if p.tape.outputs else None),
            *_addresses(values),
            _addresses(places["states"]),
            _addresses(places["fresh"]),
            _addresses(places["final"]),
        ),
    )


def _recurrent(*flat: Any) -> list[Tensor]:
    a, train = Arguments(*flat[:-1]), flat[-1]
    p = prepared(a.tape)
    x, weight = a.x.reshape(-1, a.x.shape[2]), a.weight_ih.t()
    room = _Room(a.x).scratch(x.shape[0], weight.shape[1])
    if a.bias_ih is None:
        torch.mm(x, weight, out=room)
    else:
        torch.addmm(a.bias_ih, x, weight, out=room)
    found, places = _outputs(a, train)
    native.forward(a.x.dtype == torch.float64, *_common(a, p, room, places))
    return found


def _gradients(a: Arguments, p: Prepared, lean: bool) -> dict[str, list[Tensor]]:
    """Empty tensors for all that a backward pass writes; `lean` where values may decide which."""
    steps, rows, units, first = a.sizes
    new = _Room(a.x)
    widths = [first, *[units] * (len(a.state) - 1)]
    return {
        "columns": [new.scratch(steps * rows, len(p.lowered.columns) * units)],
        "projected": [new(steps * rows if a.weight_hr is not None else 0, first)],
        "before": [
            new(steps if _copied(a, p, k, lean) else 0, rows, width) for k, width in enumerate(widths)
        ],
        "dstate": [new(rows, width) for width in widths],
        "dstart": [new(rows, width) for width in widths] if a.start else [],
        "dinputs": [new(steps, rows, units) for _ in p.tape.inputs],
        "dparams": [new(units) for _ in a.params],
    }


def _copied(a: Arguments, p: Prepared, k: int, lean: bool) -> bool:
    """Whether to copy the states that steps began with.

    They are those of the step before where nothing came between; but one product of small matrices
    costs less than two.
    """
    if not any(r.vector.space == "s" and r.vector.name == p.tape.state[k] for r in p.recurrences):
        return False
    between = a.reset is not None or (a.mask is not None and k == 0)
    if not lean or between or (a.reverse and a.lengths is not None):
        return True
    return a.x.shape[0] * a.state[k].numel() < _SMALL


_SMALL = 1 << 16


def _lean_backward(*flat: Any) -> list[Tensor]:
    return _recurrent_backward(*flat, lean=True)


def _recurrent_backward(*flat: Any, lean: bool = False) -> list[Tensor]:
    a, saved, up = Arguments(*flat[:-2]), list(flat[-2]), list(flat[-1])
    p, k = prepared(a.tape), len(a.state)
    states, fresh, values = saved[:k], saved[k:-2], saved[-2:]
    places: dict[str, list[Tensor | None]] = {
        "output": [a.x],  # not read
        "final": [None] * k,
        "states": states,
        "fresh": fresh,
        "v": values,
    }
    new = _gradients(a, p, lean)
    native.backward(
        a.x.dtype == torch.float64,
        *_common(a, p, a.x, places),
        (
            _address(up[0]),
            _address(new["columns"][0]),
            _address(new["projected"][0]),
            _addresses(up[1 : 1 + k]),
            _addresses(up[1 + k :]),
            _addresses(new["dstate"]),
            _addresses(new["dstart"]),
            [],
            _addresses(new["before"]),
        ),
        _addresses(new["dinputs"]),
        _addresses(new["dparams"]),
    )
    return [t for part in new.values() for t in part]


_library.impl("recurrent", _recurrent, "CPU")
_library.impl("recurrent_backward", _recurrent_backward, "CPU")


@torch.library.register_fake("elman::recurrent")
def _fake(*flat: Any) -> list[Tensor]:
    return _outputs(Arguments(*flat[:-1]), flat[-1])[0]


@torch.library.register_fake("elman::recurrent_backward")
def _fake_backward(*flat: Any) -> list[Tensor]:
    a = Arguments(*flat[:-2])
    return [t for part in _gradients(a, prepared(a.tape), lean=False).values() for t in part]


# Where torch sees the operator itself, no `autograd.Function` around it, this is its derivative.


def _remember(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    leaves, ctx.form = tree_flatten(inputs[:-1])
    ctx.values = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    ctx.places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    ctx.save_for_backward(*(leaves[i] for i in ctx.places), *output)


def _derivative(ctx: Any, up: Sequence[Tensor | None]) -> tuple[Any, ...]:
    leaves, count = list(ctx.values), len(ctx.places)
    for i, tensor in zip(ctx.places, ctx.saved_tensors, strict=False):
        leaves[i] = tensor
    flat = tree_unflatten(leaves, ctx.form)
    a = Arguments(*flat)
    k = len(a.state)
    found = ctx.saved_tensors[count:]
    read = reads_out(a.tape)
    saved = (*(() if read else found[:1]), *found[1 + k :])
    states = up[1 + k : 1 + 2 * k - (not read)]
    given = [*up[: 1 + k], *([] if read else [None]), *states]
    gradients = iter(recurrent_backward(a, saved, given, [True] * 6))
    dense = [next(gradients) for _ in range(6)]
    lists = [[next(gradients) for _ in part] for part in (a.params, a.state, a.start, a.inputs)]
    # Of an empty list the derivative is an empty list, of numbers it is None.
    share = None if a.share else []
    return (*dense, *lists, None, None, None, [None] * len(a.keep), share, None, None, None)


torch.library.register_autograd("elman::recurrent", _derivative, setup_context=_remember)
