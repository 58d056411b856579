"""The doctor's examinations during a training, at a bounded cost."""

import time
import warnings
from typing import Any

from torch import nn

from elman.doctor import Examination, Verdict, examine
from elman.doctor.layers import known
from elman.train.run import Run
from elman.train.tree import map_tensors

MOST = 0.1
"""Share of the run's time beyond which the next examination is left out."""


class Examiner:
    """Examines the model on the batch under way every so many steps.

    Weights, modes, optimiser and carried state stay as they are, and random draws are seeded for
    each step anew: with and without it, a training ends with the same bits.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.every = run.settings.doctor if _recurrent(run.model) else 0
        self.last: Examination | None = None
        self._spent = 0.0
        self._batch: Any = None

    def note(self, batch: Any) -> None:
        """Keep the batch of a step that will be followed by an examination."""
        self._batch = batch if self._due(self.run.counters.step + 1) else None

    def _due(self, step: int) -> bool:
        if not self.every or step % self.every:
            return False
        return self.last is None or self._spent <= MOST * self.run.seconds()

    def examined(self) -> tuple[dict[str, Any], list[Verdict]] | None:
        """A line of history, and what was not said before; None where nothing was examined."""
        batch, self._batch = self._batch, None
        if batch is None:
            return None
        begun = time.monotonic()
        try:
            self.last = self._examine(batch)
        except (TypeError, ValueError) as error:
            # The training itself is sound: it goes on without.
            self.every = 0
            text = f"doctor: the examination failed and will not be repeated: {error}"
            warnings.warn(text, UserWarning, stacklevel=2)
            return None
        self._spent += time.monotonic() - begun
        return self._line(self.last), self._new(self.last)

    def _examine(self, batch: Any) -> Examination:
        stepper = self.run.stepper
        batch = map_tensors(lambda tensor: tensor.to(stepper.device), batch)
        return examine(stepper.model, batch, stepper.loss, optimizer=stepper.optimizer)

    def _new(self, found: Examination) -> list[Verdict]:
        """The verdicts of kinds and layers that no examination of this run has had."""
        said = self.run.counters.verdicts
        new = [verdict for verdict in found.verdicts if _name(verdict) not in said]
        said += [_name(verdict) for verdict in new]
        return new

    def _line(self, found: Examination) -> dict[str, Any]:
        names = ("kind", "layer", "words", "repair", "ill")
        verdicts = [{name: getattr(v, name) for name in names} for v in found.verdicts]
        return {
            "step": self.run.counters.step,
            "doctor": {"healthy": found.healthy, "verdicts": verdicts},
            "seconds": round(self.run.seconds(), 3),
        }


def _recurrent(model: nn.Module) -> bool:
    return any(known(module) for module in model.modules())


def _name(verdict: Verdict) -> str:
    return f"{verdict.layer}: {verdict.kind}"


def in_a_line(verdict: Verdict, step: int) -> str:
    """What is printed when a verdict appears."""
    where = f"{verdict.layer}: " if verdict.layer else ""
    return f"doctor, step {step}: {where}{verdict.kind}. {verdict.words} {verdict.repair}"
