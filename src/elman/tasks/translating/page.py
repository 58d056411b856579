"""The report of a translator: an HTML page."""

import json
from pathlib import Path
from typing import Any

from elman.report import Page, Section, Table, page, plots
from elman.tasks.translating import baselines
from elman.tasks.translating.drawing import attention_of
from elman.tasks.translating.fitted import Fitted, Sample
from elman.tasks.translating.learning import FEEDFORWARD, size
from elman.tasks.translating.settings import TranslateSettings

_DRAWN = 2  # samples whose attention is drawn
_WORDS = 20  # of a sample that is drawn, at most


def build(
    title: str,
    settings: TranslateSettings,
    fitted: Fitted,
    history: Path,
    toml: str,
    next_steps: str,
) -> str:
    """The page of a run, as HTML.

    Args:
        title: at the top.
        history: `history.jsonl` of the run.
        toml: the settings as TOML.
        next_steps: commands to try next.
    """
    evaluation = fitted.evaluation
    sections = [
        Section("Results beside the baselines", _results(fitted)),
        Section("Samples", sample_table(fitted).html()),
        Section("Where it looked", _attention(fitted)),
        Section("Learning curve", _curve(fitted, history)),
        Section("What was understood of the pairs", page.definitions(list(fitted.understood))),
        Section("How it was measured", _method(settings, fitted)),
        Section("Settings", page.preformatted(toml)),
        Section("Next", page.preformatted(next_steps)),
    ]
    return Page(title, evaluation.verdict(), evaluation.beats_best_baseline, tuple(sections)).html()


def sample_table(fitted: Fitted) -> Table:
    """Sentences, what the network made of them, and the references."""
    rows = [[one.source, one.translation, one.reference] for one in fitted.samples]
    note = f"Of the {fitted.evaluation.shown}, evenly over it, not chosen."
    return Table("", ["source", "translation", "reference"], rows, note)


def _results(fitted: Fitted) -> str:
    notes = "".join(page.paragraph(text, "warning") for text in fitted.notes)
    return fitted.evaluation.table().html() + notes


def _attention(fitted: Fitted) -> str:
    words = (
        "Each row is a token as it is written, the darker the more it attends to a token of the "
        "source; the end is a token too."
    )
    drawn = [one for one in fitted.samples if len(one.source.split()) <= _WORDS][:_DRAWN]
    return page.paragraph(words, "note") + "".join(_drawn(fitted, one) for one in drawn)


def _drawn(fitted: Fitted, one: Sample) -> str:
    found = attention_of(fitted.network, fitted.vocabulary, one.source, one.translation)
    return page.paragraph(one.translation) + found.html()


def _curve(fitted: Fitted, history: Path) -> str:
    lines: list[dict[str, Any]] = []
    if history.exists():
        lines = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    evaluation = fitted.evaluation
    best = evaluation.best_baseline
    _, (left, right) = plots.figure(1, 2)
    plots.training_loss(left, lines)
    plots.validation(right, lines, 100 - evaluation.validation[best].bleu, best)
    caption = (
        "Left: nats a token on batches, with dropout and smoothed labels. Right: 100 - BLEU of "
        "averaged weights on validation, without beam search; the dot marks those that are kept."
    )
    return page.figure(plots.svg(left), caption)


def _method(settings: TranslateSettings, fitted: Fitted) -> str:
    pairs = [("network", f"{size(fitted.network):,} parameters, {settings.cell}")]
    if fitted.result is not None:
        found = fitted.result
        words = f"{found.steps:,} steps in {found.seconds:.0f} s; the best was {found.best_step:,}"
        pairs.append(("training", words))
    search = f"beam {settings.beam}, length penalty {settings.length_penalty:g}"
    pairs += [
        ("search", search),
        ("validation", "chooses the weights; the test is translated once, at the end"),
        ("scores", "by sacreBLEU on the text as it is, one reference"),
        (baselines.DICTIONARY, "word by word, IBM model 1, learnt from the training part"),
        (baselines.MEMORY, "the translation of the training source that shares most rare words"),
        (baselines.COPY, "the source itself"),
    ]
    if not settings.no_feedforward:
        words = "windows of 5 tokens and the same attention, as many parameters and updates"
        pairs.append((FEEDFORWARD, words))
    return page.definitions(pairs)
