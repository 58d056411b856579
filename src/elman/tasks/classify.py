"""Classification: texts or sequences of numbers in, the probability of each class out.

    elman train classify reviews.csv --text review --label sentiment
    elman predict runs/classify-reviews-001 new.csv
    elman train classify sensors.csv --id device --time at --label fault

The same in Python, silent and writing nothing:

    >>> from elman.tasks.classify import Classifier
    >>> good, bad = ["a fine film", "so good", "great fun"], ["a bad film", "so dull", "no fun"]
    >>> table = {"text": (good + bad) * 9, "label": ["good", "bad"] * 27}
    >>> table["label"] = (["good"] * 3 + ["bad"] * 3) * 9
    >>> model = Classifier(hidden=8, embedding=8, epochs=2, no_feedforward=True).fit(table)
    >>> model.predict_proba(["great film", ""]).shape
    (2, 2)
    >>> model.classes_
    ('bad', 'good')

Beside every result stand the majority, logistic regression on words and pairs of words (or on
summary statistics of numbers) and a network without a memory. `python bench/sentiment.py` prints
the scores it reaches on SST-2 and MR.
"""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from elman.cells import Cell, by_name
from elman.report import plots
from elman.tasks.classifying import fitted as stored
from elman.tasks.classifying.batches import Batch, Bunches, logits_of
from elman.tasks.classifying.contest import Contest
from elman.tasks.classifying.drawing import reliability
from elman.tasks.classifying.evaluation import Evaluation
from elman.tasks.classifying.examples import Examples, read_examples
from elman.tasks.classifying.fitted import Fitted
from elman.tasks.classifying.influence import Influence, influence
from elman.tasks.classifying.judging import Judge, judge_of
from elman.tasks.classifying.learning import Data, Job, divided, evaluated, learn, understood
from elman.tasks.classifying.measuring import probabilities
from elman.tasks.classifying.settings import (
    DEFAULT_EPOCHS,
    FIT,
    LEAST_STEPS,
    ClassifySettings,
    budgeted,
)
from elman.tasks.shared import Say, silent, sort_out
from elman.train import FitResult, FitSettings, fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "DEFAULT_EPOCHS",
    "FIT",
    "LEAST_STEPS",
    "Classifier",
    "ClassifySettings",
    "Contest",
    "budgeted",
]


def train(model: Any, data: Data, f: FitSettings, **options: Any) -> FitResult:
    """Hand the batches, the loss and the score to `fit`."""
    s, classes = data.settings, len(data.reader.classes)

    def loss(model: Any, batch: Batch, _: Any) -> tuple[Tensor, Any]:
        return data.loss(model(batch.x, batch.lengths), batch.y), None

    def score(model: nn.Module) -> dict[str, float]:
        logits = logits_of(model, data.validation.encoded, classes)
        return {data.metric: data.score(logits)}

    part = data.train
    batches = Bunches(part.encoded, part.flags, s.several, s.batch_size, f.seed, s.longest)
    return fit(model, batches, loss, score, f, **options)


class Classifier:
    """Fits a recurrent network to labelled texts or sequences; gives each class a probability.

    Args:
        cell: a built-in cell's name, or a Cell class.
        settings: fields of `ClassifySettings` and of `elman.train.FitSettings`, by name.

    Raises:
        TypeError, ValueError: a setting is unknown or breaks its rule.
    """

    def __init__(self, cell: str | type[Cell] = "GRU", **settings: Any) -> None:
        self.cell = by_name(cell) if isinstance(cell, str) else cell
        own, fitting = sort_out(settings, ClassifySettings, FIT)
        self.settings = ClassifySettings(self.cell.__name__, **own)
        self.fit_settings = dataclasses.replace(FIT, **fitting)
        self._fitted: Fitted | None = None

    def read(self, data: Any) -> Examples:
        """Labelled examples as `fit` understands them.

        Args:
            data: the path of a CSV, Parquet or JSON lines file or of a folder of texts by class; a
                DataFrame; a dict of columns.

        Raises:
            elman.data.DataError: it cannot be used; says the file, the row and the repair.
        """
        return read_examples(data, self.settings)

    def fit(
        self,
        data: Any,
        *,
        validation: Any = None,
        test: Any = None,
        run_dir: str | Path | None = None,
        resume: bool = False,
        progress: bool | None = None,
        say: Say = silent,
        **columns: str,
    ) -> "Classifier":
        """Train on labelled examples and compare with the baselines.

        Args:
            data: as in `read`, or what `read` gave.
            validation, test: the same, where these parts are files of their own; else they are
                drawn from `data`.
            run_dir: for checkpoints and history; None writes nothing. `resume` goes on with it.
            progress: True shows progress on standard error.
            say: is given what is trained, a line each.
            columns: `text`, `label`, `id` and `time`, as in the settings.

        Raises:
            elman.data.DataError: the examples cannot be used; says where, and how to repair it.
            ImportError: subwords need the library `tokenizers`.
        """
        if columns:
            self.settings = dataclasses.replace(self.settings, **columns)  # type: ignore[arg-type]
        parts = [None if one is None else self.read(one) for one in (validation, test)]
        found = self.read(data)
        f = budgeted(self.fit_settings, self.settings, len(found))
        split = divided(found, self.settings, f.seed, *parts)
        for name, words in understood(split):
            say(f"  {name:<11} {words}")
        job = Job(self.cell, self.settings, f, train, say)
        run = None if run_dir is None else Path(run_dir)
        self._fitted = learn(job, split, run, resume=resume, progress=progress)
        return self

    @property
    def fitted(self) -> Fitted:
        """What fitting left. Raises RuntimeError before it."""
        if self._fitted is None:
            raise RuntimeError("the model must be fitted first: call fit, or Classifier.load")
        return self._fitted

    @property
    def classes_(self) -> tuple[str, ...]:
        """The classes, in the order of the columns of `predict_proba`."""
        return self.fitted.reader.classes

    def predict_proba(self, data: Any) -> Any:
        """The probability of each class for each example: (N, C), float64.

        Args:
            data: a list of texts; or a file or table as in `read`, which needs no labels.

        Raises:
            elman.data.DataError: it cannot be used; says where, and how to repair it.
        """
        own, found = self.fitted, read_examples(data, self.settings, labelled=False)
        return probabilities(own.logits(found), self.settings.several, own.temperature)

    def predict(self, data: Any) -> list[Any]:
        """The likeliest class of each example; with several labels, a tuple of those above half."""
        found = self.predict_proba(data)
        if not self.settings.several:
            return [self.classes_[k] for k in found.argmax(1)]
        names = self.classes_
        return [tuple(names[k] for k in (row >= 0.5).nonzero()[0]) for row in found]

    def evaluate(self, data: Any = None) -> Evaluation:
        """Scores beside the baselines: of the fitted examples, or on others, with labels."""
        return self.fitted.evaluation if data is None else self.measured(data).evaluation

    def measured(self, data: Any) -> Fitted:
        """What `fitted` is, with `evaluation` and `judged` of other examples, with labels."""
        return evaluated(self.fitted, self.settings, self.read(data))

    def explain(self, text: str, label: str = "") -> Influence:
        """What in a text speaks for a class, by default the likeliest: each word left out in turn.

        Raises:
            ValueError: the model is of numbers, or knows no such class.
        """
        if self.fitted.reader.lexicon is None:
            raise ValueError(
                "explain needs a classifier of texts; got one of numbers; its report says which "
                "columns matter"
            )
        return influence(self.fitted, self.settings.several, text, label)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """How far its probabilities are what they say, on the examples that were held back.

        Raises:
            RuntimeError: the model was loaded, and has no examples; use `measured`.
        """
        drawn = plots.figure(width=4.3)[1][0] if ax is None else ax
        return reliability(drawn, self.fitted, self.settings.several)

    def stream(self) -> Judge:
        """Judges a text word by word: `step(word)` gives the probability of each class so far.

        Raises:
            ValueError: the model reads backwards too, or numbers.
        """
        if not self.settings.causal or self.fitted.reader.lexicon is None:
            raise ValueError(
                f"stream needs a classifier of texts that reads forwards alone; got "
                f"causal={self.settings.causal}; fit one with causal=True (--causal)"
            )
        return judge_of(self.fitted, self.settings.several)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file that holds all that `predict` needs."""
        stored.save(path, self.settings, self.fit_settings, self.fitted)

    @staticmethod
    def load(path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()) -> "Classifier":
        """The model that `save` wrote, or a run's; `cells` are your own.

        Raises:
            elman_runtime.ModelFileError: the file is damaged or holds something else.
            ValueError: its cell is not built in and not among `cells`.
        """
        cell, settings, fitting, fitted = stored.load(path, cells)
        own = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings)}
        found = Classifier(cell, **{n: v for n, v in own.items() if n != "cell"}, **vars(fitting))
        found._fitted = fitted
        return found
