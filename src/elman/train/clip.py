"""Gradients: their norm, whether they are finite, and their clipping."""

import math
from collections import deque
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


class Clipper:
    """Clips gradients as the settings say, and remembers the norms that `auto` goes by."""

    FIRST = 10
    """Norms from which on their quantile is believed."""

    def __init__(self, settings: FitSettings) -> None:
        self.settings = settings
        self.norms: deque[float] = deque(maxlen=settings.clip_history)

    def __call__(self, parameters: list[nn.Parameter]) -> tuple[float, bool]:
        """Clip by value, then by norm, in place. Returns the norm before, and if the norm was cut.

        A norm that is not finite comes back as it is, and nothing is clipped: the step is lost,
        and `auto` does not remember it.
        """
        norm = gradient_norm(parameters)
        length = float(norm)
        if not math.isfinite(length):
            return length, False
        if self.settings.clip_value is not None:
            nn.utils.clip_grad_value_(parameters, self.settings.clip_value)
            norm = gradient_norm(parameters)
        limit = self._limit(float(norm))
        if limit is None:
            return length, False
        nn.utils.clip_grads_with_norm_(parameters, limit, norm)
        return length, float(norm) > limit

    def _limit(self, norm: float) -> float | None:
        if self.settings.clip == "norm":
            return self.settings.clip_norm
        if norm:  # a gradient of zeros says nothing of how long the others are
            self.norms.append(norm)
        if len(self.norms) < self.FIRST:
            return self.settings.clip_norm
        return quantile(self.norms, self.settings.clip_quantile)

    def pack(self) -> list[float]:
        """What a checkpoint stores: the norms, oldest first."""
        return list(self.norms)

    def unpack(self, stored: list[float]) -> None:
        """The opposite of `pack`."""
        self.norms.clear()
        self.norms.extend(stored)


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest of the values that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
