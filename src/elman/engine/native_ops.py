"""The operators of the native engine on tensors: `elman::recurrent` and its derivative.

Everything is dense and time first. Axes: T time, B batch, I input, H units, G gates of W, R of U,
S the size of a state (P of the first where it is projected, else H), O outputs.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from elman.engine.native_arguments import Arguments, Forward, Gradients, Room, seen_by_torch
from elman.engine.native_products import Products, projected
from elman.engine.plans import Prepared, prepared, reads_out
from elman_runtime import native


def recurrent(a: Arguments, *, train: bool) -> Forward:
    """Run forwards; `train` keeps every step's states and values."""
    if not seen_by_torch(a.x):
        return _run_forwards(a, train)
    found = list(torch.ops.elman.recurrent(*a, train))
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
    if seen_by_torch(a.x):
        found = _parsed(a, list(torch.ops.elman.recurrent_backward(*a, list(saved), upstream)))
    else:
        found = _run_backwards(a, saved, upstream, lean=True)
    dense = Products(a, found.columns, saved, found.before)
    dx, dinputs = dense.of_inputs(found.inputs, needs[0])
    weights = [
        *dense.of_weights(needs[1:5], found.sums),
        dense.of_projection(found.projected, needs[5]),
    ]
    return [dx, *weights, *found.params, *found.state, *found.start, *dinputs]


def _parsed(a: Arguments, found: list[Tensor]) -> Gradients:
    """What `Gradients.flat` made, the other way round."""
    columns, sums, dprojected, *rest = found
    k, count = len(a.state), len(prepared(a.tape).tape.inputs)
    parts = []
    for size in (k, k, len(a.start), count, len(a.params)):
        parts.append(rest[:size])
        rest = rest[size:]
    return Gradients(columns, sums, dprojected, *parts)


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


def _outputs(a: Arguments, p: Prepared, train: bool) -> Forward:
    """Empty tensors for all that a forward pass writes; without `train` states may be missing."""
    tape = p.tape
    steps, rows, units, first = a.sizes
    new = Room(a.x)
    widths = [first, *[units] * (len(a.state) - 1)]
    out = sum(units if o == "H" else 1 for o in tape.outputs) if tape.outputs else first
    output = new(steps, rows, out)
    states = [output] if not tape.outputs else []
    final = [new(rows, width) for width in widths]
    if not train:
        return Forward(output, final, states, [], [])
    states += [new(steps, rows, width) for width in widths[len(states) :]]
    fresh = []
    if a.keep or a.weight_hr is not None:
        fresh = [new(steps, rows, units) for _ in widths]
    values = [new(steps, rows, p.values * units), new(steps, rows, p.narrow_values)]
    return Forward(output, final, states, fresh, values)


def _flat(f: Forward, p: Prepared, train: bool) -> list[Tensor]:
    """As the operator returns it: no tensor twice."""
    states = f.states[0 if p.tape.outputs else 1 :] if train else []
    return [f.output, *f.final, *states, *f.fresh, *f.values]


def _address(tensor: Tensor | None) -> int:
    return tensor.data_ptr() if tensor is not None else 0


def _addresses(tensors: Sequence[Tensor | None]) -> list[int]:
    return [0 if t is None else t.data_ptr() for t in tensors]


def _common(a: Arguments, p: Prepared, x: Tensor, f: Forward) -> tuple[Any, ...]:
    """What `_native.forward` and `_native.backward` take alike (runtime/bind/engine.cpp)."""
    inputs: list[Tensor] = []
    if p.tape.inputs:
        given = iter(a.inputs)
        inputs = [a.x if name == "raw" else next(given) for name in p.tape.inputs]
    states = _addresses(f.states)
    return (
        p.plan,
        native.instruction_set(),
        (*a.sizes, a.reverse, torch.get_num_threads()),
        tuple(_addresses((x, a.weight_hh, a.bias_hh, a.weight_hr, a.lengths, a.reset, a.mask))),
        [(_address(i), i.dim() == 2) for i in inputs],
        _addresses(a.params),
        _addresses(a.state),
        _addresses(a.start),
        list(zip(a.share, _addresses(a.keep), strict=True)),
        (
            _address(f.output if p.tape.outputs else None),
            *(_addresses(f.values) or (0, 0)),
            states + [0] * (len(a.state) - len(states)),
            _addresses(f.fresh),
            _addresses(f.final),
        ),
    )


def _run_forwards(a: Arguments, train: bool) -> Forward:
    p = prepared(a.tape)
    x, found = projected(a.x, a.weight_ih, a.bias_ih), _outputs(a, p, train)
    native.forward(a.x.dtype == torch.float64, *_common(a, p, x, found))
    return found


def _gradients(a: Arguments, p: Prepared, lean: bool) -> Gradients:
    """Empty tensors for all that a backward pass writes; `lean` where values may decide which."""
    steps, rows, units, first = a.sizes
    new = Room(a.x)
    widths = [first, *[units] * (len(a.state) - 1)]
    columns = len(p.lowered.columns) * units
    return Gradients(
        new(steps * rows, columns),
        new(0 if a.bias_ih is None else columns),
        new(steps * rows if a.weight_hr is not None else 0, first),
        [
            new(steps if _copied(a, p, k, lean) else 0, rows, width)
            for k, width in enumerate(widths)
        ],
        [new(rows, width) for width in widths],
        [new(rows, width) for width in widths] if a.start else [],
        [new(steps, rows, units) for _ in p.tape.inputs],
        [new(units) for _ in a.params],
    )


def _copied(a: Arguments, p: Prepared, k: int, lean: bool) -> bool:
    """Whether to copy the states that steps began with.

    They are those of the step before where nothing came between; but one product of small matrices
    costs less than two.
    """
    if p.tape.state[k] not in p.multiplied:
        return False
    between = a.reset is not None or (a.mask is not None and k == 0)
    if not lean or between or (a.reverse and a.lengths is not None):
        return True
    return a.x.shape[0] * a.state[k].numel() < _SMALL


_SMALL = 1 << 16


def _run_backwards(
    a: Arguments, saved: Sequence[Tensor], up: Sequence[Tensor | None], lean: bool
) -> Gradients:
    p, k = prepared(a.tape), len(a.state)
    # Neither output nor final state is read: these stand in for them.
    kept = Forward(a.x, a.state, list(saved[:k]), list(saved[k:-2]), list(saved[-2:]))
    new = _gradients(a, p, lean)
    native.backward(
        a.x.dtype == torch.float64,
        *_common(a, p, a.x, kept),
        (
            _address(up[0]),
            new.columns.data_ptr(),
            new.sums.data_ptr() if a.bias_ih is not None else 0,
            new.projected.data_ptr(),
            _addresses(up[1 : 1 + k]),
            _addresses(up[1 + k :]),
            _addresses(new.state),
            _addresses(new.start),
            [],
            _addresses(new.before),
        ),
        _addresses(new.inputs),
        _addresses(new.params),
        *((a.clip,) if a.clip else ()),
    )
    return new


def _recurrent(*flat: Any) -> list[Tensor]:
    a, train = Arguments(*flat[:-1]), flat[-1]
    return _flat(_run_forwards(a, train), prepared(a.tape), train)


def _recurrent_backward(*flat: Any) -> list[Tensor]:
    saved, up = flat[-2:]
    return _run_backwards(Arguments(*flat[:-2]), saved, up, lean=False).flat()


_implement("recurrent", _recurrent, "CPU")
_implement("recurrent_backward", _recurrent_backward, "CPU")


def _fake(*flat: Any) -> list[Tensor]:
    a, train = Arguments(*flat[:-1]), flat[-1]
    p = prepared(a.tape)
    return _flat(_outputs(a, p, train), p, train)


def _fake_backward(*flat: Any) -> list[Tensor]:
    a = Arguments(*flat[:-2])
    return _gradients(a, prepared(a.tape), lean=False).flat()


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
