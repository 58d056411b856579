"""How far back a layer remembers: what inputs and states of long ago still change in its output."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.doctor.path import Path, unroll

Array = np.ndarray[Any, np.dtype[np.float64]]

STILL = 0.01
"""An input still changes the output where its effect is this share of the largest one."""


@dataclass(frozen=True)
class Memory:
    """Curves over the distance d = 0 ... T-1 from the last output.

    - `inputs`: root mean square over rows of |d(v . y_T) / dx_{T-d}|, v a random direction.
    - `states`: the same of the state that leaves step T-d: gradients on their way back in time.
    - `reach`: the longest distance at which an input has 1 % of the largest effect of any input
      before the last one.
    - `half_life`: steps after its largest effect until an input has half of it; infinite if none.
    - `growth`: the longest state gradient on the way back, over the one at the last step.
    """

    inputs: Array
    states: Array
    reach: int
    half_life: float
    growth: float

    @property
    def steps(self) -> int:
        """T."""
        return len(self.inputs)

    @property
    def past(self) -> float:
        """The largest effect of an input before the last, over the largest of all."""
        largest = float(self.inputs.max())
        return float(self.inputs[1:].max()) / largest if largest > 0 else 0.0


def memory(path: Path, seed: int = 0, probes: int = 2) -> Memory:
    """The memory of a layer along its path, by `probes` random directions of the last output."""
    found = unroll(path)
    last = found.y[-1]
    generator = torch.Generator().manual_seed(seed)
    flat = [*found.x, *(leaf for new in found.states[1:] for leaf in new if leaf.requires_grad)]
    squares: list[Array] = []
    for _ in range(probes):
        v = torch.randn(last.shape, generator=generator, dtype=last.dtype)
        v = v / v.norm(dim=-1, keepdim=True)
        gradients = torch.autograd.grad(
            (v * last).sum(), flat, allow_unused=True, retain_graph=True, materialize_grads=True
        )
        by_leaf = iter(gradients)
        inputs = [_square(next(by_leaf)) for _ in found.x]
        states = [
            sum(_square(next(by_leaf)) for leaf in new if leaf.requires_grad)
            for new in found.states[1:]
        ]
        squares.append(np.asarray([inputs[::-1], states[::-1]], np.float64))
    both = np.sqrt(np.mean(squares, 0))
    return _summary(both[0], both[1])


def _square(gradient: Tensor) -> float:
    """Mean over rows of the squared length."""
    return float(gradient.square().sum() / gradient.shape[0])


def _summary(inputs: Array, states: Array) -> Memory:
    before = inputs[1:]
    largest = before.max()
    reach = 0
    if largest > 0 and math.isfinite(largest):
        reach = int(np.flatnonzero(before >= STILL * largest)[-1]) + 1
    peak = int(np.argmax(inputs))
    below = np.flatnonzero(inputs[peak:] <= inputs[peak] / 2)
    half = float(below[0]) if below.size else math.inf
    start = states[0] if states[0] > 0 else 1.0
    return Memory(inputs, states, reach, half, float(np.nanmax(states) / start))
