"""Plots. Each function draws on the axes it is given and returns them.

Figures are made with `figure`, never with pyplot, so that no global state is touched and no
display is needed. Colours are fixed: blue is the model, orange the baseline, ink the truth.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL = "#2f7fd1"
BASELINE = "#e08214"
QUIET = "#8a8f98"
# Stands for the colour of the page's text, which differs between light and dark.
INK = "#010203"


def figure(
    rows: int = 1, columns: int = 1, height: float = 2.6, width: float = 8.6
) -> "tuple[Figure, list[Axes]]":
    """A figure of equal axes, and those in reading order. Sizes in inches, `height` of one row."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height * rows), layout="constrained")
    axes = np.atleast_1d(np.asarray(drawn.subplots(rows, columns))).ravel()
    for ax in axes:
        _style(ax)
    return drawn, list(axes)


def _style(ax: "Axes") -> None:
    ax.set_facecolor("none")
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(QUIET)
    ax.tick_params(colors=INK, labelsize=8, color=QUIET)
    ax.grid(True, axis="y", color=QUIET, alpha=0.25, linewidth=0.6)


def forecast(
    ax: "Axes",
    times: Any,
    truth: Any,
    lines: Mapping[str, tuple[Any, Any, str]],
    *,
    title: str = "",
    starts: Sequence[Any] = (),
) -> "Axes":
    """The truth against time, and forecasts over it.

    Args:
        times, truth: arrays of the observed values (dates of NumPy are understood).
        lines: name -> (times, values, colour), drawn in this order.
        title: above the axes.
        starts: times at which a forecast was made, each a thin vertical line.
    """
    ax.plot(times, truth, color=INK, linewidth=1.1, label="observed")
    for name, (at, values, colour) in lines.items():
        ax.plot(at, values, color=colour, linewidth=1.5, label=name)
    for start in starts:
        ax.axvline(start, color=QUIET, linewidth=0.6, linestyle=":")
    if title:
        ax.set_title(title, color=INK, fontsize=9, loc="left", fontweight="bold", parse_math=False)
    _readable_dates(ax, times)
    return ax


def band(
    ax: "Axes", times: Any, lower: Any, upper: Any, *, name: str = "", depth: int = 0
) -> "Axes":
    """A translucent band of the model between two lines; `depth` bands are already around it."""
    alpha = min(0.6, 0.16 + 0.16 * depth)
    ax.fill_between(times, lower, upper, color=MODEL, alpha=alpha, linewidth=0, label=name)
    return ax


def _readable_dates(ax: "Axes", times: Sequence[Any]) -> None:
    if not isinstance(np.asarray(times).flat[0], np.datetime64):
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    form = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(form)
    ax.xaxis.get_offset_text().set_color(INK)
    ax.xaxis.get_offset_text().set_fontsize(8)


def legend(ax: "Axes", columns: int = 4) -> "Axes":
    """A legend above the axes."""
    return inside(ax, "lower right", (1.0, 1.0), columns=columns)


def inside(
    ax: "Axes",
    where: str = "best",
    anchor: tuple[float, float] | None = None,
    *,
    size: float = 8,
    columns: int = 1,
) -> "Axes":
    """A legend within the axes or, with an `anchor`, beside them; a title may stand above."""
    place: dict[str, Any] = {"loc": where, "bbox_to_anchor": anchor, "ncols": columns}
    for text in ax.legend(fontsize=size, frameon=False, **place).get_texts():
        text.set_color(INK)
    return ax


def titled(ax: "Axes", words: str) -> "Axes":
    """A title above the left end; a dollar sign in it is one."""
    ax.set_title(words, color=INK, fontsize=9, loc="left", parse_math=False)
    return ax


def training_loss(ax: "Axes", history: Sequence[Mapping[str, Any]]) -> "Axes":
    """Training loss against steps, from the lines of a history."""
    losses = [(line["step"], line["loss"]) for line in history if line.get("loss") is not None]
    if losses:
        ax.plot(*zip(*losses, strict=True), color=QUIET, linewidth=1.4)
    return _steps(ax, "training loss")


def validation(ax: "Axes", history: Sequence[Mapping[str, Any]], level: float, name: str) -> "Axes":
    """The metric on validation against steps, and the best baseline's `level`, called `name`."""
    found = [
        (line["step"], *next(iter(line["metrics"].items())), bool(line.get("best")))
        for line in history
        if line.get("metrics")
    ]
    if not found:
        return ax
    steps, names, values, best = zip(*found, strict=True)
    ax.plot(steps, values, color=MODEL, linewidth=1.6)
    if any(best):
        kept = max(k for k, flag in enumerate(best) if flag)
        ax.plot([steps[kept]], [values[kept]], "o", color=MODEL, label="kept")
    ax.axhline(level, color=BASELINE, linewidth=1.2, linestyle="--", label=name)
    return legend(_steps(ax, f"{names[0]} on validation"), 2)


def _steps(ax: "Axes", title: str) -> "Axes":
    ax.set_xlabel("optimiser steps", color=INK, fontsize=8)
    return titled(ax, title)


def svg(ax: "Axes") -> str:
    """The figure of `ax` as inline SVG whose ink is the colour of the text around it."""
    file = io.StringIO()
    whole = ax.get_figure(root=True)
    assert whole is not None
    whole.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
