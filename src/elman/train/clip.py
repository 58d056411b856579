"""Gradients: their norm, whether they are finite, and their clipping."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from elman.train.settings import FitSettings


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """The Euclidean norm over all gradients, one number; not finite if any entry is not."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if math.isfinite(norm) or not all(g.isfinite().all() for g in gradients):
        return norm
    # Finite entries whose squares overflow: take the size out first.
    largest = torch.stack([g.abs().max().to(norm.device) for g in gradients if g.numel()]).max()
    return largest * nn.utils.get_total_norm([g / largest.to(g.device) for g in gradients])


def clip_gradients(parameters: list[nn.Parameter], settings: FitSettings) -> tuple[float, bool]:
    """Clip by value, then by norm, in place. Returns the norm before, and if the norm was cut.

    A norm that is not finite comes back as it is, and nothing is clipped: the step is lost.
    """
    norm = gradient_norm(parameters)
    length = float(norm)
    if not math.isfinite(length):
        return length, False
    if settings.clip_value is not None:
        nn.utils.clip_grad_value_(parameters, settings.clip_value)
    if settings.clip_norm is None:
        return length, False
    if settings.clip_value is not None:
        norm = gradient_norm(parameters)
    nn.utils.clip_grads_with_norm_(parameters, settings.clip_norm, norm)
    return length, float(norm) > settings.clip_norm
