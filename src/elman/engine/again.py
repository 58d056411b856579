"""Derivatives that compiled code does not have, by the reference engine.

A gradient that is to be differentiated itself, or several at once, are those of a graph of torch
operators that is built from the same tensors.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_batchedtensor, is_legacy_batchedtensor


def needs_reference(up: Sequence[Tensor | None]) -> bool:
    """Whether a graph is asked for, or several gradients at once: vmap, or `is_grads_batched`."""
    return torch.is_grad_enabled() or any(u is not None and _is_batched(u) for u in up)


def _is_batched(u: Tensor) -> bool:
    return is_batchedtensor(u) or is_legacy_batchedtensor(u)


def gradients(
    again: Callable[[list[Tensor | None]], list[Tensor]], tensors: Any, up: Any
) -> list[Tensor | None]:
    """Gradients of `tensors`, where `again(tensors)` are the outputs that `up` belong to."""
    graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # A tensor that came in at two places has a gradient of its own at each.
        tensors = [None if t is None else t.view_as(t) for t in tensors]
        outputs = again(tensors)
    pairs = [(y, u) for y, u in zip(outputs, up, strict=True) if u is not None and y.requires_grad]
    wanted = [t for t in tensors if t is not None and t.requires_grad]
    if not pairs or not wanted:
        return [None] * len(tensors)
    ys, us = zip(*pairs, strict=True)
    grads = iter(torch.autograd.grad(ys, wanted, us, create_graph=graph, allow_unused=True))
    return [next(grads) if t is not None and t.requires_grad else None for t in tensors]
