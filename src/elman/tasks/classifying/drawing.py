"""Pictures of a classifier."""

from typing import TYPE_CHECKING, Any

import numpy as np

from elman.report import plots
from elman.tasks.classifying.fitted import Fitted
from elman.tasks.classifying.measuring import calibration_bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def reliability(ax: "Axes", fitted: Fitted, several: bool) -> "Axes":
    """The share that is right against the probability; the area of a dot is how many there are.

    Raises:
        RuntimeError: the model was loaded without examples.
    """
    means, shares, counts = _bins(fitted, several)
    there = counts > 0
    ax.plot([0, 1], [0, 1], color=plots.QUIET, linewidth=1, linestyle="--")
    areas = 10 + 120 * counts[there] / counts.max()
    ax.scatter(means[there], shares[there], areas, color=plots.MODEL, alpha=0.8, linewidth=0)
    ax.set_ylim(-0.03, 1.03)
    return _named(ax, "share that is right")


def how_sure(ax: "Axes", fitted: Fitted, several: bool) -> "Axes":
    """How many examples have each probability; of several labels, how many times one was judged.

    Raises:
        RuntimeError: as `reliability` does.
    """
    counts = _bins(fitted, several)[2]
    width = 1 / len(counts)
    ax.bar((np.arange(len(counts)) + 0.5) * width, counts, 0.9 * width, color=plots.MODEL)
    return _named(ax, "examples times classes" if several else "examples")


LINES = {plots.MODEL: "blue", plots.BASELINE: "orange", plots.QUIET: "grey"}
"""Colours of the columns of a sequence, and their names: as many are drawn."""

_TITLE = 36  # characters that fit above one of three pictures side by side


def sequence(ax: "Axes", values: Any, title: str) -> "Axes":
    """A sequence of numbers (T, D) against its steps, a line for each of its first columns."""
    for column, colour in zip(np.asarray(values).T, LINES, strict=False):
        ax.plot(np.arange(1, len(column) + 1), column, color=colour, linewidth=1.1)
    ax.locator_params(axis="x", integer=True)
    # Beyond Latin, Greek and Cyrillic the font has gaps, of which matplotlib warns.
    words = "".join(letter if letter < "\u0530" else "?" for letter in title)
    return plots.titled(ax, words if len(words) <= _TITLE else words[: _TITLE - 3] + "...")


def _bins(fitted: Fitted, several: bool) -> Any:
    if fitted.judged is None:
        raise RuntimeError("examples must be at hand; got a loaded model; fit it, or measure it")
    return calibration_bins(fitted.judged.found, fitted.judged.flags, several)


def _named(ax: "Axes", title: str) -> "Axes":
    ax.set_xlim(-0.03, 1.03)
    ax.set_xlabel("probability", color=plots.INK, fontsize=8)
    ax.set_title(title, color=plots.INK, fontsize=9, loc="left")
    return ax
