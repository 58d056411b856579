"""The learning rate of a step."""

import math
from dataclasses import dataclass

from elman.train.settings import FitSettings


def learning_rate(settings: FitSettings, step: int, total: int, scale: float = 1.0) -> float:
    """The learning rate of step `step` (0 is the first) of `total`.

    `scale` is what the plateau schedule has multiplied so far. Warm-up reaches `lr` in its last
    step; cosine then falls towards `min_lr`, which it would reach at step `total`.
    """
    peak = _after_warmup(settings, step, total, scale)
    if step < settings.warmup:
        return peak * (step + 1) / settings.warmup
    return peak


def _after_warmup(settings: FitSettings, step: int, total: int, scale: float) -> float:
    if settings.schedule == "cosine" and step >= settings.warmup:
        done = (step - settings.warmup) / max(1, total - settings.warmup)
        return (
            settings.min_lr + (settings.lr - settings.min_lr) * (1 + math.cos(math.pi * done)) / 2
        )
    if settings.schedule == "plateau":
        return max(settings.min_lr, settings.lr * scale)
    return settings.lr


@dataclass
class Plateau:
    """What the plateau schedule remembers: the factor so far, evaluations without a better one."""

    scale: float = 1.0
    waited: int = 0

    def note(self, improved: bool, settings: FitSettings) -> None:
        """Take notice of one evaluation."""
        self.waited = 0 if improved else self.waited + 1
        if self.waited >= settings.plateau_patience:
            self.scale *= settings.plateau_factor
            self.waited = 0
