"""What a training run comes to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elman.doctor import Examination


class TrainingDiverged(RuntimeError):
    """Loss or gradient was not finite in too many steps in a row.

    The weights are those of the last good step; the newest checkpoint is from before it.
    """


@dataclass(frozen=True)
class FitResult:
    """What `fit` returns.

    - `steps`: optimiser steps done, skipped ones included, earlier parts of the run included.
    - `best_step`: step after which the metric was best; `steps` where there is no metric.
    - `best`: the metric's values then; empty where there is no metric.
    - `stopped`: "budget", or "patience" if the metric had not improved for long enough.
    - `seconds`: wall-clock time of all parts of the run.
    - `skipped`: steps skipped for a loss or gradient that was not finite.
    - `clipped`: share of steps, 0 to 1, whose gradient was longer than `clip_norm`.
    - `history`: path of `history.jsonl`; None without a run folder.
    - `resumed_from`: step of the checkpoint that this call started at; None if it started afresh.
    - `examination`: the doctor's last (`FitSettings(doctor=...)`), whose `section()` goes into a
      report; None where there was none.
    """

    steps: int
    best_step: int
    best: dict[str, float]
    stopped: Literal["budget", "patience"]
    seconds: float
    skipped: int
    clipped: float
    history: Path | None
    resumed_from: int | None
    examination: Examination | None = None
