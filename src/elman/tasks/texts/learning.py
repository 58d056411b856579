"""From a text to all that fitting leaves: the network, the baselines, the evaluation."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from elman.cells import Cell
from elman.data.corpus import Corpus, Part
from elman.tasks.evaluated import CHOSEN
from elman.tasks.shared import Say
from elman.tasks.texts.batches import frequencies
from elman.tasks.texts.evaluation import FINAL, OTHER, Evaluation
from elman.tasks.texts.fitted import Fitted, build
from elman.tasks.texts.measuring import MEASURED, Score, measurable, part_score, predicted, score_of
from elman.tasks.texts.network import LanguageNetwork, Window
from elman.tasks.texts.ngram import MOST, ORDER, Counts, unigram_logits
from elman.tasks.texts.settings import LanguageSettings
from elman.train import FitResult, FitSettings

UNIFORM, UNIGRAM, NGRAM, FEEDFORWARD = "uniform", "unigram", f"{ORDER}-gram", "feedforward"
_PIECE = 1 << 20  # tokens that the counts are asked for at a time


@dataclasses.dataclass(frozen=True)
class Job:
    """What is trained and how: settings, and the page's `train`."""

    cell: type[Cell]
    settings: LanguageSettings
    fitting: FitSettings
    train: Callable[..., FitResult]
    say: Say


def learn(job: Job, corpus: Corpus, run_dir: Path | None = None, **options: Any) -> Fitted:
    """Train and measure everything.

    Args:
        run_dir: for checkpoints and history; None writes nothing.
        options: `resume` and `progress` of `elman.train.fit`.
    """
    counts = frequencies(corpus.tokens, corpus.train, corpus.vocabulary.size)
    network = networks(job, corpus, counts)
    name = job.cell.__name__
    job.say(f"{name}, {size(network):,} parameters")
    result = job.train(network, corpus, job.settings, job.fitting, run_dir=run_dir, **options)
    everyone: dict[str, nn.Module] = {name: network}
    if not job.settings.no_feedforward:
        other = _window(network, corpus, counts, job)
        job.say(f"{FEEDFORWARD}, a baseline, {size(other):,} parameters")
        # The same updates, by the same rules; minutes would give another number of them.
        fitting = dataclasses.replace(job.fitting, minutes=None, epochs=None, steps=result.steps)
        job.train(other, corpus, job.settings, fitting, run_dir=None, progress=options["progress"])
        everyone[FEEDFORWARD] = other
    job.say("measuring")
    evaluation = _evaluate(everyone, corpus)
    return Fitted(
        network.eval(),
        corpus.vocabulary,
        counts,
        evaluation,
        tuple(corpus.understood()),
        (*corpus.notes, *_notes(corpus)),
        corpus,
        result,
    )


def networks(job: Job, corpus: Corpus, counts: Any) -> LanguageNetwork:
    """The network at its start: as the seed gives it, with the frequencies as its first guess."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.fitting.seed)
        network = build(job.cell, job.settings, corpus.vocabulary)
    with torch.no_grad():
        network.words.bias.copy_(torch.from_numpy(unigram_logits(counts)))
    return network


def _window(network: nn.Module, corpus: Corpus, counts: Any, job: Job) -> Window:
    """A feedforward network with as many parameters, and the same first guess."""
    tokens = corpus.vocabulary.size
    embedding = min(32, job.settings.width(tokens))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.fitting.seed)
        hidden = Window.hidden_for(size(network), tokens, embedding)
        found = Window(tokens, embedding, hidden, job.settings.dropout)
    with torch.no_grad():
        found.outer.bias.copy_(torch.from_numpy(unigram_logits(counts)))
    return found


def size(model: nn.Module) -> int:
    """How many parameters a network has."""
    return sum(p.numel() for p in model.parameters())


def _evaluate(everyone: dict[str, nn.Module], corpus: Corpus) -> Evaluation:
    counts = Counts(corpus.tokens, corpus.train, corpus.vocabulary.size)
    parts = {"validation": corpus.validation, "test": corpus.test}
    found: dict[str, dict[str, Score]] = {}
    for which, whole in parts.items():
        found[which] = {}
        if whole.units:
            part = measurable(corpus, whole)
            scores = {n: part_score(model.eval(), corpus, part) for n, model in everyone.items()}
            found[which] = scores | counted(counts, corpus, part)
    sizes = {name: size(model) for name, model in everyone.items()} | {NGRAM: counts.runs}
    note = CHOSEN if found["validation"] else FINAL
    return Evaluation(found["validation"], found["test"], sizes, corpus.vocabulary.unit, note)


def counted(counts: Counts, corpus: Corpus, part: Part) -> dict[str, Score]:
    """The scores of what is counted: uniform, unigram and n-gram."""
    first, last = predicted(part)
    names = {NGRAM: ORDER, UNIGRAM: 1, UNIFORM: 0}
    costs = {name: np.empty(last - first) for name in names}
    for start in range(first, last, _PIECE):
        stop = min(start + _PIECE, last)
        orders = counts.probability(corpus.tokens, start, stop)
        for name, order in names.items():
            costs[name][start - first : stop - first] = -np.log(orders[order])
    truth = np.asarray(corpus.tokens[first:last])
    return {
        name: score_of(nats, truth, part.units, corpus.vocabulary) for name, nats in costs.items()
    }


def _notes(corpus: Corpus) -> list[str]:
    found = []
    if len(corpus.train) > MOST:
        found.append(f"{NGRAM} is counted on the last {MOST:,} tokens of the training part")
    if max(len(corpus.validation), len(corpus.test)) > MEASURED:
        found.append(f"validation and test are measured on their first {MEASURED:,} tokens")
    return found


def measured(fitted: Fitted, corpus: Corpus, name: str) -> Evaluation:
    """The network on another text, beside what a model file knows: uniform and unigram."""
    part = measurable(corpus, corpus.test)
    first, last = predicted(part)
    truth = np.asarray(corpus.tokens[first:last])
    logits = unigram_logits(np.asarray(fitted.frequencies, np.float64))
    uniform = np.full(truth.size, np.log(corpus.vocabulary.size - 1))
    scores = {
        name: part_score(fitted.network.eval(), corpus, part),
        UNIGRAM: score_of(-logits[truth], truth, part.units, corpus.vocabulary),
        UNIFORM: score_of(uniform, truth, part.units, corpus.vocabulary),
    }
    sizes = {name: size(fitted.network)}
    return Evaluation({}, scores, sizes, corpus.vocabulary.unit, OTHER)
