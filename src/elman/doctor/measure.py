"""All that is measured of one layer."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.cells import Cell
from elman.doctor.inspection import Trace
from elman.doctor.jacobian import Step, lyapunov, singular_values
from elman.doctor.memory import Memory, memory
from elman.doctor.path import path_of
from elman.doctor.saturation import Bounded, bounded_values, spread, still
from elman.doctor.weights import Spectrum, spectra
from elman.engine import use

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Measured:
    """One layer in one direction.

    - `name`, `cell`: its path and suffix, and its recurrence (None for a module with `step`).
    - `units`: of its first state. `steps`: T, of the longest row.
    - `finite`: whether all states are.
    - `memory`: what it remembers; None for sequences of one step.
    - `step`: singular values of the step's Jacobian; None where the state is too wide.
    - `exponents`: Lyapunov exponents per step, where asked for.
    - `bounded`: sigmoids, tanhs and relus, by name.
    - `drive`, `pull`: standard deviation of W x and of U h, the largest of the gates; 0 where they
      are not finite.
    - `still`: share of units of the state that never move.
    - `spectra`: of U, by gate.
    - `gradient`: largest entry of dL/dh_t; None without a loss.
    - `loss_gradient`: |dL/ds_t| against the distance from the last step; None without a loss.
    """

    name: str
    cell: type[Cell] | None
    units: int
    steps: int
    finite: bool
    memory: Memory | None
    step: Step | None
    exponents: Array | None
    bounded: dict[str, Bounded]
    drive: float
    pull: float
    still: float
    spectra: dict[str, Spectrum]
    gradient: float | None
    loss_gradient: Array | None

    @property
    def norm(self) -> float:
        """The largest singular value of any gate's U."""
        return max((one.norm for one in self.spectra.values()), default=0.0)

    @property
    def drive_known(self) -> bool:
        """Whether there is W x at all."""
        return self.cell is not None

    def sentence(self) -> str:
        """What it remembers, in words."""
        kind = "a module with step" if self.cell is None else self.cell.__name__
        start = f"{self.name} ({kind}, {self.units} units)"
        if not self.finite:
            return f"{start}: states are not finite"
        if self.memory is None:
            return f"{start}: sequences of one step show no memory"
        m = self.memory
        lasting = (
            f"all {m.steps} steps" if m.reach >= m.steps - 1 else f"{m.reach} of {m.steps} steps"
        )
        half = (
            "" if m.half_life > m.steps else f", half of its effect is gone after {m.half_life:g}"
        )
        deep = ""
        if self.exponents is not None:
            deep = f"; the largest Lyapunov exponent is {self.exponents[0]:+.3f} per step"
        return f"{start}: an input still counts after {lasting}{half}{deep}"


def measure(
    trace: Trace, gradient: float | None, rows: int, steps: int, deep: bool, seed: int
) -> Measured:
    """Measure a layer, along at most `rows` rows and their last `steps` steps.

    Args:
        trace: what was recorded of it.
        gradient: the largest entry of dL/dh_t over all its calls.
    """
    first = trace.values[trace.states[0]]
    inside = np.arange(first.shape[1]) < trace.lengths[:, None]
    finite = all(bool(np.isfinite(trace.values[name][inside]).all()) for name in trace.states)
    path = path_of(trace.recorded, rows, steps) if finite else None
    call = trace.recorded.call
    # A module with `step` may hold layers, and a Jacobian needs many gradients at once.
    with use("reference"):
        remembered = None if path is None else memory(path, seed)
        step = None if path is None else singular_values(path)
        exponents = lyapunov(path, seed=seed) if deep and path is not None else None
    return Measured(
        trace.name,
        trace.cell,
        int(np.prod(first.shape[2:])),
        int(trace.lengths.max(initial=0)),
        finite,
        remembered,
        step,
        exponents,
        bounded_values(trace) if finite else {},
        spread(trace, "x."),
        spread(trace, "u."),
        still(trace) if finite else 0.0,
        {} if call is None else spectra(call.cell, call.weights.weight_hh),
        gradient,
        _by_distance(trace) if trace.gradients else None,
    )


def _by_distance(trace: Trace) -> Array:
    """|dL/ds| of rows together, against the steps between a state and the last one of its row."""
    steps = int(trace.lengths.max(initial=0))
    total = np.zeros(steps)
    for row, length in enumerate(trace.lengths.tolist()):
        for gradient in trace.gradients.values():
            squares = (gradient[row, :length].reshape(length, -1).astype(float) ** 2).sum(1)
            total[:length] += squares if trace.reverse else squares[::-1]
    found: Array = np.sqrt(total)
    return found
