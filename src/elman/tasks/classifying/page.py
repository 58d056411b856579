"""The report of a classifier: an HTML page."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from elman.report import Page, Section, Table, page, plots
from elman.tasks.classifying.counting import BAG, FEEDFORWARD, MAJORITY, SUMMARY
from elman.tasks.classifying.drawing import LINES, how_sure, reliability, sequence
from elman.tasks.classifying.evaluation import WORDS
from elman.tasks.classifying.fitted import Fitted, Judged
from elman.tasks.classifying.influence import column_losses, influence
from elman.tasks.classifying.learning import size
from elman.tasks.classifying.measuring import confusion
from elman.tasks.classifying.settings import ClassifySettings
from elman.tasks.shared import examined

_CLASSES = 20  # in a confusion matrix
_MISTAKES = 12
_DRAWN = 6  # of them, where they are sequences of numbers
_EXPLAINED = 6
_CHARACTERS = 300


def build(
    title: str,
    s: ClassifySettings,
    fitted: Fitted,
    history: Path,
    toml: str,
    next_steps: str,
    files: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The page of a run, as HTML.

    Args:
        title: at the top.
        history: `history.jsonl` of the run.
        toml: the settings as TOML.
        next_steps: commands to try next.
        files: names of those that `validation` and `test` came from; drawn where they are not told.
    """
    evaluation, judged = fitted.evaluation, fitted.judged
    if judged is None:
        raise RuntimeError("the examples must be at hand; got a model file alone; train it again")
    sections = [
        Section("Results beside the baselines", _results(fitted)),
        *([] if s.several else [Section("What was taken for what", _confusion(fitted, judged))]),
        Section("What mattered", _mattered(fitted, s, judged)),
        Section("Worst mistakes", _worst(fitted, s, judged)),
        Section("Calibration", _calibration(fitted, s)),
        Section("Learning curve", _curve(fitted, history)),
        *examined(fitted.result),
        Section("What was understood", page.definitions(list(fitted.understood))),
        Section("How it was measured", _method(s, fitted, files)),
        Section("Settings", page.preformatted(toml)),
        Section("Next", page.preformatted(next_steps)),
    ]
    return Page(title, evaluation.verdict(), evaluation.beats_best_baseline, tuple(sections)).html()


def _results(fitted: Fitted) -> str:
    notes = "".join(page.paragraph(text, "warning") for text in fitted.notes)
    return fitted.evaluation.table().html() + notes


def _confusion(fitted: Fitted, judged: Judged) -> str:
    return confusion_table(fitted, judged).html()


def confusion_table(fitted: Fitted, judged: Judged) -> Table:
    """Classes against what they were taken for; of many, the most frequent confusions."""
    counts, names = confusion(judged.found, judged.flags), fitted.reader.classes
    if len(names) <= _CLASSES:
        rows = [[name, *map(str, row)] for name, row in zip(names, counts.tolist(), strict=True)]
        note = "Rows: what it is. Columns: what it was taken for."
        return Table("", ["", *names], rows, note)
    off = counts * (1 - np.eye(len(names), dtype=int))
    order = np.argsort(-off, axis=None, kind="stable")[:_CLASSES]
    pairs = [divmod(int(k), len(names)) for k in order if off.flat[k]]
    rows = [[names[a], names[b], str(off[a, b]), str(counts[a].sum())] for a, b in pairs]
    return Table("", ["what it is", "taken for", "times", "of"], rows)


def _mattered(fitted: Fitted, s: ClassifySettings, judged: Judged) -> str:
    if fitted.reader.lexicon is None:
        losses = column_losses(fitted, s.several, judged.examples, judged.flags)
        ranked = sorted(losses.items(), key=lambda pair: -pair[1])[:_CLASSES]
        rows = [[name, f"{lost:+.3f}"] for name, lost in ranked]
        note = "Nats a label by which the log loss rises when a column is taken to be missing."
        return Table("", ["column", "log loss"], rows, note).html()
    words = (
        "Each word is left out in turn. Blue speaks for the class, orange against it; the "
        f"difference in log-odds shows under the pointer. From {judged.examples.name}."
    )
    parts = [page.paragraph(words, "note")]
    for k in _varied(fitted, s, judged):
        found = influence(fitted, s.several, judged.examples.inputs[k][:2000])
        given, true = _said_and_true(fitted, s, judged, k)
        head = f"{judged.examples.places[k]}: {given}, {found.probability:.0%} sure; it is {true}"
        if s.several:
            speaks = f"in colour, what speaks for {found.label}, {found.probability:.0%} sure"
            head = f"{judged.examples.places[k]}: {given}; it is {true}; {speaks}"
        parts.append(page.paragraph(head) + found.html())
    return "".join(parts)


def _said_and_true(fitted: Fitted, s: ClassifySettings, judged: Judged, k: int) -> tuple[str, str]:
    """The classes that example `k` was given, and those that it has."""
    names, flags = fitted.reader.classes, (_chosen(s, judged)[k], judged.flags[k])
    given, true = (", ".join(names[c] for c in np.flatnonzero(one)) or "none" for one in flags)
    return given, true


def _chosen(s: ClassifySettings, judged: Judged) -> Any:
    """Which classes each example was given: (N, C)."""
    found = judged.found
    return found >= 0.5 if s.several else np.arange(found.shape[1]) == found.argmax(1)[:, None]


def _varied(fitted: Fitted, s: ClassifySettings, judged: Judged) -> list[int]:
    """Examples of several classes, neither very short nor very long, wrong ones among them."""
    lengths = np.asarray([len(one.split()) for one in judged.examples.inputs])
    middling = np.flatnonzero((lengths >= min(8, lengths.max())) & (lengths <= 60))
    candidates = middling if middling.size >= _EXPLAINED else np.arange(len(lengths))
    truth = np.where(judged.flags.any(1), judged.flags.argmax(1), -1)
    right = (_chosen(s, judged) == judged.flags).all(1)
    found: list[int] = []
    for wanted in (False, True):
        for k in range(len(fitted.reader.classes)):
            at = candidates[(truth[candidates] == k) & (right[candidates] == wanted)]
            found += at[:2].tolist() if wanted else at[:1].tolist()
    wrong = [k for k in found if not right[k]][: _EXPLAINED // 3]
    return [*(k for k in found if right[k])][: _EXPLAINED - len(wrong)] + wrong


def _worst(fitted: Fitted, s: ClassifySettings, judged: Judged) -> str:
    pairs = worst(fitted, s, judged)
    if not pairs:
        return page.paragraph("There are none.")
    note = f"From {judged.examples.name}, the surest first."
    drawn = _drawn(fitted, s, judged) if fitted.reader.lexicon is None else ""
    return page.paragraph(note, "note") + page.definitions(pairs) + drawn


def _drawn(fitted: Fitted, s: ClassifySettings, judged: Judged) -> str:
    """The first of the worst mistakes as curves, where they are sequences of numbers."""
    rows, scaling = _worst_rows(s, judged)[:_DRAWN], fitted.reader.scaling
    assert scaling is not None
    _, axes = plots.figure(-(-len(rows) // 3), 3, height=1.9)
    for ax, k in zip(axes, rows, strict=False):
        given, true = _said_and_true(fitted, s, judged, k)
        values = (judged.examples.inputs[k] - scaling.mean) / scaling.std
        sequence(ax, values, f"{judged.examples.places[k]}: {given}; it is {true}")
    for ax in axes[len(rows) :]:
        ax.set_axis_off()
    named = zip(fitted.reader.columns, LINES.values(), strict=False)
    lines = ", ".join(f"{column} in {colour}" for column, colour in named)
    caption = f"Against steps, in standard deviations of the training part: {lines}."
    return page.figure(plots.svg(axes[0]), caption)


def worst(fitted: Fitted, s: ClassifySettings, judged: Judged) -> list[tuple[str, str]]:
    """Where the network was wrong and most sure of it: what was said, and the example."""
    costs = _costs(judged)
    pairs = []
    for k in _worst_rows(s, judged):
        given, true = _said_and_true(fitted, s, judged, k)
        where = judged.examples.places[k]
        pairs.append((f"{where}: {given}, {costs[k]:.0%} sure; it is {true}", _shown(judged, k)))
    return pairs


def _costs(judged: Judged) -> Any:
    """The largest probability of what is wrong, for each example: (N,)."""
    return np.where(judged.flags, 1 - judged.found, judged.found).max(1)


def _worst_rows(s: ClassifySettings, judged: Judged) -> list[int]:
    wrong = np.flatnonzero((_chosen(s, judged) != judged.flags).any(1))
    found: list[int] = wrong[np.argsort(-_costs(judged)[wrong], kind="stable")][:_MISTAKES].tolist()
    return found


def _shown(judged: Judged, k: int) -> str:
    one = judged.examples.inputs[k]
    if not isinstance(one, str):
        return f"{len(one)} steps"
    text = " ".join(one.split())
    return text if len(text) <= _CHARACTERS else text[: _CHARACTERS - 3] + "..."


def _calibration(fitted: Fitted, s: ClassifySettings) -> str:
    _, (ax, right) = plots.figure(1, 2)
    reliability(ax, fitted, s.several)
    how_sure(right, fitted, s.several)
    caption = (
        f"Left: on the dashed line probabilities are what they say. Right: how many there are. "
        f"Logits are divided by {fitted.temperature:.2f}, chosen on validation."
    )
    return page.figure(plots.svg(right), caption)


def _curve(fitted: Fitted, history: Path) -> str:
    evaluation = fitted.evaluation
    lines: list[dict[str, Any]] = []
    if history.exists():
        lines = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    best = evaluation.best_baseline
    value = evaluation.validation[best].value(evaluation.metric)
    _, (left, right) = plots.figure(1, 2)
    plots.training_loss(left, lines)
    level = -value if evaluation.metric == "loss" else 1 - value
    plots.validation(right, lines, level, best)
    caption = (
        "Left: nats a label on batches, with dropout. Right: averaged weights on validation; the "
        "dot marks those that are kept."
    )
    if fitted.bag is not None:
        caption += f" Of the network alone, without the scores of the {BAG}."
    return page.figure(plots.svg(right), caption)


def _parts(files: Mapping[str, str]) -> str:
    found = [f"{part} from {file}" for part, file in files.items()]
    drawn = "drawn so that each class has its share, and equal examples are in one part"
    if len(found) == 1:
        drawn = f"the others {drawn}"
    return "; ".join([*found, *([drawn] if len(found) < 2 else [])])


def _method(s: ClassifySettings, fitted: Fitted, files: Mapping[str, str]) -> str:
    pairs = [("network", f"{size(fitted.network):,} parameters, {s.cell}")]
    if fitted.bag is not None:
        words = "by a weight that makes the log loss on validation least; one row has it alone"
        pairs.append((fitted.evaluation.network, f"logits of both, the second added {words}"))
    if fitted.result is not None:
        found = fitted.result
        words = f"{found.steps:,} updates in {found.seconds:.0f} s, stopped by {found.stopped}"
        pairs.append(("training", f"{words}; the best was {found.best_step:,}"))
    pairs += [
        ("chosen by", f"{WORDS[s.chosen_by]} on validation"),
        ("parts", _parts(files)),
        (MAJORITY, "how often each class occurs in the training part"),
    ]
    if fitted.reader.lexicon is None:
        words = "logistic regression on mean, deviation, range, ends, steps and missing of columns"
        pairs.append((SUMMARY, words))
    else:
        words = "logistic regression on words and pairs of neighbours"
        pairs.append((BAG, words + "; L2 chosen on validation"))
    if not s.no_feedforward:
        what = "32 points of each" if fitted.reader.lexicon is None else "the mean of word vectors"
        pairs.append((FEEDFORWARD, f"as many parameters on {what}; the same updates and rules"))
    return page.definitions(pairs)
