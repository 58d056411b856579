"""Language models as `elman compare` and `elman doctor TASK DATA` see them."""

import dataclasses
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from elman.data.corpus import Corpus, read_corpus
from elman.data.text import as_sources
from elman.tasks.comparing import CONVOLUTION, FEEDFORWARD, WHOLE, Kind, View, refuse
from elman.tasks.shared import sort_out
from elman.tasks.texts.batches import Batch, Stretches, frequencies
from elman.tasks.texts.fitted import build
from elman.tasks.texts.learning import counted
from elman.tasks.texts.measuring import measurable, part_score
from elman.tasks.texts.network import Window
from elman.tasks.texts.ngram import Counts, unigram_logits
from elman.tasks.texts.rivals import ConvolutionText, viewed_nats
from elman.tasks.texts.settings import FIT, LanguageSettings, budgeted
from elman.train import FitResult, FitSettings

_EMBEDDING = 32  # of the feedforward network at most


class Contest:
    """A text, and networks that predict it token by token.

    Each begins with the frequencies of tokens as its first guess. The feedforward network and the
    convolution see `length` tokens; the state of a cell is carried on beyond.
    """

    task: ClassVar[str] = "language"
    settings: ClassVar[type[Any]] = LanguageSettings
    fitting: ClassVar[FitSettings] = FIT
    fixed: ClassVar[tuple[str, ...]] = ("final", "no_feedforward")

    def __init__(self, data: Any, **settings: Any) -> None:
        refuse(settings, self.fixed)
        own, fitting = sort_out(settings, LanguageSettings, FIT)
        self.own = s = LanguageSettings(**own)
        self.budget = budgeted(dataclasses.replace(FIT, **fitting))
        self.corpus = data if isinstance(data, Corpus) else _read(data, s)
        self._counts = frequencies(
            self.corpus.tokens, self.corpus.train, self.corpus.vocabulary.size
        )
        lines = (f"  {name:<11} {words}" for name, words in self.corpus.understood())
        self.understood = (*lines, *(f"  warning     {note}" for note in self.corpus.notes))
        self.metric, self.step = f"nats a {self.corpus.vocabulary.unit}", "one token"
        self.steps = s.length
        self.sizes = (s.hidden, s.dropout)
        self.trains_views = False

    def network(self, kind: Kind, hidden: int, dropout: float, view: View = WHOLE) -> nn.Module:
        """A network at its start; there is none for a view, for one that saw all is measured."""
        if view != WHOLE:
            raise ValueError("view must be WHOLE: give `score` the view; got a part of the text")
        s, tokens = self.own, self.corpus.vocabulary.size
        found: Any
        if not isinstance(kind, str):
            own = dataclasses.replace(s, hidden=hidden, dropout=dropout)
            found = build(kind, own, self.corpus.vocabulary)
        elif kind == FEEDFORWARD:
            width = min(_EMBEDDING, s.width(tokens))
            found = Window(tokens, width, hidden, dropout, self.steps)
        elif kind == CONVOLUTION:
            found = ConvolutionText(tokens, s.width(tokens), hidden, self.steps, dropout)
        else:
            raise ValueError(f"kind must be a cell, {FEEDFORWARD} or {CONVOLUTION}; got {kind!r}")
        bias = found.outer.bias if isinstance(found, Window) else found.words.bias
        with torch.no_grad():
            bias.copy_(torch.from_numpy(unigram_logits(self._counts)))
        model: nn.Module = found
        return model

    def fit(self, model: nn.Module, fitting: FitSettings, **options: Any) -> FitResult:
        """Train; the best weights by validation stay."""
        # The page imports this room.
        from elman.tasks.language import train

        return train(model, self.corpus, self.own, fitting, **options)

    def score(self, model: nn.Module, which: str, view: View = WHOLE) -> float:
        """Nats a character of a split; of a view, on some tokens, each read from a fresh start."""
        part = measurable(self.corpus, self.corpus.parts[which])
        if view.steps is None and not view.shuffled:
            return part_score(model.eval(), self.corpus, part).nats
        shown = dataclasses.replace(view, steps=view.steps or self.steps)
        return viewed_nats(model, self.corpus, part, shown)

    def baselines(self, which: str) -> dict[str, float]:
        """Nats a character of what is counted: uniform, unigram and n-gram."""
        counts = Counts(self.corpus.tokens, self.corpus.train, self.corpus.vocabulary.size)
        part = measurable(self.corpus, self.corpus.parts[which])
        return {name: one.nats for name, one in counted(counts, self.corpus, part).items()}

    def batch(self) -> Batch:
        """The first stretches of the training part."""
        s, corpus = self.own, self.corpus
        rows = Stretches(corpus.tokens, corpus.train, s.batch_size, s.length, self.budget.seed)
        return rows[0]

    def loss(self, model: nn.Module, batch: Batch, carry: Any = None) -> tuple[Tensor, Any]:
        """As training has it, without rows that forget."""
        logits, state = model(batch.x, carry)
        return nn.functional.cross_entropy(logits.flatten(0, 1), batch.y.flatten()), state


def _read(data: Any, s: LanguageSettings) -> Corpus:
    sources = as_sources(data)
    return read_corpus(sources, s.tokens, s.vocabulary, encoding=s.encoding, shares=s.shares)
