"""A call of a layer in the reference loop, with the states of every step kept as nodes of autograd.

What an engine returns of its states is stacked afterwards, and no gradient passes through a stack:
only the tensors that the loop itself carries know dL/dh_t.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from elman import state as states
from elman.engine import Call, Result, valid_steps
from elman.engine.reference import Step, scan, steps_of_input
from elman.engine.step import parameters, read, step
from elman.nn import SteppedModule
from elman.nn.sequence import as_lengths, as_reset, clear


@dataclass
class Recorded:
    """One layer in one direction over T steps.

    - `call`: what was asked; None for a module with `step` of its own.
    - `x`: the layer's input (B, T, I).
    - `before`, `after`: the state that enters each step and the one that leaves it, T of them, in
      the order of time whatever the direction.
    """

    call: Call | None
    x: Tensor
    result: Result
    before: list[Any]
    after: list[Any]
    lengths: Tensor | None = None
    reverse: bool = False
    module: nn.Module | None = None

    @property
    def valid(self) -> Tensor:
        """Which steps lie within their row's length, (B, T)."""
        found = valid_steps(self.lengths, len(self.after))
        batch = self.x.shape[0]
        return torch.ones(batch, len(self.after), dtype=torch.bool) if found is None else found


def record(call: Call) -> Recorded:
    """Run a call as the reference engine does, and keep its states."""
    x_at, p = steps_of_input(call), parameters(call.weights, call.constants)

    def one(t: int, s: Any) -> tuple[Tensor, Any]:
        keep = call.keep and tuple(k if isinstance(k, float) else k[:, t] for k in call.keep)
        _, new = step(
            call.cell, x_at(t), s, p, call.weights,
            state_mask=call.state_mask, keep=keep, clip=call.clip,
        )  # fmt: skip
        new = states.map_leaves(_node, new)
        # Read again, so that the output is made of the very tensors that are kept.
        return read(call.cell, new, x_at(t), p), new

    found = _kept(
        one,
        call.x,
        call.state,
        valid=call.valid,
        reset=call.reset,
        start=call.start,
        reverse=call.reverse,
    )
    found.call, found.lengths, found.reverse = call, call.lengths, call.reverse
    return found


def record_module(
    layer: SteppedModule,
    x: Tensor,
    state: Any = None,
    *,
    lengths: Any = None,
    reset: Tensor | None = None,
) -> Recorded:
    """The same of a module with `step`, called as `layer` is."""
    module: Any = layer.module
    whole = as_lengths(lengths, x)
    over_time = clear(x, whole).unbind(1)

    def one(t: int, s: Any) -> tuple[Tensor, Any]:
        y, new = module.step(over_time[t], s)
        return y, states.map_leaves(_with_gradient, new)

    first = (layer.initial_state(x.shape[0]) if state is None else state)[0]
    found = _kept(
        one,
        clear(x, whole),
        first,
        valid=valid_steps(whole, x.shape[1]),
        reset=as_reset(reset, x),
        start=layer.initial_state(x.shape[0])[0],
    )
    found.lengths, found.module = whole, module
    return found


def _kept(one: Step, x: Tensor, first: Any, **options: Any) -> Recorded:
    steps = x.shape[1]
    before: list[Any] = [None] * steps
    after: list[Any] = [None] * steps

    def noted(t: int, s: Any) -> tuple[Tensor, Any]:
        y, new = one(t, s)
        before[t], after[t] = s, new
        return y, new

    result = scan(noted, steps, first, **options)
    return Recorded(None, x, result, before, after)


def _node(value: Tensor) -> Tensor:
    """A node of its own for each state, though a cell may hand on the same tensor twice."""
    return value.view_as(value) if value.requires_grad else _with_gradient(value)


def _with_gradient(value: Tensor) -> Tensor:
    """A tensor that has a gradient, though no parameter in front of it may ask for one."""
    if value.requires_grad or not value.is_floating_point():
        return value
    return value.detach().requires_grad_()
