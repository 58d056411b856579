"""Classification as `elman compare` and `elman doctor TASK DATA` see it."""

import dataclasses
from typing import Any, ClassVar

from torch import Tensor, nn

from elman.tasks.classifying.batches import Batch, Bunches, logits_of
from elman.tasks.classifying.counting import Methods, by_counting, majority
from elman.tasks.classifying.examples import Examples, read_examples
from elman.tasks.classifying.fitted import build, front_of
from elman.tasks.classifying.learning import Data, begin_at_shares, divided, understood
from elman.tasks.classifying.network import MeanOfWords, Resampled
from elman.tasks.classifying.reader import sizes
from elman.tasks.classifying.rivals import ConvolutionClassifier, viewed
from elman.tasks.classifying.settings import FIT, ClassifySettings, budgeted
from elman.tasks.comparing import CONVOLUTION, FEEDFORWARD, WHOLE, Kind, View, refuse
from elman.tasks.shared import sort_out
from elman.train import FitResult, FitSettings


class Contest:
    """Labelled examples, and networks that classify them.

    Each begins with the shares of the classes as its first guess. The feedforward network has no
    window: it sees the mean of the words' vectors, or numbers at points evenly apart.
    """

    task: ClassVar[str] = "classify"
    settings: ClassVar[type[Any]] = ClassifySettings
    fitting: ClassVar[FitSettings] = FIT
    fixed: ClassVar[tuple[str, ...]] = ("no_feedforward", "network_only", "vectors", "pretrained")

    def __init__(self, data: Any, **settings: Any) -> None:
        refuse(settings, self.fixed)
        own, fitting = sort_out(settings, ClassifySettings, FIT)
        self.own = s = ClassifySettings(**own)
        if not s.test_share:
            raise ValueError("test_share must be above 0: the test is reported; got 0; give 0.1")
        found = data if isinstance(data, Examples) else read_examples(data, s)
        self.budget = budgeted(dataclasses.replace(FIT, **fitting), s, len(found))
        self.data: Data = divided(found, s, self.budget.seed)
        lines = (f"  {name:<11} {words}" for name, words in understood(self.data))
        self.understood = (*lines, *(f"  warning     {note}" for note in found.notes))
        unit = (
            s.tokens.removesuffix("+subwords").removesuffix("s")
            if self.data.reader.lexicon
            else "row"
        )
        self.metric, self.step = self.data.metric, f"one {unit}"
        self.steps = max(1, min(s.longest, sizes(self.data.train.encoded)[1]))
        self.sizes = (s.hidden, s.dropout)
        self.trains_views = False
        self._counted: Methods | None = None

    def network(self, kind: Kind, hidden: int, dropout: float, view: View = WHOLE) -> nn.Module:
        """A network at its start; there is none for a view, for one that saw all is measured."""
        if view != WHOLE:
            raise ValueError("view must be WHOLE: give `score` the view; got a part of an example")
        own = dataclasses.replace(self.own, hidden=hidden, dropout=dropout)
        found: nn.Module
        if not isinstance(kind, str):
            found = build(kind, own, self.data.reader)
        elif kind == FEEDFORWARD:
            found = self._feedforward(own)
        elif kind == CONVOLUTION:
            found = self._convolution(own)
        else:
            raise ValueError(f"kind must be a cell, {FEEDFORWARD} or {CONVOLUTION}; got {kind!r}")
        begin_at_shares(found, self.data)
        return found

    def _feedforward(self, s: ClassifySettings) -> nn.Module:
        reader, classes = self.data.reader, len(self.data.reader.classes)
        if reader.lexicon is not None:
            return MeanOfWords(front_of(s, reader, s.hidden), s.hidden, classes, s.dropout)
        assert reader.scaling is not None
        return Resampled(reader.scaling.width, s.hidden, classes, s.dropout)

    def _convolution(self, s: ClassifySettings) -> nn.Module:
        return ConvolutionClassifier(
            front_of(s, self.data.reader),
            s.embedding,
            len(self.data.reader.classes),
            s.hidden,
            self.steps,
            pooling=s.pooling,
            around=not s.recurrent_only,
            dropout=s.dropout,
        )

    def fit(self, model: nn.Module, fitting: FitSettings, **options: Any) -> FitResult:
        """Train; the best weights by validation stay."""
        # The page imports this room.
        from elman.tasks.classify import train

        return train(model, self.data, fitting, **options)

    def score(self, model: nn.Module, which: str, view: View = WHOLE) -> float:
        """The metric on a part; of a view, on that share of each example alone."""
        part = getattr(self.data, which)
        shown = part.encoded if view == WHOLE else viewed(part.encoded, view, self.steps)
        return self.data.score(logits_of(model, shown, part.flags.shape[1]), which)

    def baselines(self, which: str) -> dict[str, float]:
        """The majority, and logistic regression on words and pairs, or on summary statistics."""
        if self._counted is None:
            self._counted = {"majority": majority(self.data), **by_counting(self.data)}
        found = {name: getattr(method, which) for name, method in self._counted.items()}
        return {name: self.data.score(logits, which) for name, logits in found.items()}

    def batch(self) -> Batch:
        """The first examples of the training part."""
        s, train = self.own, self.data.train
        given = train.encoded, train.flags, s.several, s.batch_size
        return Bunches(*given, self.budget.seed, s.longest)[0]

    def loss(self, model: nn.Module, batch: Batch, carry: Any = None) -> tuple[Tensor, Any]:
        """As training has it."""
        return self.data.loss(model(batch.x, batch.lengths), batch.y), carry
