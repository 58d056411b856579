"""How intervals are made, as tensors of a model file and back."""

from typing import Any

import numpy as np

from elman.tasks.forecasting.intervals import Calibration

Arrays = dict[str, np.ndarray[Any, Any]]
PREFIX = "extra.intervals."


def tensors(calibration: Calibration | None) -> Arrays:
    """Tensors under `extra.intervals.`; none without a calibration."""
    if calibration is None:
        return {}
    found: Arrays = {
        "group": calibration.group,
        "errors": calibration.errors,
        "counts": calibration.counts,
    }
    if calibration.shifts is not None:
        found["shifts"] = calibration.shifts
    return {PREFIX + name: np.ascontiguousarray(array) for name, array in found.items()}


def restored(found: Arrays, kind: str, h: int, levels: tuple[float, ...]) -> Calibration | None:
    """The opposite, from tensors by their names without the prefix.

    Raises:
        KeyError, ValueError: parts are missing or do not fit together.
    """
    if not found:
        return None
    group, counts = (found[name].astype(np.int64) for name in ("group", "counts"))
    errors = found["errors"].astype(np.float64)
    if group.shape != (h,) or errors.ndim != 2 or not errors.size:
        raise ValueError("intervals of other sizes than the forecast")
    if group.min() < 0 or group.max() >= len(errors) or counts.shape != (len(errors),):
        raise ValueError("intervals of groups of steps that there are none of")
    if counts.min() < 1 or (np.diff(errors, axis=1) < 0).any():
        raise ValueError("intervals by errors that are not in order")
    if kind == "residual":
        return Calibration(kind, group, errors, counts)
    shifts = found["shifts"].astype(np.float64)
    if shifts.shape != (len(errors), len(levels), 2):
        raise ValueError("intervals by shifts of other sizes than the levels")
    return Calibration(kind, group, errors, counts, levels, shifts)
