"""The report of a language model: an HTML page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.data.corpus import Corpus, Part
from elman.report import Page, Section, Table, page, plots
from elman.tasks.shared import examined
from elman.tasks.texts.diversity import LONG, SEARCHED, Diversity, diversity
from elman.tasks.texts.fitted import Fitted
from elman.tasks.texts.learning import FEEDFORWARD, NGRAM, size
from elman.tasks.texts.scoring import score_text
from elman.tasks.texts.settings import LanguageSettings
from elman.tasks.texts.writing import runner_of
from elman_runtime.sample import Sampling
from elman_runtime.writing import write

TEMPERATURES = (0.5, 0.8, 1.0)
LENGTH = 1000  # tokens of a sample
_SHOWN = 700  # characters of it on the page
_COLOURED = 1200  # characters of the test


@dataclass(frozen=True)
class Sample:
    """A text that the model wrote, from the beginning of a document."""

    temperature: float
    text: str
    diversity: Diversity


def samples(fitted: Fitted, seed: int = 0) -> list[Sample]:
    """Texts at several temperatures. Raises RuntimeError without the text it was trained on."""
    corpus = with_text(fitted)
    found, runner = [], runner_of(fitted.network)
    for temperature in TEMPERATURES:
        how = Sampling(temperature)
        made = write(runner, fitted.vocabulary, [""], LENGTH, how, seed=seed)
        text = "".join(piece for _, piece in made)
        found.append(Sample(temperature, text, diversity(text, corpus.blocks(corpus.train))))
    return found


def real(corpus: Corpus) -> Diversity:
    """The same figures of as much of the test: what real text comes to."""
    tokens = min(LENGTH, len(corpus.test))
    part = Part(corpus.test.start, corpus.test.start + tokens, tokens)
    return diversity("".join(corpus.blocks(part)), corpus.blocks(corpus.train))


def with_text(fitted: Fitted) -> Corpus:
    """The text it was trained on. Raises RuntimeError where it is not at hand."""
    if fitted.corpus is None:
        raise RuntimeError("the text must be at hand; got a model file alone; give its run")
    return fitted.corpus


def diversity_table(written: Sequence[Sample], true: Diversity) -> Table:
    """How varied samples are, and what they copy, beside the test itself."""
    heads = ["text", "distinct 1", "distinct 2", "distinct 3", f"{LONG}-grams copied %"]
    rows = [[f"temperature {one.temperature:g}", *_shares(one.diversity)] for one in written]
    note = (
        f"Of {LENGTH:,} tokens each. Distinct: share of runs of 1, 2 and 3 {true.unit}s that "
        f"differ. Copied: runs of {LONG} {true.unit}s that stand in the training part too, of "
        f"which the first {SEARCHED:,} characters are searched."
    )
    return Table("What was written", heads, [*rows, ["the test", *_shares(true)]], note)


def _shares(found: Diversity) -> list[str]:
    copied = "-" if found.copied is None else f"{100 * found.copied:.1f}"
    return [*(f"{share:.2f}" for share in found.distinct), copied]


def build(
    title: str,
    settings: LanguageSettings,
    fitted: Fitted,
    written: Sequence[Sample],
    history: Path,
    toml: str,
    next_steps: str,
) -> str:
    """The page of a run, as HTML.

    Args:
        title: at the top.
        written: samples.
        history: `history.jsonl` of the run.
        toml: the settings as TOML.
        next_steps: commands to try next.
    """
    evaluation, corpus = fitted.evaluation, with_text(fitted)
    sections = [
        Section("Results beside the baselines", _results(fitted)),
        Section("Samples", _samples(written, real(corpus))),
        Section("What surprised it", _surprise(fitted, corpus)),
        Section("Learning curve", _curve(fitted, history)),
        *examined(fitted.result),
        Section("What was understood of the text", page.definitions(list(fitted.understood))),
        Section("How it was measured", _method(settings, fitted)),
        Section("Settings", page.preformatted(toml)),
        Section("Next", page.preformatted(next_steps)),
    ]
    return Page(title, evaluation.verdict(), evaluation.beats_best_baseline, tuple(sections)).html()


def _results(fitted: Fitted) -> str:
    notes = "".join(page.paragraph(text, "warning") for text in fitted.notes)
    return fitted.evaluation.table().html() + notes


def _samples(written: Sequence[Sample], true: Diversity) -> str:
    parts = [
        page.paragraph(f"Temperature {one.temperature:g}") + page.preformatted(one.text[:_SHOWN])
        for one in written
    ]
    return "".join(parts) + diversity_table(written, true).html()


def _surprise(fitted: Fitted, corpus: Corpus) -> str:
    text = next(corpus.blocks(corpus.test, 1 << 14), "")[:_COLOURED]
    if not text:
        return page.paragraph("The test has no text.")
    found = score_text(fitted.network, fitted.vocabulary, text)
    words = (
        "The beginning of the test; the darker a token, the less it was expected. Read as the "
        "beginning of a document, so the first ones surprise most."
    )
    return page.paragraph(words, "note") + found.picture()


def _curve(fitted: Fitted, history: Path) -> str:
    evaluation = fitted.evaluation
    lines: list[dict[str, Any]] = []
    if history.exists():
        lines = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    if not evaluation.validation:
        _, (left,) = plots.figure()
        plots.training_loss(left, lines)
        return page.figure(plots.svg(left), "Nats a token on batches, with dropout.")
    best = evaluation.best_baseline
    _, (left, right) = plots.figure(1, 2)
    plots.training_loss(left, lines)
    plots.validation(right, lines, evaluation.validation[best].nats, best)
    caption = (
        "Left: nats a token on batches, with dropout. Right: averaged weights on stretches of "
        "validation; the dot marks those that are kept."
    )
    return page.figure(plots.svg(right), caption)


def _method(settings: LanguageSettings, fitted: Fitted) -> str:
    unit = fitted.vocabulary.unit
    pairs = [("network", f"{size(fitted.network):,} parameters, {settings.cell}")]
    if fitted.result is not None:
        found = fitted.result
        best = "" if settings.final else f"; the best was {found.best_step:,}"
        pairs.append(("training", f"{found.steps:,} steps in {found.seconds:.0f} s{best}"))
    held = "no part chooses" if settings.final else "the 10 % before it choose the weights"
    pairs += [
        ("test", f"the last 10 % of the {unit}s; used for nothing else; {held}"),
        ("reading", "each token is predicted from what stands before it, other parts included"),
        ("unknown", f"a {unit} that is not known costs the choice among all of Unicode as well"),
        (NGRAM, "interpolated after Witten and Bell, counted on the training part"),
    ]
    if not settings.no_feedforward:
        words = "as many parameters, 16 tokens in view; the same updates, by the same rules"
        pairs.append((FEEDFORWARD, words))
    return page.definitions(pairs)
