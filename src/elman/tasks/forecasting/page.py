"""The report of a forecast: an HTML page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elman.data import Panel
from elman.report import Page, Section, Table, page, plots
from elman.tasks.forecasting import statistical
from elman.tasks.forecasting.crossed import Crossed
from elman.tasks.forecasting.drawing import axis_times
from elman.tasks.forecasting.ensemble import members
from elman.tasks.forecasting.evaluation import Evaluation
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.intervals import Intervals, Made, supported_ends
from elman.tasks.forecasting.measuring import every_method
from elman.tasks.forecasting.windows import Cut, cut
from elman.tasks.shared import examined

_DRAWN = 6  # series
_STEPS_DRAWN = 240
_ROWS = 30


def build(
    title: str,
    network: str,
    fitted: Fitted,
    panel: Panel,
    history: Path,
    settings: str,
    next_steps: str,
    crossed: Crossed | None = None,
) -> str:
    """The page of a run, as HTML.

    Args:
        title: at the top.
        network: the name of the recurrent network.
        history: `history.jsonl` of the run.
        settings: as TOML.
        next_steps: commands to try next.
        crossed: what a cross-validation came to, if there was one.
    """
    evaluation = fitted.evaluation
    sections = [
        Section("Results beside the baselines", _results(fitted)),
        Section("Forecasts on the test", _pictures(network, fitted, panel)),
        Section("Learning curve", _curve(evaluation, history)),
        *examined(fitted.result),
        Section("What was understood of the data", _understood(fitted)),
        Section("How it was measured", _method(fitted)),
        Section("Settings", page.preformatted(settings)),
        Section("Next", page.preformatted(next_steps)),
    ]
    if len(panel.series) > 1:
        sections.insert(2, Section("Each series", _each(evaluation)))
    if crossed is not None:
        sections.insert(-4, Section("Cross-validation", crossed.table().html()))
    if evaluation.levels:
        sections.insert(2, Section("Intervals", evaluation.intervals().html()))
    return Page(title, evaluation.verdict(), evaluation.beats_best_baseline, tuple(sections)).html()


def _results(fitted: Fitted) -> str:
    notes = "".join(
        page.paragraph(text, "note" if text.startswith(statistical.AUTO_ETS) else "warning")
        for text in fitted.notes
    )
    tables = fitted.evaluation.table().html() + fitted.evaluation.more().html()
    return tables + notes


def _pictures(network: str, fitted: Fitted, panel: Panel) -> str:
    cuts = cut(fitted.parts(panel), fitted.shape, "test")
    chosen = _spread(fitted.evaluation, cuts)
    starts = {one.id: one.first for one in panel.series}
    drawn = [_picture(network, fitted, one, starts[one.part.id]) for one in chosen]
    words = "Each stretch between two dotted lines is forecast at its start, from what came before."
    if len(cuts) > len(chosen):
        words += (
            f" Drawn: {len(chosen)} of {len(cuts)} series, from the best forecast to the worst."
        )
    return page.paragraph(words, "note") + "".join(drawn)


def _spread(evaluation: Evaluation, cuts: list[Cut]) -> list[Cut]:
    """All series if they are few; else some, evenly from the best forecast to the worst."""
    if len(cuts) <= _DRAWN:
        return cuts
    errors = {
        row["id"]: row["mae"] if row["mase"] is None else row["mase"]
        for row in evaluation.per_series
        if row["method"] == evaluation.network
    }
    ranked = sorted(cuts, key=lambda one: errors.get(one.part.id, 0.0))
    return [ranked[k] for k in np.linspace(0, len(ranked) - 1, _DRAWN).round().astype(int)]


def _picture(network: str, fitted: Fitted, one: Cut, first: int) -> str:
    """The last test windows of a series: truth, best baseline, network."""
    shape, calendar = fitted.shape, fitted.calendar
    shown = min(len(one.truth), max(1, _STEPS_DRAWN // shape.h))
    before = min(max(shape.season, shape.h), int(one.origins[-shown]) - one.part.pad)
    begin = int(one.origins[-shown]) - before
    steps = np.arange(begin, one.part.values.size) - one.part.pad
    times = axis_times(calendar, calendar.frequency.advance(first, steps, calendar.clock))
    best = fitted.evaluation.best_baseline
    values = _made(network, fitted, one)
    end = before + shown * shape.h
    lines = {
        name: (times[before:end], values[name].point[-shown:].ravel(), colour)
        for name, colour in ((best, plots.BASELINE), (network, plots.MODEL))
    }
    _, (ax,) = plots.figure()
    ends = intervals(fitted, values[network], one)
    for k, (level, (lower, upper)) in enumerate(reversed(ends.items())):
        flat = (lower[-shown:].ravel(), upper[-shown:].ravel())
        plots.band(ax, times[before:end], *flat, name=f"{level:g} %", depth=k)
    starts = times[before : end : shape.h]
    plots.forecast(ax, times, one.part.values[begin:], lines, starts=starts)
    return page.figure(plots.svg(plots.legend(ax, 6)), one.part.id, above=True)


def _made(network: str, fitted: Fitted, one: Cut) -> dict[str, Made]:
    """The forecasts of a series, by every method; AutoETS only where it is to be drawn."""
    shape, best = fitted.shape, fitted.evaluation.best_baseline
    others = statistical.methods(shape, 1, 1) if best == statistical.AUTO_ETS else {}
    found = every_method([one], shape, fitted.networks(network), fitted.manner.support, others)
    return {name: each[0] for name, each in found.items()}


def intervals(fitted: Fitted, made: Made, one: Cut) -> Intervals:
    """The network's intervals (windows, h) of one series; none in a model stored without."""
    if fitted.calibration is None:
        return {}
    scales = np.full(len(made.point), one.part.scale)
    found = fitted.calibration.intervals(made, scales, fitted.manner.levels)
    return supported_ends(found, fitted.manner.support)


def _curve(evaluation: Evaluation, history: Path) -> str:
    lines = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    _, (left, right) = plots.figure(1, 2)
    best = evaluation.best_baseline
    plots.training_loss(left, lines)
    plots.validation(right, lines, evaluation.validation[best].chosen_by, best)
    caption = (
        "Left: the error on batches, over the standard deviation, with dropout. Right: averaged "
        "weights, without; the dot marks those that are kept."
    )
    return page.figure(plots.svg(right), caption)


def _each(evaluation: Evaluation) -> str:
    """Each series, the best forecast first; of many, the best and the worst."""
    methods = list(evaluation.test)
    rows: dict[str, dict[str, float]] = {}
    for row in evaluation.per_series:
        value = row["mae"] if row["mase"] is None else row["mase"]
        rows.setdefault(row["id"], {})[row["method"]] = value
    ranked = sorted(rows, key=lambda name: rows[name][evaluation.network])
    title, note = "MASE on the test (MAE where it is not defined), the best forecast first", ""
    if len(ranked) > _ROWS:
        half = _ROWS // 2
        note = (
            f"The {half} best and the {half} worst of {len(ranked):,} series; all of them are in "
            "metrics.json."
        )
        ranked = ranked[:half] + ranked[-half:]
    cells = [[name, *(_three(rows[name].get(m)) for m in methods)] for name in ranked]
    return Table(title, ["series", *methods], cells, note).html()


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _understood(fitted: Fitted) -> str:
    found = fitted.understood
    pairs = [(role, f"{name}: {reason}") for role, name, reason in found["columns"]]
    pairs += [("ignored", ", ".join(found["ignored"]))] if found["ignored"] else []
    pairs += [(what, words) for what, words in found["facts"]]
    warnings = "".join(page.paragraph(text, "warning") for text in found["warnings"])
    short = ""
    if fitted.short:
        names = _few(fitted.short)
        short = page.paragraph(f"Too short to train or be tested on: {names}", "warning")
    return page.paragraph(found["source"]) + page.definitions(pairs) + warnings + short


def _extras(fitted: Fitted) -> list[tuple[str, str]]:
    """What was asked for beyond the usual."""
    found = []
    names = [name for each in fitted.encoding.lists().values() for name in each]
    if names:
        who = "NLinear and feedforward see them too; naive forecasts and AutoETS do not"
        found.append(("covariates", f"{', '.join(names)}; {who}"))
    several = len(members(fitted.model))
    if several > 1:
        found.append(("ensemble", f"the mean of {several} networks with seeds of their own"))
    if fitted.manner.support != "real":
        found.append(("support", f"{fitted.manner.support}, of every forecast and interval"))
    return found


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _method(fitted: Fitted) -> str:
    shape, result = fitted.shape, fitted.result
    size = sum(p.numel() for p in fitted.model.parameters())
    pairs: list[tuple[str, Any]] = [
        ("network", f"{size:,} parameters; sees {shape.window} steps, {shape.segment} at a time"),
        ("start", f"the value {shape.start} steps ago" if shape.start else "the last value"),
        ("test", f"the last {shape.test} x {shape.h} steps of each series; used for nothing else"),
        (
            "validation",
            f"the {shape.validation} x {shape.h} steps before; chooses the weights",
        ),
        ("scale", "of each series from its training part alone"),
        (
            "baselines",
            "NLinear and feedforward are trained by the same rules, with the same budget",
        ),
        *_extras(fitted),
    ]
    if result is not None:
        words = (
            f"{result.steps:,} steps in {result.seconds:.0f} s; the best was {result.best_step:,}"
        )
        pairs.insert(1, ("training", words))
    return page.definitions(pairs)
