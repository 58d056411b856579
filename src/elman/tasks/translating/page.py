"""The report of a translator: an HTML page."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from elman.report import Page, Section, page, plots
from elman.tasks.shared import examined
from elman.tasks.translating import baselines
from elman.tasks.translating.drawing import END, JOIN, attention_of
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
        Section("Samples", _samples(fitted)),
        Section("Where it looked", _attention(fitted)),
        Section("Learning curve", _curve(fitted, history)),
        *examined(fitted.result),
        Section("What was understood of the pairs", page.definitions(list(fitted.understood))),
        Section("How it was measured", _method(settings, fitted)),
        Section("Settings", page.preformatted(toml)),
        Section("Next", page.preformatted(next_steps)),
    ]
    return Page(title, evaluation.verdict(), evaluation.beats_best_baseline, tuple(sections)).html()


def _samples(fitted: Fitted) -> str:
    """Sentences, what the network made of them, and the references, one below the other."""
    note = f"Of the {fitted.evaluation.reported}, evenly over it, not chosen."
    each = (
        [("source", one.source), ("translation", one.translation), ("reference", one.reference)]
        for one in fitted.samples
    )
    apart = (f'<div style="margin:1.1rem 0">{page.definitions(one)}</div>' for one in each)
    return page.paragraph(note, "note") + "".join(apart)


def _results(fitted: Fitted) -> str:
    notes = "".join(page.paragraph(text, "warning") for text in fitted.notes)
    # The signatures stand where it is said how it was measured.
    return replace(fitted.evaluation.table(), note=fitted.evaluation.note).html() + notes


def _attention(fitted: Fitted) -> str:
    words = (
        "The source stands above, its translation at the left. The darker, the more a token of the "
        "source was attended to while that of the row was written. A token that begins with "
        f"{JOIN} goes on with the word before; {END} is the end."
    )
    drawn = [one for one in fitted.samples if len(one.source.split()) <= _WORDS][:_DRAWN]
    return page.paragraph(words, "note") + "".join(_drawn(fitted, one) for one in drawn)


def _drawn(fitted: Fitted, one: Sample) -> str:
    found = attention_of(fitted.network, fitted.vocabulary, one.source, one.translation)
    return found.html()


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
        *(("signature", line) for line in fitted.evaluation.signatures().splitlines()),
        (baselines.DICTIONARY, "word by word, IBM model 1, learnt from the training part"),
        (baselines.MEMORY, "the translation of the training source that shares most rare words"),
        (baselines.COPY, "the source itself"),
    ]
    if not settings.no_feedforward:
        words = "windows of 5 tokens and the same attention, as many parameters and updates"
        pairs.append((FEEDFORWARD, words))
    return page.definitions(pairs)
