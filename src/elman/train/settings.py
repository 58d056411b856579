"""What a training run can be told."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

OptimizerName = Literal["adamw", "adam", "nadam", "radam", "rmsprop", "sgd"]
ScheduleName = Literal["cosine", "plateau", "constant"]
ClipName = Literal["norm", "auto"]

DEFAULT_EPOCHS = 10


@dataclass(frozen=True)
class FitSettings:
    """Settings of `elman.train.fit`. A step is one update of the weights by the optimiser.

    Budget: the smallest of `steps`, `epochs` and `minutes` counts; with none of them, 10 epochs.

    - `steps`: optimiser steps; skipped steps count.
    - `epochs`: passes over `len(batches)` micro-batches.
    - `minutes`: minutes of wall-clock time, evaluation included. A few steps are timed once,
      thrown away, and the number of steps is fixed and recorded: a resumed run uses the same.
    - `optimizer`: adamw, adam, nadam, radam, rmsprop (torch's, whose alpha is `betas[1]`) or sgd.
    - `lr`: peak learning rate, per step.
    - `weight_decay`: per step, times the learning rate (adamw: decoupled; others: added to the
      gradient). Never on biases nor on parameters with fewer than two dimensions.
    - `betas`: the two smoothing factors of the Adam family, per step.
    - `eps`: added to the denominator by all but sgd; same unit as a gradient.
    - `momentum`: per step, sgd only.
    - `schedule`: cosine (from `lr` to `min_lr` over the budget), constant, or plateau (`lr` times
      `plateau_factor` after `plateau_patience` evaluations without a better metric).
    - `warmup`: steps in which the learning rate climbs linearly to `lr`.
    - `min_lr`: the learning rate that a schedule ends in, or does not go below.
    - `plateau_factor`: factor on the learning rate, above 0 and below 1.
    - `plateau_patience`: evaluations.
    - `clip`: norm (at `clip_norm`) or auto: at a quantile of the norms of the last
      `clip_history` steps, this one included, whatever the scale of the loss. Published for
      separation of sources (AutoClip, Seetharaman et al. 2020), not for recurrent networks;
      there as here it ends the search for a limit, and no more.
    - `clip_norm`: longest gradient, as the Euclidean norm over all parameters; None: no limit.
      With auto, the limit until there are 10 norms.
    - `clip_quantile`: of auto, above 0 and at most 1. At 0.5 half of all steps are shortened, and
      as many as half may explode without raising the limit. The paper takes 0.1.
    - `clip_history`: steps whose norms auto remembers; a checkpoint holds them.
    - `clip_value`: largest absolute entry of a gradient, cut before the norm is; None: no limit.
    - `accumulate`: micro-batches per step; the gradient is that of the mean of their losses.
    - `ema`: decay per step of the averaged weights that are evaluated and returned; 0: the
      weights themselves. It warms up, min(ema, (1 + n) / (10 + n)) at update n, so that the
      starting weights do not linger in a short run.
    - `patience`: evaluations without a better metric before training stops; None: never.
    - `evaluate_every`: steps between evaluations; None: at the end of each epoch.
    - `checkpoint_every`: steps between checkpoints; None: by time alone.
    - `checkpoint_seconds`: seconds between checkpoints; None: by steps alone. With neither, one is
      written at the start and one at the end.
    - `keep_checkpoints`: newest files kept. Each holds the best weights so far as well.
    - `max_skipped`: steps skipped in a row, for a loss or gradient that is not finite, that stop
      the training with `TrainingDiverged`.
    - `log_every`: steps between lines of the history.
    - `doctor`: steps between examinations (`elman.doctor.examine`) of the recurrent layers, if
      there are any, on the batch under way; 0: never. They change no weight. One costs about what
      a few steps in the reference engine do; they are left out while they have taken over a tenth
      of the time.
    - `seed`: of the random draws of each step (dropout and the like), 0 to 2**63 - 1.
    """

    steps: int | None = None
    epochs: int | None = None
    minutes: float | None = None
    optimizer: OptimizerName = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    eps: float = 1e-8
    momentum: float = 0.9
    schedule: ScheduleName = "cosine"
    warmup: int = 0
    min_lr: float = 0.0
    plateau_factor: float = 0.5
    plateau_patience: int = 3
    clip: ClipName = "norm"
    clip_norm: float | None = 1.0
    clip_quantile: float = 0.5
    clip_history: int = 1000
    clip_value: float | None = None
    accumulate: int = 1
    ema: float = 0.999
    patience: int | None = None
    evaluate_every: int | None = None
    checkpoint_every: int | None = None
    checkpoint_seconds: float | None = 60.0
    keep_checkpoints: int = 2
    max_skipped: int = 10
    log_every: int = 50
    doctor: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError naming the field, the rule, what came and the repair."""
        _check_choice("optimizer", self.optimizer, get_args(OptimizerName))
        _check_choice("schedule", self.schedule, get_args(ScheduleName))
        _check_choice("clip", self.clip, get_args(ClipName))
        for name in _COUNTS:
            _check_count(name, getattr(self, name), *_COUNTS[name])
        for name in _NUMBERS:
            _check_number(name, getattr(self, name), *_NUMBERS[name])
        _check_betas(self.betas)
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.min_lr > self.lr:
            raise ValueError(
                f"min_lr must not exceed lr; got min_lr={self.min_lr} and lr={self.lr}; "
                "lower min_lr or raise lr"
            )


# name: (lowest allowed, whether None is allowed, the repair)
_COUNTS: dict[str, tuple[int, bool, str]] = {
    "steps": (1, True, "give 1 or more, or leave it out"),
    "epochs": (1, True, "give 1 or more, or leave it out"),
    "warmup": (0, False, "0 is no warm-up"),
    "plateau_patience": (1, False, "give 1 or more"),
    "clip_history": (10, False, "give 10 or more; 1000 is the default"),
    "accumulate": (1, False, "1 updates after every micro-batch"),
    "patience": (1, True, "give 1 or more, or None to never stop early"),
    "evaluate_every": (1, True, "give 1 or more, or None for once an epoch"),
    "checkpoint_every": (1, True, "give 1 or more, or None for by time alone"),
    "keep_checkpoints": (1, False, "give 1 or more; 2 or more survive a damaged file"),
    "max_skipped": (1, False, "1 stops at the first loss that is not finite"),
    "log_every": (1, False, "1 logs every step"),
    "doctor": (0, False, "0 is never"),
    "seed": (0, False, "give an integer from 0 to 2**63 - 1"),
}

# name: (lower bound, is the bound itself allowed, upper bound (itself not allowed), None allowed)
_NUMBERS: dict[str, tuple[float, bool, float, bool]] = {
    "minutes": (0.0, False, math.inf, True),
    "lr": (0.0, False, math.inf, False),
    "weight_decay": (0.0, True, math.inf, False),
    "eps": (0.0, False, math.inf, False),
    "momentum": (0.0, True, 1.0, False),
    "min_lr": (0.0, True, math.inf, False),
    "plateau_factor": (0.0, False, 1.0, False),
    "clip_norm": (0.0, False, math.inf, True),
    "clip_quantile": (0.0, False, math.nextafter(1.0, 2.0), False),
    "clip_value": (0.0, False, math.inf, True),
    "ema": (0.0, True, 1.0, False),
    "checkpoint_seconds": (0.0, True, math.inf, True),
}


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}; choose one")


def _check_count(name: str, value: object, lowest: int, optional: bool, repair: str) -> None:
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        kind = "an integer or None" if optional else "an integer"
        raise TypeError(f"{name} must be {kind}; got {value!r}; {repair}")
    if not lowest <= value < 2**63:
        raise ValueError(f"{name} must be {lowest} or more, below 2**63; got {value}; {repair}")


def _check_number(
    name: str, value: object, low: float, inclusive: bool, high: float, optional: bool
) -> None:
    if value is None and optional:
        return
    rule = f"{'at least' if inclusive else 'above'} {low:g}"
    rule += " and finite" if math.isinf(high) else f" and below {high:g}"
    repair = "change it" + (" or give None to switch it off" if optional else "")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number {rule}; got {value!r}; {repair}")
    if not low <= value < high or (value == low and not inclusive):
        raise ValueError(f"{name} must be {rule}; got {value}; {repair}")


def _check_betas(betas: object) -> None:
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise TypeError(f"betas must be two numbers; got {betas!r}; (0.9, 0.99) is the default")
    for position, beta in enumerate(betas):
        _check_number(f"betas[{position}]", beta, 0.0, True, 1.0, False)
