"""The operators of the native engine on tensors: `elman::recurrent` and its derivative.

Everything is dense and time first. Axes: T time, B batch, I input, H units, G gates of W, R of U,
S the size of a state (P of the first where it is projected, else H), O outputs.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from elman.engine.native_arguments import Arguments, Forward, Room, seen_by_torch
from elman.engine.native_products import Products
from elman.engine.plans import Prepared, prepared, reads_out
from elman_runtime import native


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
    dense = Products(a, columns, saved, before, projected)
    dx, dinputs = dense.of_inputs(dinputs, needs[0])
    return [dx, *dense.of_weights(needs[1:6]), *dparams, *dstate, *dstart, *dinputs]


# --- the operators -------------------------------------------------------------------------------

_SCHEMA = (
    "(Tensor x, Tensor weight_ih, Tensor? weight_hh, Tensor? bias_ih, Tensor? bias_hh,"
    " Tensor? weight_hr, Tensor[] params, Tensor[] state, Tensor[] start, Tensor[] inputs,"
    " Tensor? lengths, Tensor? reset, Tensor? mask, Tensor[] keep, float[] share, float clip,"
    " str tape, bool reverse, "
)
_library = torch.library.Library("elman", "DEF")  # type: ignore[no-untyped-call]
_define: Any = _library.define  # torch has no types for these
_implement: Any = _library.impl
_fake_of: Any = torch.library.register_fake
_define("recurrent" + _SCHEMA + "bool train) -> Tensor[]")
_define("recurrent_backward" + _SCHEMA + "Tensor[] saved, Tensor?[] up) -> Tensor[]")


def _outputs(a: Arguments, train: bool) -> tuple[list[Tensor], dict[str, list[Tensor | None]]]:
    """Empty tensors for all that a forward pass writes: as a list, and by what they are."""
    p = prepared(a.tape)
    tape = p.tape
    steps, rows, units, first = a.sizes
    new = Room(a.x)
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
    room = Room(a.x).scratch(x.shape[0], weight.shape[1])
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
    new = Room(a.x)
    widths = [first, *[units] * (len(a.state) - 1)]
    return {
        "columns": [new.scratch(steps * rows, len(p.lowered.columns) * units)],
        "projected": [new(steps * rows if a.weight_hr is not None else 0, first)],
        "before": [
            new(steps if _copied(a, p, k, lean) else 0, rows, width)
            for k, width in enumerate(widths)
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
        *((a.clip,) if a.clip else ()),
    )
    return [t for part in new.values() for t in part]


_implement("recurrent", _recurrent, "CPU")
_implement("recurrent_backward", _recurrent_backward, "CPU")


def _fake(*flat: Any) -> list[Tensor]:
    return _outputs(Arguments(*flat[:-1]), flat[-1])[0]


def _fake_backward(*flat: Any) -> list[Tensor]:
    a = Arguments(*flat[:-2])
    return [t for part in _gradients(a, prepared(a.tape), lean=False).values() for t in part]


_fake_of("elman::recurrent", _fake)
_fake_of("elman::recurrent_backward", _fake_backward)

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
    share: list[None] | None = None if a.share else []
    return (*dense, *lists, None, None, None, [None] * len(a.keep), share, None, None, None, None)


torch.library.register_autograd("elman::recurrent", _derivative, setup_context=_remember)
