"""A layer on its own, along the path that it really took: what the probes work on.

A few rows, float64, on the CPU, in the layer's own order of time and all of one length: lengths,
resets and the direction are gone.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from elman import state as states
from elman.cells import Cell
from elman.doctor.record import Recorded
from elman.engine import Weights
from elman.engine.step import Names, parameters, project_input, step

Leaves = list[Tensor]
Advance = Callable[[int, Tensor, Leaves], tuple[Tensor, Leaves]]
"""From the step, the input (B, I) and the tensors of the state to the output and the new ones."""


@dataclass(frozen=True)
class Path:
    """B rows of T steps.

    - `x`: (B, T, I), the layer's own input.
    - `first`: the tensors of the state that enters the first step, (B, ...) each.
    - `advance`: one step.
    - `weights`: of a cell; None for a module with `step` of its own.
    """

    cell: type[Cell] | None
    x: Tensor
    first: Leaves
    advance: Advance = field(repr=False)
    weights: Weights | None = field(default=None, repr=False)

    @property
    def steps(self) -> int:
        """T."""
        return self.x.shape[1]


@dataclass(frozen=True)
class Unrolled:
    """A path with its graph: inputs (B, I), states entering each step (T + 1), outputs (B, O)."""

    x: Leaves
    states: list[Leaves]
    y: Leaves


def unroll(path: Path, steps: int | None = None) -> Unrolled:
    """Run a path for `steps` steps, all by default, so that gradients reach every step."""
    count = path.steps if steps is None else steps
    inputs = [path.x[:, t].clone().requires_grad_() for t in range(count)]
    found, outputs = [[with_gradient(leaf) for leaf in path.first]], []
    for t, x in enumerate(inputs):
        y, new = path.advance(t, x, found[-1])
        outputs.append(y)
        found.append(new)
    return Unrolled(inputs, found, outputs)


def with_gradient(leaf: Tensor) -> Tensor:
    """A copy that asks for a gradient, if it can have one."""
    fresh = leaf.detach().clone()
    return fresh.requires_grad_() if fresh.is_floating_point() else fresh


def path_of(one: Recorded, rows: int, steps: int) -> Path | None:
    """The longest rows of what was recorded, at most `rows`, and their last `steps` steps.

    None where no row has two steps.
    """
    lengths = one.valid.sum(1).cpu()
    order = lengths.argsort(descending=True, stable=True)[:rows]
    length = int(lengths[order[len(order) // 2]])
    order = order[lengths[order] >= length]
    count = min(steps, length)
    if count < 2:
        return None
    index = torch.stack([_own_order(int(lengths[row]), count, one.reverse) for row in order])

    def cut(value: Tensor) -> Tensor:
        """Rows and steps of (B, T, ...)."""
        return _plain(value)[order[:, None], index]

    starts = index[:, 0].tolist()
    each = [
        [_plain(v)[row] for v in states.leaves(one.before[t])]
        for row, t in zip(order, starts, strict=True)
    ]
    first = [torch.stack(leaf) for leaf in zip(*each, strict=True)]
    if one.call is not None:
        return _of_cell(one, cut, first)
    return _of_module(one, cut(one.x), first)


def _own_order(length: int, count: int, reverse: bool) -> Tensor:
    """The last `count` steps of a row, in the order in which the layer takes them."""
    if reverse:
        return torch.arange(count - 1, -1, -1)
    return torch.arange(length - count, length)


def _plain(value: Tensor) -> Tensor:
    found = value.detach().cpu()
    return found.double() if found.is_floating_point() else found


def _of_cell(one: Recorded, cut: Callable[[Tensor], Tensor], first: Leaves) -> Path:
    call = one.call
    assert call is not None
    cell, w = call.cell, call.weights
    names = ("weight_hh", "bias_ih", "bias_hh", "weight_hr")
    dense = {name: getattr(w, name) for name in names}
    weights = Weights(
        _plain(w.weight_ih),
        params={name: _plain(tensor) for name, tensor in w.params.items()},
        **{name: None if tensor is None else _plain(tensor) for name, tensor in dense.items()},
    )
    p = parameters(weights, call.constants)
    inputs = {name: cut(value) for name, value in call.inputs.items()}
    # Zoneout in evaluation: the share that is taken of a new state is a number.
    keep = None if call.keep is None else tuple(float(k) for k in call.keep if isinstance(k, float))
    keep = keep if keep and len(keep) == len(cell.state) else None

    def advance(t: int, x: Tensor, leaves: Leaves) -> tuple[Tensor, Leaves]:
        gates = project_input(x, weights).chunk(len(cell.gates), -1)
        columns = dict(zip(cell.gates, gates, strict=True))
        for name, value in inputs.items():
            now = value[: x.shape[0], t]
            columns[name] = now[:, None] if now.dim() == 1 else now
        if "raw" in cell.inputs:
            columns["raw"] = x
        y, new = step(cell, Names(**columns), cell.State(*leaves), p, weights, keep=keep)
        return y, list(new)

    return Path(cell, cut(call.x), first, advance, weights)


def _of_module(one: Recorded, x: Tensor, first: Leaves) -> Path:
    module: Any = deepcopy(one.module)
    module.cpu().double()
    form = one.before[0]

    def advance(_: int, x: Tensor, leaves: Leaves) -> tuple[Tensor, Leaves]:
        given = iter(leaves)
        y, new = module.step(x, states.map_leaves(lambda _: next(given), form))
        return y, states.leaves(new)

    return Path(None, x, first, advance)
