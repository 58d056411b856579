"""How many steps a run has."""

import dataclasses
from typing import Any

from elman.train.settings import DEFAULT_EPOCHS, FitSettings

# What a resumed run may change: how long it goes on, and what does not touch the weights.
CHANGEABLE = {
    *("steps", "epochs", "minutes", "patience"),
    *("checkpoint_every", "checkpoint_seconds", "keep_checkpoints", "log_every", "doctor"),
}


def planned_steps(settings: FitSettings, epoch_length: int, timed: int | None) -> int:
    """The smallest of the budgets, in steps. `timed` is what the minutes came to, if any."""
    epochs = settings.epochs
    if settings.steps is None and epochs is None and timed is None:
        epochs = DEFAULT_EPOCHS
    budgets = [settings.steps, timed]
    if epochs is not None:
        budgets.append(-(-epochs * epoch_length // settings.accumulate))
    return min(budget for budget in budgets if budget is not None)


def steps_in(minutes: float, spent: float, step: float, evaluation: float, interval: float) -> int:
    """Steps that fit in `minutes`, at least 1.

    `spent`: seconds used already; `step` and `evaluation`: seconds each takes; `interval`: steps
    between evaluations.
    """
    left = minutes * 60 - spent - evaluation  # the last evaluation comes whatever the interval
    return max(1, int(left / (step + evaluation / interval)))


def check_same(settings: FitSettings, stored: dict[str, Any]) -> None:
    """Refuse to resume with settings that would make another run. Raises ValueError."""
    for field in dataclasses.fields(settings):
        now, then = getattr(settings, field.name), stored.get(field.name, field.default)
        if now != then and field.name not in CHANGEABLE:
            raise ValueError(
                f"{field.name} must be what the run was started with, {then!r}, to resume it; "
                f"got {now!r}; give {then!r}, or start a new run in another folder"
            )


def resumed_timed(settings: FitSettings, stored: dict[str, Any], timed: int | None) -> int | None:
    """What the minutes come to in a resumed run: the recorded steps, in proportion."""
    if settings.minutes is None:
        return None
    if timed is None:
        raise ValueError(
            "minutes cannot be given to a run that was not started with it; "
            f"got {settings.minutes}; give steps or epochs"
        )
    then: float = stored["minutes"]
    return max(1, round(timed * settings.minutes / then))


def check_reached(total: int, step: int) -> None:
    """Refuse a budget below what is done. Raises ValueError."""
    if total < step:
        raise ValueError(
            f"the budget must not be below the {step} steps that the run has done; got {total} "
            "steps; give a larger steps, epochs or minutes"
        )
