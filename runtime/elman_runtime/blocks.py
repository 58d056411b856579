"""Blocks of observations, of which some are not finite: which run, and what comes of the others."""

from collections.abc import Sequence

import numpy as np

from elman_runtime.contents import Array


def running(
    arrays: Sequence[Array], good: Array, held: Sequence[Array] | None
) -> tuple[Array, tuple[Array, ...]]:
    """Which observations (T,) run, and what they run on: (R, ...) for each input.

    Args:
        arrays: (T, ...) for each input.
        good: (T,), which of them are finite.
        held: None to leave out the others; else for each input the good ones before the block,
            (1, ...) or (0, ...) if there were none: each bad one becomes the last good one.
    """
    if held is None:
        return good, tuple(array[good] for array in arrays)
    before = len(held[0])
    known = np.concatenate([np.ones(before, bool), good])
    last = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))[before:]
    runs = last >= 0
    joined = (np.concatenate([h, a]) for h, a in zip(held, arrays, strict=True))
    return runs, tuple(array[last[runs]] for array in joined)


def spread(made: Array, runs: Array, before: Array) -> Array:
    """Outputs (T, ...) from those of the R that ran; each other one repeats the output before it.

    Args:
        made: (R, ...).
        runs: (T,).
        before: (1, ...), the output before the block.
    """
    if runs.all():
        return made
    found: Array = np.concatenate([before, made])[np.cumsum(runs)]
    return found
