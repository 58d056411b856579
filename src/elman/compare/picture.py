"""The picture of a comparison. Each function draws on `ax` and returns it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from elman.compare.comparison import Comparison
from elman.compare.interval import mean
from elman.doctor.picture import COLOURS
from elman.report.plots import INK, QUIET, figure, inside, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BASELINES = 4  # that are drawn, the best
_NOT_CELLS = ("--", ":", "-.")


def picture(one: Comparison) -> "Figure":
    """Quality, cost, and where there are curves, steps seen and order shuffled."""
    curves = any(c.lengths for c in one.contestants)
    drawn, axes = figure(1 + curves, 2, height=3.1, width=10.5)
    quality(axes[0], one)
    cost(axes[1], one)
    if curves:
        steps_seen(axes[2], one)
        order(axes[3], one)
    return drawn


def colours(one: Comparison) -> dict[str, tuple[str, str]]:
    """Colour and line of each network: cells are drawn through, others are broken."""
    found, rest = {}, 0
    for k, each in enumerate(one.contestants):
        line = "-" if each.recurrent else _NOT_CELLS[rest % len(_NOT_CELLS)]
        rest += not each.recurrent
        found[each.name] = (COLOURS[k % len(COLOURS)], line)
    return found


def quality(ax: "Axes", one: Comparison) -> "Axes":
    """The score on the test with its interval, a dot for each seed, and baselines."""
    kept = sorted(one.baselines["test"].items(), key=lambda pair: pair[1])[:_BASELINES]
    names = [c.name for c in one.contestants] + [name for name, _ in kept]
    of = colours(one)
    for row, each in enumerate(one.contestants):
        centre, colour = mean(each.test), of[each.name][0]
        if centre.half is not None:
            ends = (centre.value - centre.half, centre.value + centre.half)
            ax.plot(ends, (row, row), color=colour, linewidth=2.2, solid_capstyle="butt")
        ax.plot(each.test, [row] * len(each.test), "o", ms=3.5, color=colour, alpha=0.45)
        ax.plot([centre.value], [row], "D", ms=5.5, color=colour)
    for row, (_, score) in enumerate(kept, len(one.contestants)):
        ax.plot([score], [row], "|", ms=11, mew=2, color=QUIET)
    _rows(ax, names)
    _within(ax, one, [score for _, score in kept])
    words = "95 % interval" if one.settings.seeds > 1 else "one seed"
    return titled(ax, f"{one.metric} on the test, {words}: lower is better")


def _within(ax: "Axes", one: Comparison, others: Sequence[float]) -> None:
    """Intervals of few seeds are wide; the axis shows the scores."""
    scores = [*others, *(score for c in one.contestants for score in c.test)]
    room = 0.12 * (max(scores) - min(scores)) or 0.1 * abs(scores[0]) or 1.0
    ax.set_xlim(min(scores) - room, max(scores) + room)


def cost(ax: "Axes", one: Comparison) -> "Axes":
    """Time, memory and parameters of each network, over the first one's."""
    first = one.contestants[0]
    bars = {
        "training time": [c.seconds / max(first.seconds, 1e-9) for c in one.contestants],
        "time a step": [c.step_seconds / first.step_seconds for c in one.contestants],
        "memory a step": [c.step_bytes / max(first.step_bytes, 1) for c in one.contestants],
        "parameters": [c.parameters / first.parameters for c in one.contestants],
    }
    high = 0.8 / len(bars)
    for k, (words, values) in enumerate(bars.items()):
        at = np.arange(len(values)) - 0.4 + (k + 0.5) * high
        ax.barh(at, values, height=0.9 * high, color=COLOURS[k], label=words)
    ax.axvline(1.0, color=QUIET, linewidth=0.8)
    _rows(ax, [c.name for c in one.contestants])
    inside(ax, size=7.5)
    return titled(ax, f"what it costs, over {first.name}")


def steps_seen(ax: "Axes", one: Comparison) -> "Axes":
    """The score on the test against how many of the last steps were seen."""
    _lines(ax, one, {c.name: c.lengths for c in one.contestants})
    ticks = sorted({steps for c in one.contestants for steps in c.lengths})
    ax.set_xscale("log")
    ax.set_xticks(ticks, [str(steps) for steps in ticks])
    ax.minorticks_off()
    ax.set_xlabel(f"last steps seen, of {one.step} each", color=INK, fontsize=8)
    return titled(ax, f"{one.metric}, as the dependence grows longer")


def order(ax: "Axes", one: Comparison) -> "Axes":
    """The score on the test against the share of steps whose order was shuffled."""
    shares = {
        c.name: {100 * share: values for share, values in c.orders.items()} for c in one.contestants
    }
    _lines(ax, one, shares)
    ax.set_xlabel("steps shuffled, the oldest first, in per cent", color=INK, fontsize=8)
    return titled(ax, f"{one.metric}, as the order is shuffled")


def _lines(
    ax: "Axes",
    one: Comparison,
    curves: Mapping[str, Mapping[int, list[float]] | Mapping[float, list[float]]],
) -> None:
    of = colours(one)
    for name, curve in curves.items():
        colour, line = of[name]
        values = [mean(scores).value for scores in curve.values()]
        ax.plot(list(curve), values, line, marker="o", ms=3.5, color=colour, label=name)
    inside(ax, size=7.5)


def _rows(ax: "Axes", names: Sequence[str]) -> None:
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(False)
    ax.grid(True, axis="x", color=QUIET, alpha=0.25, linewidth=0.6)
