"""What an engine is asked to do: one layer in one direction, over a whole sequence."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from elman.cells import Cell


@dataclass(frozen=True)
class Weights:
    """The parameters of one layer in one direction; G gates, R recurrent gates, P read by U.

    P is the size of the first state: `proj_size` where there is one, else H.
    """

    weight_ih: Tensor  # (G*H, I)
    weight_hh: Tensor | None = None  # (R*H, P)
    bias_ih: Tensor | None = None  # (G*H,)
    bias_hh: Tensor | None = None  # (R*H,)
    weight_hr: Tensor | None = None  # (P, H)
    params: dict[str, Tensor] = field(default_factory=dict)  # each (H,)

    def dense(self) -> list[Tensor]:
        """What there is of the matrices and biases, in torch's order."""
        found = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, self.weight_hr)
        return [w for w in found if w is not None]


@dataclass(frozen=True)
class Call:
    """One layer, one direction, T steps. Every engine takes it and returns a `Result`."""

    cell: type[Cell]
    x: Float[Tensor, "B T I"]
    state: Any
    """What the first step starts from: a `cell.State` of (B, H)."""
    weights: Weights
    constants: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, Tensor] = field(default_factory=dict)
    """Further inputs by name, (B, T) or (B, T, H); without `raw`, which is `x`."""
    lengths: Int[Tensor, " B"] | None = None
    reset: Bool[Tensor, "B T"] | None = None
    start: Any = None
    """The state after a reset, a `cell.State` of (B, H); given wherever `reset` is."""
    reverse: bool = False
    state_mask: Float[Tensor, "B P"] | None = None
    """State dropout: multiplies what U multiplies, the same at every step."""
    keep: tuple[Tensor | float, ...] | None = None
    """Zoneout: for each state, how much of the new value is taken, (B, T, H) or a number."""
    states: bool = False
    """Whether every state of every step is returned too."""
    clip: float | None = None
    """Longest gradient of a row's state as it leaves a step, each state apart; None: no limit."""

    @property
    def valid(self) -> Bool[Tensor, "B T"] | None:
        """Which steps lie within their row's length; None where all do."""
        return valid_steps(self.lengths, self.x.shape[1])


class Result(NamedTuple):
    """Outputs (B, T, O), zero beyond a length; the final state; every step's state if asked for."""

    output: Tensor
    state: Any
    states: Any = None


def carried(call: Call, states: Any, final: Any) -> Any:
    """States (B, T, S) of every step with what is carried past a row's end, for zeros there."""
    valid = call.valid
    if valid is None:
        return states
    beyond = call.state if call.reverse else final
    pairs = zip(states, beyond, strict=True)
    return type(states)(*(torch.where(valid[..., None], s, b[:, None]) for s, b in pairs))


def valid_steps(lengths: Tensor | None, steps: int) -> Tensor | None:
    """Which of `steps` steps lie within each row's length, (B, T); None where all do."""
    if lengths is None:
        return None
    return torch.arange(steps, device=lengths.device) < lengths[:, None]
