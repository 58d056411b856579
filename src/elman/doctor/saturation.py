"""Gates and units that do not move: saturated, stuck, dead or still."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.doctor.inspection import Trace
from elman.doctor.naming import BOUNDED

Array = np.ndarray[Any, np.dtype[Any]]

EDGE = 0.01
"""A sigmoid within this of 0 or 1 is closed or open; a tanh within this of -1 or 1 is saturated."""
STUCK = 0.95
"""A unit that is on the same side for this share of all rows and steps is stuck."""
STILL = 1e-4
"""A unit of the state whose standard deviation over rows and steps is below this is still."""


@dataclass(frozen=True)
class Bounded:
    """A value made by a sigmoid, tanh or relu, over rows, steps and units; shares from 0 to 1.

    - `kind`: the function.
    - `mean`: of the value.
    - `low`, `high`: share of entries at the lower and the upper end (of a relu: at zero; none).
    - `stuck_low`, `stuck_high`: share of units that always are (of a relu: dead; none).
    """

    kind: str
    mean: float
    low: float
    high: float
    stuck_low: float
    stuck_high: float

    @property
    def saturated(self) -> float:
        """Share of entries at either end; 0 for a relu, which has one linear side."""
        return 0.0 if self.kind == "relu" else self.low + self.high

    @property
    def stuck(self) -> float:
        """Share of units that stay at one end."""
        return self.stuck_low + self.stuck_high


def bounded_values(trace: Trace) -> dict[str, Bounded]:
    """What there is to say of each bounded value of a layer, by name."""
    return {
        name: _measure(kind, _entries(trace, trace.values[name]))
        for name, kind in trace.kinds.items()
        if kind in BOUNDED
    }


def spread(trace: Trace, prefix: str) -> float:
    """The largest standard deviation over rows and steps, a root mean square over units.

    Values that are not finite are left out.

    Args:
        prefix: of the values that are compared: "x." or "u.", the projections of each gate.
    """
    chosen = [trace.values[name] for name in trace.values if name.startswith(prefix)]
    each = [_entries(trace, value) for value in chosen]
    finite = (value for value in each if np.isfinite(value).all())
    return float(max((np.sqrt(value.var(0).mean()) for value in finite), default=0.0))


def still(trace: Trace) -> float:
    """Share of the units of the first state that never move."""
    entries = _entries(trace, trace.values[trace.states[0]])
    return float((entries.std(0) < STILL).mean())


def _entries(trace: Trace, value: Array) -> Array:
    """What lies within the rows, (N, H)."""
    flat = value.reshape(*value.shape[:2], -1)
    steps = np.arange(flat.shape[1])
    found: Array = flat[steps < trace.lengths[:, None]].astype(np.float64)
    return found


def _measure(kind: str, v: Array) -> Bounded:
    if kind == "relu":
        low, high = v <= 0, np.zeros_like(v, bool)
        stuck = low.all(0), high.any(0)
    else:
        lowest = 0.0 if kind == "sigmoid" else -1.0
        low, high = v < lowest + EDGE, v > 1 - EDGE
        stuck = low.mean(0) >= STUCK, high.mean(0) >= STUCK
    shares = (float(part.mean()) for part in (low, high, *stuck))
    return Bounded(kind, float(v.mean()), *shares)
