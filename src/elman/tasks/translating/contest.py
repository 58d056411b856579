"""Translation as `elman compare` and `elman doctor TASK DATA` see it."""

import dataclasses
import os
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from elman.tasks.comparing import CONVOLUTION, FEEDFORWARD, WHOLE, Kind, View, refuse
from elman.tasks.shared import sort_out
from elman.tasks.translating import baselines
from elman.tasks.translating.batches import Batch, ByLength
from elman.tasks.translating.decoding import Searching, translate
from elman.tasks.translating.examples import prepare
from elman.tasks.translating.fitted import build
from elman.tasks.translating.learning import first_lines, loss_of
from elman.tasks.translating.measuring import quick_bleu
from elman.tasks.translating.memoryless import WindowNetwork
from elman.tasks.translating.pairs import Pairs, Parallel, one_or_two, read_pairs, read_parallel
from elman.tasks.translating.rivals import ConvolutionNetwork, Seen
from elman.tasks.translating.settings import FIT, TranslateSettings, budgeted
from elman.train import FitResult, FitSettings

_GREEDY = Searching(beam=1, stretch=1.2)  # as training is followed


class Contest:
    """Pairs of sentences, and networks that translate them: BLEU without beam search.

    A view is of the source: its last tokens, and the order of the oldest of them. All networks
    attend to the source, so that what is compared is how a token learns of those around it.
    """

    task: ClassVar[str] = "translate"
    settings: ClassVar[type[Any]] = TranslateSettings
    fitting: ClassVar[FitSettings] = FIT
    fixed: ClassVar[tuple[str, ...]] = ("no_feedforward", "beam", "length_penalty")

    def __init__(self, data: Any, **settings: Any) -> None:
        refuse(settings, self.fixed)
        own, fitting = sort_out(settings, TranslateSettings, FIT)
        self.own = s = TranslateSettings(**own)
        self.budget = budgeted(dataclasses.replace(FIT, **fitting))
        self.pairs = _read(data, s, self.budget.seed)
        self.examples = prepare(self.pairs, s.vocabulary, s.longest, None)
        lines = (f"  {name:<11} {words}" for name, words in self.pairs.understood())
        notes = (*self.pairs.notes, *filter(None, [self.examples.note]))
        self.understood = (*lines, *(f"  warning     {note}" for note in notes))
        self.metric, self.step = "missing BLEU", "one subword of the source"
        self.steps = max(len(source) for source, _ in self.examples.train)
        self.sizes = (s.hidden, s.dropout)
        self.trains_views = True

    def network(self, kind: Kind, hidden: int, dropout: float, view: View = WHOLE) -> nn.Module:
        """A network at its start, drawn by torch's generator."""
        inner = self._inner(kind, hidden, dropout)
        if view.steps in (None, self.steps) and not view.shuffled:
            return inner
        return Seen(inner, dataclasses.replace(view, steps=view.steps or self.steps))

    def _inner(self, kind: Kind, hidden: int, dropout: float) -> nn.Module:
        tokens, width = self.examples.vocabulary.size, self.own.embedding
        if not isinstance(kind, str):
            own = dataclasses.replace(self.own, hidden=hidden, dropout=dropout)
            return build(kind, own, tokens)
        if kind == FEEDFORWARD:
            return WindowNetwork(tokens, width, hidden, dropout)
        if kind == CONVOLUTION:
            return ConvolutionNetwork(tokens, width, hidden, self.steps, dropout)
        raise ValueError(f"kind must be a cell, {FEEDFORWARD} or {CONVOLUTION}; got {kind!r}")

    def fit(self, model: nn.Module, fitting: FitSettings, **options: Any) -> FitResult:
        """Train; the best weights by validation stay."""
        # The page imports this room.
        from elman.tasks.translate import train

        return train(model, self.examples, self.own, fitting, **options)

    def score(self, model: Any, which: str, view: View = WHOLE) -> float:
        """100 - BLEU, taking the likeliest word each time, on a split."""
        if view != WHOLE:
            raise ValueError("view must be WHOLE: a network is trained for each; build it with one")
        part = self._part(which)
        found = translate(model.eval(), self.examples.vocabulary, part.source, _GREEDY)
        return 100 - quick_bleu(first_lines(found), part.target)

    def _part(self, which: str) -> Pairs:
        return self.pairs.validation if which == "validation" else self.pairs.test

    def baselines(self, which: str) -> dict[str, float]:
        """100 - BLEU of the dictionary, the nearest training pair and the source itself."""
        part, train = self._part(which), self.pairs.train
        memory, dictionary = baselines.Memory(train), baselines.Dictionary(train)
        ways = {
            baselines.DICTIONARY: [dictionary.translate(line) for line in part.source],
            baselines.MEMORY: [memory.translate(line) for line in part.source],
            baselines.COPY: list(part.source),
        }
        return {name: 100 - quick_bleu(found, part.target) for name, found in ways.items()}

    def batch(self) -> Batch:
        """The first pairs of the first epoch."""
        return ByLength(self.examples.train, self.own.batch_size, self.budget.seed)[0]

    def loss(self, model: nn.Module, batch: Batch, carry: Any = None) -> tuple[Tensor, Any]:
        """As training has it."""
        return loss_of(model, batch, self.own.smoothing), carry


def _read(data: Any, s: TranslateSettings, seed: int) -> Parallel:
    """Pairs in three parts, from a table, two aligned files with a comma between, or two lists."""
    if isinstance(data, Parallel):
        if not len(data.test):
            raise ValueError("data must have a test; got none; give test= where they are read")
        return data
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        files = [] if path.exists() else [Path(name) for name in str(path).split(",")]
        data = files if len(files) == 2 else path
    pairs = read_pairs(*one_or_two(data), encoding=s.encoding)
    return read_parallel(pairs, None, None, s.held_out, seed)
