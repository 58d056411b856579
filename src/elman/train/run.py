"""A run under way: what it counts, what a checkpoint holds, and its evaluation."""

import dataclasses
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from elman.train.average import copy_into
from elman.train.optimizer import load_optimizer, trainable
from elman.train.prefetch import Prefetch
from elman.train.schedule import Plateau
from elman.train.settings import FitSettings
from elman.train.step import Stepper, StepReport
from elman.train.tree import Tree

Metric = Callable[[Any], dict[str, float]]


@dataclass
class Counters:
    """Numbers that a resumed run needs. `step` counts steps done, skipped ones included."""

    step: int = 0
    total: int = 0
    timed: int | None = None  # the steps that `minutes` came to
    seconds: float = 0.0
    skipped: int = 0
    skipped_in_row: int = 0
    clipped: int = 0
    evaluated: int = 0  # step of the last evaluation
    best_step: int = 0
    best: dict[str, float] = field(default_factory=dict)
    without_better: int = 0  # evaluations
    window_loss: float = 0.0  # sum since the last line of history
    window_steps: int = 0
    history: int = 0  # bytes
    verdicts: list[str] = field(default_factory=list)  # the doctor's, each once

    def note(self, report: StepReport) -> None:
        """Count one step."""
        self.step += 1
        self.skipped += report.skipped
        self.skipped_in_row = self.skipped_in_row + 1 if report.skipped else 0
        self.clipped += report.clipped
        if not report.skipped:
            self.window_loss += report.loss
            self.window_steps += 1

    def mean_loss(self) -> float:
        """The mean loss since it was last asked for; NaN if every step was skipped."""
        mean = self.window_loss / self.window_steps if self.window_steps else float("nan")
        self.window_loss, self.window_steps = 0.0, 0
        return mean


class Run:
    """The stepper, the counters and the best weights so far."""

    def __init__(self, stepper: Stepper, settings: FitSettings, epoch_length: int) -> None:
        self.stepper = stepper
        self.settings = settings
        self.epoch_length = epoch_length
        self.counters = Counters()
        self.plateau = Plateau()
        self.best_weights: dict[str, Tensor] | None = None
        self._clock = time.monotonic()

    @property
    def model(self) -> nn.Module:
        """The model in training."""
        return self.stepper.model

    def seconds(self) -> float:
        """Wall-clock time so far, earlier parts included; counted on from the last call."""
        now = time.monotonic()
        self.counters.seconds += now - self._clock
        self._clock = now
        return self.counters.seconds

    def micro_batches(self, step: int, reader: Prefetch) -> list[tuple[bool, Any]]:
        """The micro-batches of a step, each with whether it starts an epoch."""
        accumulate = self.settings.accumulate
        first = step * accumulate
        return [((first + i) % self.epoch_length == 0, reader.take()) for i in range(accumulate)]

    def evaluation_due(self) -> bool:
        """If step `counters.step` is one to evaluate after, and has not been."""
        step, every = self.counters.step, self.settings.evaluate_every
        if step == 0 or self.counters.evaluated == step:
            return False
        if step == self.counters.total:
            return True
        if every is not None:
            return step % every == 0
        done = step * self.settings.accumulate
        return done // self.epoch_length > (done - self.settings.accumulate) // self.epoch_length

    def evaluate(
        self, metric: Metric, guard: AbstractContextManager[None]
    ) -> tuple[dict[str, float], bool]:
        """The metric with the averaged weights, and if it is the best so far.

        `guard` surrounds the call of the metric alone: what it may break off changes no weights.
        """
        with self.stepper.average.swapped_in():
            with guard:
                metrics = measure(self.model, metric)
            value = next(iter(metrics.values()))
            # NaN is never better.
            improved = value < next(iter(self.counters.best.values()), float("inf"))
            if improved:
                self.best_weights = snapshot(self.model)
        self._note_evaluation(metrics, improved)
        return metrics, improved

    def _note_evaluation(self, metrics: dict[str, float], improved: bool) -> None:
        counters = self.counters
        counters.evaluated = counters.step
        counters.without_better = 0 if improved else counters.without_better + 1
        if improved:
            counters.best_step, counters.best = counters.step, metrics
        self.plateau.note(improved, self.settings)

    def leave_best(self) -> None:
        """Put the best averaged weights into the model; without a metric, the averaged ones."""
        mean = self.stepper.average.mean
        copy_into(tensors_of_model(self.model), self.best_weights or mean)
        self.stepper.optimizer.zero_grad(set_to_none=True)

    def pack(self) -> Tree:
        """What a checkpoint stores."""
        self.seconds()
        return {
            "settings": dataclasses.asdict(self.settings),
            "epoch_length": self.epoch_length,
            "counters": dataclasses.asdict(self.counters),
            "plateau": dataclasses.asdict(self.plateau),
            "model": tensors_of_model(self.model),
            "optimizer": self.stepper.optimizer.state_dict(),
            "average": self.stepper.average.pack(),
            "norms": self.stepper.clipper.pack(),
            "carry": self.stepper.carry,
            "best": self.best_weights,
        }

    def unpack(self, stored: Tree) -> None:
        """The opposite of `pack`. Raises ValueError if the model is not the one stored."""
        live = tensors_of_model(self.model)
        check_fits(live, stored["model"])
        copy_into(live, stored["model"])
        load_optimizer(self.stepper.optimizer, stored["optimizer"])
        self.stepper.average.unpack(stored["average"])
        self.stepper.clipper.unpack(stored.get("norms", []))
        self.stepper.carry = stored["carry"]
        self.counters = Counters(**stored["counters"])
        self.plateau = Plateau(**stored["plateau"])
        self.best_weights = stored["best"]


def measure(model: nn.Module, metric: Metric) -> dict[str, float]:
    """The metric's values as floats, in evaluation mode, without gradients.

    Raises TypeError where it returns something else.
    """
    model.eval()
    with torch.no_grad():
        metrics: object = metric(model)
    if not isinstance(metrics, dict) or not metrics:
        raise TypeError(
            "metric must return a dict of numbers with at least one entry, the first to be "
            f"minimised; got {metrics!r}; return {{'loss': value}}"
        )
    return {str(name): float(value) for name, value in metrics.items()}


def tensors_of_model(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those too that a state dict leaves out, each once."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the trainable parameters and the buffers."""
    live = {**trainable(model), **dict(model.named_buffers())}
    return {name: tensor.detach().clone() for name, tensor in live.items()}


def check_fits(live: dict[str, Tensor], stored: dict[str, Tensor]) -> None:
    """Refuse a checkpoint of another model. Raises ValueError naming the first difference."""
    for name in [*live, *stored]:
        here, there = live.get(name), stored.get(name)
        if describe(here) != describe(there):
            raise ValueError(
                f"the model must be the one that was trained; {name} is {describe(here)} here and "
                f"{describe(there)} in the checkpoint; build the same model, or start a new run"
            )


def describe(tensor: Tensor | None) -> str:
    """Shape and dtype, for a message."""
    return "missing" if tensor is None else f"{tuple(tensor.shape)} {tensor.dtype}"
