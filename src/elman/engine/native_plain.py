"""Plain calls: no option is asked for, and the compiled code takes all products itself.

For so few steps and rows, what torch does around a product costs more than the product. So there is
one compiled call each way, from the input as it came to the output, and back to the gradients of
all weights; nothing is turned or made dense that need not be.
"""

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman.cells import Cell
from elman.engine import reference
from elman.engine.again import gradients, needs_reference
from elman.engine.call import Call, Result, Weights
from elman.engine.native_arguments import Room, seen_by_torch, transformed
from elman.engine.plans import Prepared, prepared, text_of
from elman_runtime import native

MOST = 1 << 27
"""Multiplications of W and U over a sequence: from here on torch's products are the faster ones."""


def fits(call: Call) -> bool:
    """Whether a call that the native engine can run is plain."""
    w = call.weights
    options = (call.lengths, call.reset, call.state_mask, call.keep, call.clip, w.weight_hr)
    if call.states or any(o is not None for o in options) or seen_by_torch(call.x):
        return False
    plain = prepared(text_of(call.cell, call.constants, False)).plain
    return plain and few(call.x, w.weight_ih, call.state[-1].shape[-1])


def few(x: Tensor, weight_ih: Tensor, units: int) -> bool:
    """Whether there are steps, and so few multiplications in all of them."""
    first, second, width = x.shape
    return 0 < first * second * weight_ih.shape[0] * (width + units) <= MOST


def serves(x: Tensor) -> bool:
    """Whether torch need not see what is done to `x`, and no transform of torch.func is at work."""
    return native.available and not seen_by_torch(x) and not transformed()


class Plain(NamedTuple):
    """What a call is, but for its tensors."""

    cell: type[Cell]
    constants: dict[str, float]
    params: tuple[str, ...]
    reverse: bool = False
    time: int = 1
    """The axis of time in input and output."""

    @property
    def prepared(self) -> Prepared:
        """The plan."""
        return prepared(text_of(self.cell, self.constants, False))


def run(call: Call) -> Result:
    """Outputs and final state of a call that `fits`."""
    plain = Plain(call.cell, call.constants, tuple(call.weights.params), call.reverse)
    found = layer(plain, call.x, tuple(call.state), call.weights)
    return Result(found[0], call.cell.State(*found[1:]))


def layer(plain: Plain, x: Tensor, state: tuple[Tensor, ...], w: Weights) -> tuple[Tensor, ...]:
    """Output, and final states of the shapes that `state` has: B and H, and any axes of one."""
    tensors = (x, w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh, *w.params.values(), *state)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        return _Plain.apply(plain, *tensors)  # type: ignore[no-untyped-call, no-any-return]
    return _Pass(plain, tensors).forward(None)


class _Pass:
    """The arrays of a call, dense and time first, and their addresses in the order of the code."""

    def __init__(self, plain: Plain, tensors: Any) -> None:
        x, *others = tensors
        self.plain, self.p = plain, plain.prepared
        self.x = _dense(x.transpose(0, 1) if plain.time else x)
        self.others = [None if t is None else _dense(t) for t in others]
        self.steps, self.rows, self.width = self.x.shape
        self.units = others[0].shape[0] // len(self.p.tape.gates)

    def _call(self, way: Any, arrays: list[Tensor | None]) -> None:
        sizes = (self.steps, self.rows, self.units, self.width)
        way(
            self.x.dtype == torch.float64,
            self.p.plan,
            native.instruction_set(),
            (*sizes, self.plain.reverse, torch.get_num_threads()),
            [0 if t is None else t.data_ptr() for t in (self.x, *self.others, *arrays)],
        )

    def _like(self, width: int) -> Tensor:
        """Room for a value of each step and row, its axes as those of the input."""
        rows, steps = self.rows, self.steps
        if not self.plain.time:
            return self.x.new_empty((steps, rows, width))
        return self.x.new_empty_strided((rows, steps, width), (width, rows * width, 1))

    @property
    def kept_size(self) -> int:
        """How many numbers a pass forwards keeps for the one backwards, besides the output."""
        p = self.p
        states = len(p.tape.state) - (not p.tape.outputs)
        each = (states + p.values) * self.units + p.narrow_values
        return int(each * self.steps * self.rows)

    def forward(self, kept: Tensor | None) -> tuple[Tensor, ...]:
        """Output and final states."""
        outputs = self.p.tape.outputs or ("H",)
        y = self._like(sum(self.units if o == "H" else 1 for o in outputs))
        final = [torch.empty_like(s) for s in self.others[-len(self.p.tape.state) :]]  # type: ignore[arg-type]
        self._call(native.plain_forward, [y, kept, *final])
        return y, *final

    def backward(self, y: Tensor, kept: Tensor, up: Any, needs: Any) -> list[Tensor | None]:
        """Gradients of all tensors, those of the five first where they are needed.

        `y` is read where it is a state.
        """
        dy, *dfinal = up
        if dy is not None:
            dy = _dense(dy.transpose(0, 1) if self.plain.time else dy)
        dfinal = [None if d is None else _dense(d) for d in dfinal]
        dense = [
            torch.empty_like(t) if need and t is not None else None
            for t, need in zip(self.others[:4], needs[1:5], strict=True)
        ]
        dx = self._like(self.width) if needs[0] else None
        rest = [torch.empty_like(t) for t in self.others[4:]]  # type: ignore[arg-type]
        weight_ih, weight_hh, bias_ih, bias_hh = dense
        found = [dx, weight_ih, weight_hh, bias_ih, bias_hh, *rest]
        self._call(native.plain_backward, [y, kept, dy, *dfinal, *found])
        return found


def _dense(t: Tensor) -> Tensor:
    return t if t.is_contiguous() else t.contiguous()


class _Plain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plain: Plain, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        here = _Pass(plain, tensors)
        kept = Room(here.x).large(here.kept_size)
        found = here.forward(kept)
        ctx.set_materialize_grads(False)
        ctx.plain = plain
        # An output that is no state is not read again: it may be changed in place.
        ctx.save_for_backward(*tensors, kept, *(() if here.p.tape.outputs else found[:1]))
        return found

    @staticmethod
    def backward(ctx: Any, *up: Tensor | None) -> tuple[Tensor | None, ...]:
        plain, saved = ctx.plain, ctx.saved_tensors
        given = len(ctx.needs_input_grad) - 1
        tensors, kept, y = saved[:given], saved[given], saved[-1]
        if needs_reference(up):
            return (None, *gradients(partial(_again, plain), tensors, up))
        return (None, *_Pass(plain, tensors).backward(y, kept, up, ctx.needs_input_grad[1:]))


def _again(plain: Plain, tensors: Any) -> list[Tensor]:
    """What a forward pass returned, by the reference engine."""
    x, weight_ih, weight_hh, bias_ih, bias_hh, *others = tensors
    params, state = others[: len(plain.params)], others[len(plain.params) :]
    x = x if plain.time else x.transpose(0, 1)
    found = reference.run(
        Call(
            plain.cell,
            x,
            plain.cell.State(*(s.reshape(x.shape[0], -1) for s in state)),
            Weights(
                weight_ih,
                weight_hh,
                bias_ih,
                bias_hh,
                params=dict(zip(plain.params, params, strict=True)),
            ),
            plain.constants,
            reverse=plain.reverse,
        )
    )
    y = found.output if plain.time else found.output.transpose(0, 1)
    return [y, *(new.view_as(s) for new, s in zip(found.state, state, strict=True))]
