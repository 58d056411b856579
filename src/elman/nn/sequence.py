"""Checks of what a recurrent layer is given, and the clearing of padding."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from elman.cells import Cell
from elman.engine import valid_steps
from elman.nn.masks import Masks


@dataclass(frozen=True)
class Pass:
    """The arguments of one pass over a stack of layers, checked; all layers share them."""

    x: Tensor
    state: tuple[Any, ...]
    lengths: Tensor | None
    reset: Tensor | None
    start: tuple[Any, ...] | None
    masks: Masks
    states: bool
    inputs: dict[str, Tensor]


def check_clip(value: Any) -> float | None:
    """The longest gradient of a step's state: a number above 0, or None."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"clip_steps: must be above 0 and finite, got {value!r}; None is no limit")
    return float(value)


def check_input(x: Tensor, input_size: int, like: Tensor) -> None:
    """Refuse an input that is not (B, T, I) in the layer's own dtype and device."""
    if x.dim() != 3 or x.shape[2] != input_size:
        one = " For one sequence write x[None]." if x.dim() == 2 else ""
        raise ValueError(
            f"x must be (batch, time, input_size={input_size}), got {tuple(x.shape)}.{one}"
        )
    check_kind("x", x, like)


def check_kind(name: str, x: Tensor, like: Tensor) -> None:
    """Refuse an input that is not in the layer's own dtype and device."""
    if x.dtype != like.dtype and not torch.is_autocast_enabled(x.device.type):
        raise TypeError(
            f"{name} is {x.dtype} and the layer {like.dtype}: write {name}.to({like.dtype})"
        )
    if x.device != like.device:
        raise ValueError(
            f"{name} is on {x.device} and the layer on {like.device}: "
            f"write {name}.to({str(like.device)!r})"
        )


def as_lengths(lengths: Tensor | Sequence[int] | None, x: Tensor) -> Tensor | None:
    """Lengths as an int64 tensor (B,) beside `x` (B, T, I)."""
    if lengths is None:
        return None
    batch, steps = x.shape[:2]
    # The list of no rows has no dtype of its own.
    empty = not isinstance(lengths, Tensor) and not batch
    found = torch.as_tensor(lengths, dtype=torch.int64 if empty else None, device=x.device)
    if found.shape != (batch,):
        raise ValueError(f"lengths must be ({batch},), one a row of x, got {tuple(found.shape)}")
    if found.is_floating_point() or found.dtype == torch.bool:
        raise TypeError(f"lengths must be integers, got {found.dtype}")
    # The values are looked at outside of compiled code alone, where that breaks no graph.
    if not torch.compiler.is_compiling() and batch:
        low, high = int(found.min()), int(found.max())
        if low < 0 or high > steps:
            wrong = low if low < 0 else high
            row = int((found == wrong).nonzero()[0])
            raise ValueError(f"lengths[{row}] is {wrong}; x has {steps} steps, so 0 to {steps}")
    return found.to(torch.int64)


def as_reset(reset: Tensor | None, x: Tensor) -> Tensor | None:
    """Boundaries as a boolean tensor (B, T) beside `x` (B, T, I)."""
    if reset is None:
        return None
    if reset.shape != x.shape[:2]:
        raise ValueError(
            f"reset must be (batch, time) = {tuple(x.shape[:2])}, got {tuple(reset.shape)}"
        )
    if reset.dtype != torch.bool:
        raise TypeError(f"reset must be boolean, got {reset.dtype}: write reset.bool()")
    return reset.to(x.device)


def check_inputs(
    cell: type[Cell], inputs: Mapping[str, Tensor], x: Tensor, hidden: int
) -> Mapping[str, Tensor]:
    """Refuse further inputs that the cell does not name, lacks, or that do not fit `x`."""
    wanted = set(cell.inputs) - {"raw"}
    for name in sorted(set(inputs) ^ wanted):
        if name in inputs:
            raise TypeError(f"{cell.__name__} reads no input {name!r}; it reads {sorted(wanted)}")
        raise TypeError(f"{cell.__name__} reads {name!r}: pass {name}=, (batch, time)")
    for name, value in inputs.items():
        if value.shape not in (x.shape[:2], (*x.shape[:2], hidden)):
            raise ValueError(
                f"{name} must be (batch, time) = {tuple(x.shape[:2])} or with a last axis of "
                f"{hidden}, got {tuple(value.shape)}"
            )
        check_kind(name, value, x)
    return inputs


def check_state(
    state: Any,
    cell: type[Cell],
    suffixes: Sequence[str],
    shapes: Sequence[tuple[int, int]],
    like: Tensor,
) -> tuple[Any, ...]:
    """A state given by the caller: one `cell.State` of the right shapes for each suffix."""
    if not isinstance(state, tuple) or len(state) != len(suffixes):
        raise ValueError(
            f"state must be a tuple of {len(suffixes)}, one for each of {', '.join(suffixes)}, as "
            f"layer.initial_state(batch) returns it; got {type(state).__name__}"
        )
    for suffix, one in zip(suffixes, state, strict=True):
        if not isinstance(one, tuple) or not all(isinstance(leaf, Tensor) for leaf in one):
            raise TypeError(f"state of {suffix}: must be a {cell.__name__}.State, got {one!r}")
        found = [tuple(leaf.shape) for leaf in one]
        if found != list(shapes):
            raise ValueError(f"state of {suffix}: must have shapes {list(shapes)}, got {found}")
        for name, leaf in zip(cell.state, one, strict=True):
            check_kind(name, leaf, like)
    return tuple(cell.State(*one) for one in state)


def clear(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Zero what lies beyond each row's length (B, T, ...): a NaN there would poison gradients."""
    valid = valid_steps(lengths, x.shape[1])
    if valid is None:
        return x
    return x.masked_fill(~valid.reshape(*valid.shape, *[1] * (x.dim() - 2)), 0.0)
