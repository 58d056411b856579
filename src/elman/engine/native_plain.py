"""Plain calls: no option is asked for but lengths, and little is done around the compiled code.

Where there are few multiplications, what torch does around a product costs more than the product.
So there is one compiled call each way, from the input as it came to the output, and back to the
gradients of all weights. Where there are many, torch takes the products of whole matrices, if its
own are made for the processor and rows are of one length: ours leave out what lies beyond. Nothing
is turned or made dense that need not be.
"""

import sys
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman.cells import Cell
from elman.engine import reference
from elman.engine.again import gradients, needs_reference
from elman.engine.call import Call, Result, Weights
from elman.engine.native_arguments import (
    Arguments,
    Room,
    room_like,
    seen_by_torch,
    within_transform,
)
from elman.engine.native_products import Products, projected
from elman.engine.plans import Prepared, plain_of
from elman_runtime import native


def _leads() -> bool:
    foreign = torch._C.has_mkl and native.maker() not in ("", "GenuineIntel")
    return foreign and native.engines()[-1:] == ["avx512"]


LEADS = _leads()
"""Whether our products of whole matrices are faster than torch's at every size.

MKL has kernels in AVX-512 for Intel's processors alone.
"""

MOST = sys.maxsize if LEADS else 1 << 27
"""Multiplications of W and U over a sequence: from here on torch's products are the faster ones."""


def fits(call: Call) -> bool:
    """Whether a call that the native engine can run is plain."""
    w = call.weights
    options = (call.reset, call.state_mask, call.keep, call.clip, w.weight_hr)
    if call.states or any(o is not None for o in options) or seen_by_torch(call.x):
        return False
    return call.x.numel() > 0 and plain_of(call.cell, call.constants) is not None


def serves(x: Tensor) -> bool:
    """Whether `x` has values that torch need not see the use of; not within torch.func."""
    return native.available and x.numel() > 0 and not seen_by_torch(x) and not within_transform()


class Plain(NamedTuple):
    """What a call is, but for its tensors."""

    cell: type[Cell]
    constants: dict[str, float]
    prepared: Prepared
    """What `plain_of` found of these."""
    params: tuple[str, ...]
    reverse: bool = False
    batch_first: bool = True
    """Whether input and output are (B, T, ...), or else (T, B, ...)."""
    time_first: bool = False
    """Whether time comes first in the memory of the output, or else what does in that of x."""
    zeros: bool = False
    """Whether the first state is known to be zero."""
    lengths: Tensor | None = None
    """Steps of each row (B,), int64 and dense; without them all there are."""


def run(call: Call) -> Result:
    """Outputs and final state of a call that `fits`."""
    w, plan = call.weights, plain_of(call.cell, call.constants)
    assert plan is not None
    lengths = None if call.lengths is None else call.lengths.to(torch.int64).contiguous()
    found = layer(
        Plain(call.cell, call.constants, plan, tuple(w.params), call.reverse, lengths=lengths),
        call.x,
        *(w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh),
        *w.params.values(),
        *call.state,
    )
    return Result(found[0], call.cell.State(*found[1:]))


def layer(plain: Plain, *tensors: Tensor | None) -> tuple[Tensor, ...]:
    """Output, and final states of the shapes that those have which were passed in.

    Args:
        plain: what the call is.
        tensors: x, W, U, b_ih, b_hh, params, and states of B and H, and any axes of one.
    """
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        return _Plain.apply(plain, *tensors)  # type: ignore[no-untyped-call, no-any-return]
    return _Pass(plain, tensors).forward(None)


class _Pass:
    """The arrays of a call, dense, and their addresses in the order of the code."""

    def __init__(self, plain: Plain, tensors: Any) -> None:
        x, *others = tensors
        self.plain, self.p = plain, plain.prepared
        if plain.time_first:
            self.flipped = plain.batch_first
        else:
            self.flipped = not x.is_contiguous() and x.transpose(0, 1).is_contiguous()
        self.batch_first = plain.batch_first != self.flipped
        self.x = _dense(self._turned(x))
        self.room = Room(self.x, plain=True)
        self.others: list[Any] = [
            t if t is None or t.is_contiguous() else t.contiguous() for t in others
        ]
        first, second, self.width = self.x.shape
        self.rows, self.steps = (first, second) if self.batch_first else (second, first)
        gates = others[0].shape[0]
        self.units = gates // len(self.p.tape.gates)
        depth = self.width if others[1] is None else self.width + self.units
        few = self.steps * self.rows * gates * depth < MOST
        self.small = few or plain.lengths is not None

    def _turned(self, t: Tensor) -> Tensor:
        """With its axes as they are in memory, or back."""
        return t.transpose(0, 1) if self.flipped else t

    def _call(self, way: Any, arrays: list[Tensor | None]) -> None:
        sizes = (self.steps, self.rows, self.units, self.width)
        lengths = self.plain.lengths
        way(
            self.x.dtype == torch.float64,
            self.p.plan,
            native.instruction_set(),
            (
                *sizes,
                self.plain.reverse,
                self.batch_first,
                torch.get_num_threads(),
                0 if lengths is None else lengths.data_ptr(),
            ),
            [0 if t is None else t.data_ptr() for t in (self.x, *self.others, *arrays)],
        )

    def _like(self, width: int) -> Tensor:
        """Room for a value of each step and row, its axes as those of the input."""
        return self._turned(self.room(*self.x.shape[:2], width))

    @property
    def kept_sizes(self) -> list[int]:
        """How many numbers a pass forwards keeps for the one backwards, besides the output.

        Of states other than that, and of the values that are saved, wide and narrow.
        """
        p, states = self.p, len(self.p.tape.state) - (not self.p.tape.outputs)
        widths = [*[self.units] * states, p.values * self.units, p.narrow_values]
        return [self.steps * self.rows * width for width in widths]

    def forward(self, kept: Tensor | None) -> tuple[Tensor, ...]:
        """Output and final states."""
        outputs = self.p.tape.outputs
        y = self._like(sum(self.units if o == "H" else 1 for o in outputs) or self.units)
        final = [torch.empty_like(s) for s in self.others[-len(self.p.tape.state) :]]
        x = None
        if not self.small:
            weight_ih, _, bias_ih = self.others[:3]
            x = projected(self.x, weight_ih, bias_ih, self._of_x(kept))
        self._call(native.plain_forward, [y, kept, x, *final])
        return y, *final

    def _of_x(self, kept: Tensor | None) -> Tensor | None:
        """Where what is kept has just the room for W x until it is read (T*B, G*H), or None."""
        if kept is None or not self.p.plan.x_in_v or self.p.values != len(self.p.tape.gates):
            return None
        return torch.split(kept, self.kept_sizes)[-2].view(self.steps * self.rows, -1)

    def backward(self, y: Tensor, kept: Tensor, up: Any, needs: Any) -> list[Tensor | None]:
        """Gradients of all tensors, those of the five first where they are needed.

        `y` is read where it is a state.
        """
        rest, count = [torch.empty_like(t) for t in self.others[4:]], len(self.p.tape.state)
        if self.small:
            dense = [
                room_like(t) if need and t is not None else None
                for t, need in zip(self.others[:4], needs[1:5], strict=True)
            ]
            dx = self._like(self.width) if needs[0] else None
            self._back(y, kept, up, [None, None, *[None] * count, dx, *dense, *rest])
            return [dx, *dense, *rest]
        width, room = len(self.p.lowered.columns) * self.units, self.room
        columns = room(self.steps * self.rows, width)
        sums = None if self.others[2] is None else self.x.new_empty(width)
        # Those of the step before, which follow each other in memory where time comes first.
        copied = self.p.multiplied if self.batch_first else ()
        before = [
            room(self.rows, self.steps, self.units) if name in copied else None
            for name in self.p.tape.state
        ]
        self._back(y, kept, up, [columns, sums, *before, *[None] * 5, *rest])
        return [*self._products(columns, sums, before, y, kept, needs), *rest]

    def _back(self, y: Tensor, kept: Tensor, up: Any, found: list[Tensor | None]) -> None:
        dy, *dfinal = up
        if dy is not None:
            dy = _dense(self._turned(dy))
        dfinal = [None if d is None else _dense(d) for d in dfinal]
        self._call(native.plain_backward, [y, kept, dy, *dfinal, *found])

    def _products(
        self,
        columns: Tensor,
        sums: Tensor | None,
        before: list[Tensor | None],
        y: Tensor,
        kept: Tensor,
        needs: Any,
    ) -> list[Tensor | None]:
        """The gradients of the five first, by torch."""
        tape, rows = self.p.tape, self.rows
        axes = self.x.shape[:2]
        saved = [part.view(*axes, -1) for part in torch.split(kept, self.kept_sizes)]
        if not tape.outputs:
            saved.insert(0, self._turned(y))
        state = [s.view(rows, self.units) for s in self.others[-len(tape.state) :]]
        a = Arguments.plain(
            self.x, self.others[:4], state, tape=self.p.text, reverse=self.plain.reverse
        )
        products = Products(a, columns, saved, before, from_zero=self.plain.zeros)
        dx, _ = products.of_inputs([], needs[0])
        return [dx if dx is None else self._turned(dx), *products.of_weights(needs[1:5], sums)]


def _dense(t: Tensor) -> Tensor:
    return t if t.is_contiguous() else t.contiguous()


class _Plain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plain: Plain, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        here = _Pass(plain, tensors)
        kept = here.room(sum(here.kept_sizes))
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
    x = x if plain.batch_first else x.transpose(0, 1)
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
            lengths=plain.lengths,
            reverse=plain.reverse,
        )
    )
    y = found.output if plain.batch_first else found.output.transpose(0, 1)
    return [y, *(new.view_as(s) for new, s in zip(found.state, state, strict=True))]
