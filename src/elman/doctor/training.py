"""Verdicts on the steps of a training: too long, not finite, always clipped."""

import numpy as np

from elman.doctor.verdict import Verdict
from elman.doctor.weights import Past

UPDATE = 0.2
"""A step that changes the weights of the median matrix by so much of their length is too long."""
CLIPPED = 0.9
"""Share of clipped steps from which the learning rate is what `clip_norm` makes it."""


def judge_updates(ratios: dict[str, float], lr: float | None) -> list[Verdict]:
    """The verdict on |change| / |weight| of one step, by matrix."""
    if not ratios:
        return []
    middle = float(np.median(list(ratios.values())))
    if middle <= UPDATE:
        return []
    better = "a lower lr" if lr is None else f"FitSettings(lr={_round(lr * 0.01 / middle)})"
    flag = "" if lr is None else f", --lr {_round(lr * 0.01 / middle)}"
    return [
        Verdict(
            "learning rate",
            "",
            f"One step changes the weights by {middle:.0%} of their length; about 1 % is usual at "
            "the start, less later.",
            better + flag,
            {"update / weight": middle} | ({} if lr is None else {"lr": lr}),
        )
    ]


def _round(lr: float) -> str:
    return f"{lr:.0e}".replace("e-0", "e-").replace("e+0", "e+")


def judge_past(past: Past | None) -> list[Verdict]:
    """The verdicts on a run's history."""
    if past is None:
        return []
    found = []
    lower = f"FitSettings(lr={_round(past.lr / 10)}), --lr {_round(past.lr / 10)}"
    skipped = past.skipped / past.logged
    if skipped > 0.1 or past.last > 2 * past.first or past.last > 10 * max(past.lowest, 1e-12):
        words = "Loss or gradient was not finite in many steps."
        if skipped <= 0.1:
            words = "The training loss rose far above where it had been."
        evidence = {"first loss": past.first, "lowest": past.lowest, "last": past.last}
        evidence["skipped share"] = skipped
        found.append(Verdict("learning rate", "", words, lower, evidence))
    if past.clipped is not None and past.clipped > CLIPPED:
        numbers = {"clipped share": past.clipped, "median norm": past.norm}
        words = "Nearly every step is clipped, so steps are as long as clip_norm makes them."
        repair = f"FitSettings(clip_norm={past.norm:.2g}), --clip-norm {past.norm:.2g}"
        found.append(Verdict("clipping", "", words, repair, numbers, ill=False))
    return found
