"""The reference engine: a cell's equations on torch tensors, in a loop over time.

Any device, any dtype, any cell, any option, double backward. Every other engine is tested against
it, and it is the only loop over time in the library.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from elman import state as states
from elman.engine.call import Call, Result
from elman.engine.step import Names, parameters, project_input, step

Step = Callable[[int, Any], tuple[Tensor, Any]]


def run(call: Call) -> Result:
    """Outputs, final state and, if asked for, the states of every step."""
    x_at = steps_of_input(call)
    p = parameters(call.weights, call.constants)

    def one(t: int, s: Any) -> tuple[Tensor, Any]:
        return step(
            call.cell,
            x_at(t),
            s,
            p,
            call.weights,
            state_mask=call.state_mask,
            keep=call.keep and tuple(k if isinstance(k, float) else k[:, t] for k in call.keep),
            clip=call.clip,
        )

    return scan(
        one,
        call.x.shape[1],
        call.state,
        valid=call.valid,
        reset=call.reset,
        start=call.start,
        reverse=call.reverse,
        keep_states=call.states,
    )


def steps_of_input(call: Call) -> Callable[[int], Names]:
    """`x` of a cell at step t: the gates of the input projection, and the further inputs."""
    gates = call.cell.gates
    projected = project_input(call.x, call.weights) if gates else None
    columns = dict(zip(gates, projected.chunk(len(gates), -1), strict=True)) if gates else {}  # type: ignore[union-attr]
    for name, value in call.inputs.items():
        columns[name] = value[..., None] if value.dim() == 2 else value
    if "raw" in call.cell.inputs:
        columns["raw"] = call.x
    over_time = {name: value.unbind(1) for name, value in columns.items()}
    return lambda t: Names(**{name: value[t] for name, value in over_time.items()})


def scan(
    one: Step,
    steps: int,
    state: Any,
    *,
    valid: Tensor | None = None,
    reset: Tensor | None = None,
    start: Any = None,
    reverse: bool = False,
    keep_states: bool = False,
) -> Result:
    """Run `one(t, state) -> (output, state)` for each t, carrying the state past each row's end.

    `valid` and `reset` (B, T) are as in `Call`; in reverse a boundary between t-1 and t is met
    before step t-1. `steps` is at least 1.
    """
    outputs: list[Tensor] = []
    kept: list[Any] = []
    if reset is not None and valid is not None:
        reset = reset & valid
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        boundary = t + 1 if reverse else t
        if reset is not None and boundary < steps:
            state = states.where(reset[:, boundary], start, state)
        output, new = one(t, state)
        if valid is not None:
            output = output.masked_fill(~valid[:, t, None], 0.0)
            new = states.where(valid[:, t], new, state)
        state = new
        outputs.append(output)
        if keep_states:
            kept.append(state)
    order = slice(None, None, -1) if reverse else slice(None)
    over_time = states.map_leaves(lambda *ts: torch.stack(ts, 1), *kept[order]) if kept else None
    return Result(torch.stack(outputs[order], 1), state, over_time)
