"""Sequences of numbers as a network takes them: standardised, with a mask and the time passed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.tasks.classifying.examples import Examples, Floats

Inputs = np.ndarray[Any, np.dtype[np.float32]]

_LARGEST = 10.0  # standard deviations; what lies beyond is cut


@dataclass(frozen=True)
class Scaling:
    """How values become inputs.

    - `mean`, `std`: of each column in the training part, (D,).
    - `masked`: whether inputs say which values are there.
    - `gap`: the usual time between steps, by which gaps are divided; 0 where all are equal, and
      inputs do not have them.
    """

    mean: Floats
    std: Floats
    masked: bool
    gap: float

    @property
    def width(self) -> int:
        """The number of inputs of a step."""
        return len(self.mean) * (2 if self.masked else 1) + (1 if self.gap else 0)

    def encode(self, values: Floats, gaps: Floats) -> Inputs:
        """Inputs (T, width), float32: values, 1 where one is there, log(1 + gap) in usual gaps."""
        scaled = np.clip((values - self.mean) / self.std, -_LARGEST, _LARGEST)
        parts = [np.nan_to_num(scaled, nan=0.0)]
        parts += [(~np.isnan(values)).astype(np.float64)] if self.masked else []
        parts += [np.log1p(np.maximum(0.0, gaps) / self.gap)[:, None]] if self.gap else []
        return np.concatenate(parts, 1).astype(np.float32)


def learn_scaling(train: Examples, columns: Sequence[str]) -> Scaling:
    """From the training part alone."""
    values = np.concatenate(train.inputs)
    # A column that is missing throughout says nothing, and is zero.
    count = np.maximum(1, (~np.isnan(values)).sum(0))
    mean = np.nansum(values, 0) / count
    std = np.sqrt(np.nansum((values - mean) ** 2, 0) / count)
    std = np.where(std > 1e-12 * np.maximum(1.0, np.abs(mean)), std, 1.0)
    steps = np.concatenate([gap[1:] for gap in train.gaps])
    uneven = steps.size and not np.allclose(steps, steps[0], rtol=1e-6)
    usual = float(np.median(steps)) or float(steps.mean()) if uneven else 0.0
    assert len(columns) == len(mean)
    return Scaling(mean, std, bool(np.isnan(values).any()), usual)
