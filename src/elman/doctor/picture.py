"""Plots of what happens within a recurrent layer. Each function draws on `ax` and returns it.

`elman.report.plots.figure` makes axes in the house's style; any others will do. Colours are fixed:
the first three are blue, orange and green, in the order that lines are given.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.doctor.inspection import Inspection, Trace
from elman.report.plots import BASELINE, INK, MODEL, QUIET, figure, legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from elman.doctor.examination import Examination
    from elman.doctor.measure import Measured
    from elman.doctor.memory import Memory
    from elman.doctor.weights import Spectrum

Array = np.ndarray[Any, np.dtype[Any]]
Curve = "Array | Inspection | Trace"

COLOURS = (MODEL, BASELINE, "#3a9e5c", "#b5489a", "#7b62c9", "#9c7a3c", QUIET)
_LABELS = 80  # more than these do not fit under the axis
_SMALLEST = 1e-30
_DEEPEST = 1e-12  # where logarithmic axes end


def gates(
    ax: "Axes",
    trace: Trace,
    row: int = 0,
    *,
    names: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
) -> "Axes":
    """Gates over the steps of a row: the mean over units, and a band that holds half of them.

    Args:
        trace: a layer, from `elman.inspect`.
        row: of the batch.
        names: of the values to draw; by default the gates.
        labels: one for each step, such as the characters or columns of the input.

    Raises:
        ValueError: the layer has no gates, or `labels` do not fit.
    """
    chosen = trace.gates if names is None else tuple(names)
    if not chosen:
        raise ValueError(f"names: {trace.name} has no gates; it has {', '.join(trace.values)}")
    steps = _steps(trace, row)
    for colour, name in zip(_colours(len(chosen)), chosen, strict=True):
        value = trace[name][row, steps]
        low, high = np.quantile(value, (0.25, 0.75), axis=1)
        ax.fill_between(steps, low, high, color=colour, alpha=0.18, linewidth=0)
        ax.plot(steps, value.mean(1), color=colour, linewidth=1.6, label=name)
    if names is None:
        ax.set_ylim(-0.03, 1.03)
        ax.set_ylabel("closed 0, open 1", color=INK, fontsize=8)
    return legend(_over_steps(ax, steps, labels))


def states(
    ax: "Axes",
    trace: Trace,
    row: int = 0,
    *,
    name: str | None = None,
    labels: Sequence[str] | None = None,
) -> "Axes":
    """A value of every unit over the steps of a row, by default the first state: red is positive.

    Units are sorted by when they are most active, so that what they answer to shows. A gate goes
    from white, closed, to dark, open.
    """
    name = trace.states[0] if name is None else name
    steps = _steps(trace, row)
    value = trace[name][row, steps].T
    value = value[np.argsort(np.abs(value).argmax(1), kind="stable")]
    gate = trace.kinds.get(name) == "sigmoid"
    most = 1.0 if gate else max(float(np.abs(value).max(initial=0.0)), 1e-12)
    low, colours = (0.0, "Blues") if gate else (-most, "RdBu_r")
    image = ax.imshow(
        value,
        aspect="auto",
        cmap=colours,
        vmin=low,
        vmax=most,
        interpolation="nearest",
        extent=(steps[0] - 0.5, steps[-1] + 0.5, len(value) - 0.5, -0.5),
    )
    ax.grid(False)
    drawn = ax.figure.colorbar(image, ax=ax, pad=0.01)
    drawn.ax.tick_params(labelsize=7, colors=INK)
    drawn.outline.set_visible(False)
    ax.set_ylabel("units, sorted", color=INK, fontsize=8)
    return _over_steps(_title(ax, f"{trace.name}: {name}"), steps, labels)


def gradient_norm(ax: "Axes", curves: "Mapping[str, Array | Inspection | Trace]") -> "Axes":
    """The length of dL/ds_t against the step, for several models on one axis.

    Args:
        curves: by name, what `elman.inspect` returned with a loss, one layer of it, or an array
            (T,), such as its `gradient_norm()`.
    """
    for colour, (name, curve) in zip(_colours(len(curves)), curves.items(), strict=True):
        values = curve if isinstance(curve, np.ndarray) else curve.gradient_norm()
        ax.plot(_loggable(values), color=colour, linewidth=1.6, label=name)
    ax.set_yscale("log")
    ax.set_xlabel("step", color=INK, fontsize=8)
    return _inside(_title(ax, "length of dL/dstate"))


def spectrum(ax: "Axes", spectra: "Mapping[str, Spectrum]") -> "Axes":
    """The eigenvalues of U, a colour for each gate, and the circle on which nothing fades or grows.

    Args:
        spectra: by gate, as `examination.layers[name].spectra`, or of `elman.doctor.spectra`.
    """
    round_ = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
    ax.plot(round_.real, round_.imag, color=QUIET, linewidth=1.0)
    farthest = 1.0
    for colour, (gate, one) in zip(_colours(len(spectra)), spectra.items(), strict=True):
        if one.eigenvalues is not None:
            values = one.eigenvalues
            farthest = max(farthest, float(np.abs(values).max(initial=0.0)))
            ax.plot(values.real, values.imag, "o", ms=3, color=colour, label=gate, alpha=0.8)
    ax.set_xlim(-1.15 * farthest, 1.15 * farthest)
    ax.set_ylim(-1.15 * farthest, 1.15 * farthest)
    ax.set_aspect("equal")
    ax.set_xlabel("real", color=INK, fontsize=8)
    ax.set_ylabel("imaginary", color=INK, fontsize=8)
    return _inside(_title(ax, "eigenvalues of U"), "upper left", anchor=(1.0, 1.0))


def memory(ax: "Axes", curves: "Mapping[str, Memory]") -> "Axes":
    """How much an input d steps back still changes the last output, over the largest such effect.

    Args:
        curves: by name, as `examination.layers[name].memory`.
    """
    from elman.doctor.memory import STILL

    for colour, (name, one) in zip(_colours(len(curves)), curves.items(), strict=True):
        largest = max(float(one.inputs.max(initial=0.0)), _SMALLEST)
        ax.plot(_loggable(one.inputs / largest), color=colour, linewidth=1.6, label=name)
    ax.axhline(STILL, color=QUIET, linewidth=0.8, linestyle="--")
    ax.set_yscale("log")
    ax.set_ylim(bottom=max(ax.get_ylim()[0], _DEEPEST))
    ax.set_xlabel("steps back", color=INK, fontsize=8)
    ax.locator_params(axis="x", integer=True)
    return _inside(_title(ax, "effect of an input on the last output"))


def examination(one: "Examination") -> "Figure":
    """The picture of an examination: a row for each layer."""
    layers = [layer for layer in one.layers.values() if layer.memory is not None]
    drawn, axes = figure(max(1, len(layers)), 3, height=2.9, width=10.5)
    for k, layer in enumerate(layers):
        left, middle, right = axes[3 * k : 3 * k + 3]
        _both_ways(left, layer)
        _bounded(middle, layer)
        _spectrum_or_singular(right, layer)
    if not layers:
        for ax in axes:
            ax.set_axis_off()
    return drawn


def _both_ways(ax: "Axes", layer: "Measured") -> "Axes":
    assert layer.memory is not None
    memory(ax, {"an input": layer.memory})
    back, inputs = layer.memory.states, layer.memory.inputs
    start = back[0] if back[0] > 0 else 1.0
    pairs = [(back, start), (inputs, inputs.max() or 1.0)]
    ax.plot(_loggable(back / start), color=BASELINE, linewidth=1.6, label="state's gradient")
    scaled = np.concatenate([_loggable(curve / most) for curve, most in pairs] + [[1.0]])
    # A hundred times below the lowest there is room for the legend.
    ax.set_ylim(max(np.nanmin(scaled) / 100, _DEEPEST), 3 * np.nanmax(scaled))
    return _title(_inside(ax, "lower left"), f"{layer.name}: what lies d steps back")


def _bounded(ax: "Axes", layer: "Measured") -> "Axes":
    """The mean of each bounded value, and the share of its entries at either end."""
    names = list(layer.bounded)
    if not names:
        ax.set_axis_off()
        words = "no sigmoid, tanh or relu"
        ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", color=INK, fontsize=8)
        return ax
    low = np.asarray([layer.bounded[name].low for name in names])
    high = np.asarray([layer.bounded[name].high for name in names])
    at = np.arange(len(names))
    ax.barh(at, -low, color=BASELINE, height=0.6)
    ax.barh(at, high, color=MODEL, height=0.6)
    ax.axvline(0, color=QUIET, linewidth=0.8)
    if not (low.any() or high.any()):
        ax.text(0.04, (len(names) - 1) / 2, "none at its ends", va="center", color=INK, fontsize=8)
    ax.set_xlim(-1.02, 1.02)
    ax.set_xticks([-1, -0.5, 0, 0.5, 1], ["100 %", "50 %", "0", "50 %", "100 %"])
    ax.set_yticks(at, [f"{name}  {layer.bounded[name].mean:.2f}" for name in names])
    # From the top, and a bar alone is no wider than one of three.
    ax.set_ylim(max(len(names), 3) - 0.5, -0.5)
    ax.grid(False)
    ax.set_xlabel("closed, -1 or zero  |  open or 1", color=INK, fontsize=8)
    return _title(ax, "mean, and share of entries at their ends")


def _spectrum_or_singular(ax: "Axes", layer: "Measured") -> "Axes":
    if any(one.eigenvalues is not None for one in layer.spectra.values()):
        return spectrum(ax, layer.spectra)
    if layer.step is None:
        ax.set_axis_off()
        return ax
    for values in layer.step.singular:
        ax.plot(_loggable(values), color=MODEL, linewidth=1.0, alpha=0.7)
    ax.axhline(1, color=QUIET, linewidth=0.8, linestyle="--")
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(min(max(low, 1e-6), 0.08), max(high, 2.0))
    ax.set_xlabel("number", color=INK, fontsize=8)
    return _title(ax, "singular values of a step")


def _steps(trace: Trace, row: int) -> Array:
    rows = len(trace.lengths)
    if not -rows <= row < rows:
        raise ValueError(f"row: must be below {rows}, the rows of the batch; got {row}")
    return np.arange(int(trace.lengths[row]))


def _over_steps(ax: "Axes", steps: Array, labels: Sequence[str] | None) -> "Axes":
    if labels is None:
        ax.set_xlabel("step", color=INK, fontsize=8)
        return ax
    if len(labels) < len(steps):
        raise ValueError(f"labels: must be one for each of {len(steps)} steps, got {len(labels)}")
    every = -(-len(steps) // _LABELS)
    shown = [str(labels[k]) for k in steps[::every]]
    ax.set_xticks(steps[::every], shown, fontsize=7, parse_math=False)
    if max(map(len, shown), default=0) > 2:
        ax.tick_params(axis="x", labelrotation=90)
    return ax


def _title(ax: "Axes", words: str) -> "Axes":
    ax.set_title(words, color=INK, fontsize=9, loc="left", parse_math=False)
    return ax


def _inside(ax: "Axes", where: str = "best", anchor: tuple[float, float] | None = None) -> "Axes":
    """A legend within the axes or beside them, where a title stands above."""
    place: dict[str, Any] = {"loc": where, "bbox_to_anchor": anchor}
    drawn = ax.legend(fontsize=8, frameon=False, **place)
    for text in drawn.get_texts():
        text.set_color(INK)
    return ax


def _loggable(values: Array) -> Array:
    """Zeros and what is not finite are left out of a logarithmic axis."""
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values) & (values > _SMALLEST), values, np.nan)


def _colours(count: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(count)]
