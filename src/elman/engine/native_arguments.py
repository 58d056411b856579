"""What the native engine's operators take and leave, and the room for it.

Everything is dense and time first. Axes: T time, B batch, I input, H units, G gates of W, R of U,
S the size of a state (P of the first where it is projected, else H), O outputs.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from elman.engine.plans import prepared
from elman_runtime import native


class Arguments(NamedTuple):
    """One layer in one direction: what the operators take, in their order."""

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
    clip: float  # the longest gradient of a row's state at a step; 0 is no limit
    tape: str
    reverse: bool

    @classmethod
    def plain(
        cls,
        x: Tensor,
        weights: Sequence[Any],
        state: list[Tensor],
        *,
        tape: str,
        reverse: bool,
    ) -> "Arguments":
        """Those of a call without options; `weights` are W, U, b_ih and b_hh."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        return cls(
            x,
            weight_ih,
            weight_hh,
            bias_ih,
            bias_hh,
            weight_hr=None,
            params=[],
            state=state,
            start=[],
            inputs=[],
            lengths=None,
            reset=None,
            mask=None,
            keep=[],
            share=[],
            clip=0.0,
            tape=tape,
            reverse=reverse,
        )

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """T, B, H and P."""
        gates = len(prepared(self.tape).tape.gates)
        units = self.weight_ih.shape[0] // gates
        return self.x.shape[0], self.x.shape[1], units, self.state[0].shape[1]


class Forward(NamedTuple):
    """What a forward pass leaves."""

    output: Tensor  # (T, B, O)
    final: list[Tensor]  # (B, S) each
    states: list[Tensor]  # (T, B, S) each, the first maybe `output`; empty where not wanted
    fresh: list[Tensor]  # (T, B, H) each, before V and zoneout; empty without those
    values: list[Tensor]  # v (T, B, n*H) and w (T, B, m); empty where not wanted

    def saved(self) -> list[Tensor]:
        """What a backward pass reads."""
        return [*self.states, *self.fresh, *self.values]


class Gradients(NamedTuple):
    """What a backward pass leaves, before products of whole matrices are taken."""

    columns: Tensor  # (T*B, C*H): of every step's projections
    sums: Tensor  # (C*H,): those of `columns`; empty without biases
    projected: Tensor  # (T*B, P): of V's results; empty without V
    before: list[Tensor]  # (T, B, S) each: the states that steps began with; empty where not copied
    state: list[Tensor]  # (B, S) each
    start: list[Tensor]  # the same, or none without `reset`
    inputs: list[Tensor]  # (T, B, H) each
    params: list[Tensor]  # (H,) each

    def flat(self) -> list[Tensor]:
        """As the operator returns them."""
        return [*self[:3], *(t for part in self[3:] for t in part)]


class Room:
    """Makes tensors like another one, not initialised.

    The memory of large ones is used again when they are gone: the allocator would give it back to
    the system, which would clear it anew for the next call. They keep their size for ever.
    """

    LARGE = 1 << 20
    """From so many bytes on, memory is lent."""

    def __init__(self, like: Tensor, plain: bool | None = None) -> None:
        """`plain`: whether `like` is on the CPU and not seen by torch, where that is known."""
        self.like = like
        self.plain = like.is_cpu and not seen_by_torch(like) if plain is None else plain

    def __call__(self, *shape: int) -> Tensor:
        like, count = self.like, prod(shape)
        small = count * like.itemsize < self.LARGE
        if not self.plain or small or torch.are_deterministic_algorithms_enabled():
            return like.new_empty(shape)  # torch may have been told to fill it
        found = torch.from_numpy(native.lend(like.dtype == torch.float64, count))
        return found if len(shape) == 1 else found.view(shape)


def room_like(t: Tensor) -> Tensor:
    """Room for the gradient of a dense tensor that torch need not see."""
    return torch.empty_like(t) if t.nbytes < Room.LARGE else Room(t, plain=True)(*t.shape)


def seen_by_torch(x: Tensor) -> bool:
    """Whether torch must see an operator: it compiles, exports, or wraps its tensors."""
    return (
        torch.compiler.is_compiling()
        or type(x) not in (Tensor, torch.nn.Parameter)
        or torch._C._len_torch_dispatch_stack() > 0
    )


def transformed() -> bool:
    """Whether a transform of torch.func, or forward-mode differentiation, is at work."""
    return not torch.compiler.is_compiling() and within_transform()


def within_transform() -> bool:
    """The same where nothing is compiled."""
    level = torch._C._functorch.maybe_current_level()
    return level is not None or forward_ad._current_level >= 0
