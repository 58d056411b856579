"""Translation: pairs of sentences in, a translator out; the same for any text to text.

    elman train translate pairs.tsv            # or two aligned files: train.de train.en
    elman predict runs/translate-pairs-001 < letter.de
    elman evaluate runs/translate-pairs-001 --data test.tsv

The same in Python, silent and writing nothing:

    >>> from elman.tasks.translate import Translator
    >>> numbers = ["one", "two", "three", "four", "five"]
    >>> source = [f"{a} and {b}" for a in numbers for b in numbers] * 2
    >>> target = [f"{b} und {a}" for a in numbers for b in numbers] * 2
    >>> model = Translator(hidden=16, embedding=16, vocabulary=280, steps=5, no_feedforward=True)
    >>> model = model.fit(source, target)
    >>> len(model.predict(["two and one", ""]))
    2
    >>> model.evaluate().network
    'GRU'

An encoder that reads in both directions, a decoder that attends to what it found, beam search.
Beside every result stand the source itself, the nearest training pair, a dictionary (IBM model 1)
and a network without recurrence. `python bench/translation.py` prints its scores on Multi30k.
"""

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from elman.cells import Cell, by_name
from elman.nn.search import check_search
from elman.tasks.shared import Say, silent, sort_out
from elman.tasks.translating import fitted as stored
from elman.tasks.translating.batches import Batch, ByLength
from elman.tasks.translating.contest import Contest as Contest
from elman.tasks.translating.decoding import Searching, Translation, translate
from elman.tasks.translating.drawing import Attention, attention_of
from elman.tasks.translating.evaluation import Evaluation
from elman.tasks.translating.examples import Examples
from elman.tasks.translating.fitted import Fitted
from elman.tasks.translating.learning import (
    Job,
    first_lines,
    learn,
    loss_of,
    measured,
    nats_a_token,
)
from elman.tasks.translating.measuring import quick_bleu
from elman.tasks.translating.pairs import Parallel, one_or_two, read_pairs, read_parallel
from elman.tasks.translating.settings import DEFAULT_EPOCHS, FIT, TranslateSettings, budgeted
from elman.train import FitResult, FitSettings, fit

__all__ = ["DEFAULT_EPOCHS", "FIT", "TranslateSettings", "Translator", "budgeted"]


def train(
    model: Any, examples: Examples, s: TranslateSettings, f: FitSettings, **options: Any
) -> FitResult:
    """Hand the batches, the loss and the score to `fit`."""

    def loss(model: Any, batch: Batch, _carry: Any) -> tuple[Tensor, None]:
        return loss_of(model, batch, s.smoothing), None

    def score(model: Any) -> dict[str, float]:
        lines = examples.lines
        greedy = Searching(beam=1, stretch=1.2)  # what does not end yet takes long
        found = translate(model, examples.vocabulary, lines.source, greedy)
        bleu = quick_bleu(first_lines(found), lines.target)
        # The likelihood turns worse long before the translations do.
        return {"100 - BLEU": 100 - bleu, "nats a token": nats_a_token(model, examples.validation)}

    return fit(model, ByLength(examples.train, s.batch_size, f.seed), loss, score, f, **options)


class Translator:
    """Fits a recurrent network to pairs of sentences, and translates.

    Args:
        cell: a built-in cell's name, or a Cell class.
        settings: fields of `TranslateSettings` and of `elman.train.FitSettings`, by name.

    Raises:
        TypeError, ValueError: a setting is unknown or breaks its rule.
    """

    def __init__(self, cell: str | type[Cell] = "GRU", **settings: Any) -> None:
        self.cell = by_name(cell) if isinstance(cell, str) else cell
        own, fitting = sort_out(settings, TranslateSettings, FIT)
        self.settings = TranslateSettings(self.cell.__name__, **own)
        self.fit_settings = dataclasses.replace(FIT, **fitting)
        check_search(self.settings.beam, self.settings.length_penalty, 1)
        self._fitted: Fitted | None = None

    def read(
        self, source: Any, target: Any = None, *, validation: Any = None, test: Any = None
    ) -> Parallel:
        """Pairs as `fit` understands them: `understood()` of the result has the words.

        Args:
            source: a `pathlib.Path` or a list of str; without `target`, the path of a table with
                a tab between a sentence and its translation.
            target: the same for the translations, as many lines.
            validation, test: a pair (source, target), or the path of a table. What is not given
                is held out of the training pairs; a test only where no validation is given.

        Raises:
            elman.data.DataError: a file cannot be used; says where and how to repair it.
        """
        s, encoding = self.settings, self.settings.encoding
        parts = [
            None if one is None else read_pairs(*one_or_two(one), encoding=encoding)
            for one in (validation, test)
        ]
        train = read_pairs(source, target, encoding)
        return read_parallel(train, parts[0], parts[1], s.held_out, self.fit_settings.seed)

    def fit(
        self,
        source: Any,
        target: Any = None,
        *,
        validation: Any = None,
        test: Any = None,
        run_dir: str | Path | None = None,
        resume: bool = False,
        progress: bool | None = None,
        say: Say = silent,
    ) -> "Translator":
        """Train on pairs and compare with the baselines.

        Args:
            source: as in `read`, with `target`, `validation`, `test`; or what `read` gave.
            run_dir: for checkpoints and history; None writes nothing. `resume` goes on with it.
            progress: True shows progress on standard error.
            say: is given what is trained, a line each.

        Raises:
            elman.data.DataError: the pairs cannot be used; says where and how to repair them.
            ImportError: `tokenizers` or `sacrebleu` is not installed.
        """
        pairs = source
        if not isinstance(pairs, Parallel):
            pairs = self.read(source, target, validation=validation, test=test)
        run = None if run_dir is None else Path(run_dir)
        job = Job(self.cell, self.settings, budgeted(self.fit_settings), train, say)
        self._fitted = learn(job, pairs, run, resume=resume, progress=progress)
        return self

    @property
    def fitted(self) -> Fitted:
        """What fitting left. Raises RuntimeError before it."""
        if self._fitted is None:
            raise RuntimeError("the model must be fitted first: call fit, or Translator.load")
        return self._fitted

    def predict(self, lines: str | Sequence[str], **how: Any) -> Any:
        """The translation of a sentence, or of each of several: str, or a list of str.

        The translation of an empty line is empty. `how`: `beam`, `length_penalty`, as in `search`.
        """
        several = [lines] if isinstance(lines, str) else list(lines)
        found = first_lines(self.search(several, **how))
        return found[0] if isinstance(lines, str) else found

    def search(
        self,
        lines: Sequence[str],
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
        n_best: int = 1,
    ) -> list[list[Translation]]:
        """The `n_best` translations of each line, the best first, with their scores.

        Args:
            beam: beginnings that are kept; 1 is greedy. length_penalty: 0 prefers short ones, 1
                ranks by the mean per token. By default, the settings.
            n_best: at most `beam`. An empty line has an empty one, a line that is cut has one.

        Raises:
            TypeError, ValueError: an argument breaks its rule.
        """
        own = self.fitted
        return translate(
            own.network, own.vocabulary, _checked(lines), self._how(beam, length_penalty, n_best)
        )

    def _how(self, beam: int | None, length_penalty: float | None, n_best: int = 1) -> Searching:
        s = self.settings
        how = Searching(
            s.beam if beam is None else beam,
            s.length_penalty if length_penalty is None else length_penalty,
            n_best,
        )
        check_search(how.beam, how.length_penalty, how.n_best)
        return how

    def evaluate(
        self,
        source: Any = None,
        target: Any = None,
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
    ) -> Evaluation:
        """Scores beside the baselines: of the fitted pairs, or on others (as in `read`)."""
        if source is None:
            return self.fitted.evaluation
        pairs = read_pairs(source, target, self.settings.encoding)
        return measured(self.fitted, pairs, self.cell.__name__, self._how(beam, length_penalty))

    def attention(self, line: str, translation: str | None = None) -> Attention:
        """What each token of a translation, by default the model's own, attends to in its line."""
        text = self.predict(line) if translation is None else translation
        return attention_of(self.fitted.network, self.fitted.vocabulary, *_checked([line, text]))

    def plot_attention(self, line: str, translation: str | None = None, ax: Any = None) -> Any:
        """Draw `attention` on `ax`, or on a figure of its own, and return the axes."""
        return self.attention(line, translation).draw(ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file that holds all that `predict` needs."""
        stored.save(path, self.settings, self.fit_settings, self.fitted)

    @staticmethod
    def load(path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()) -> "Translator":
        """The model that `save` wrote, or a run's; `cells` are your own.

        Raises:
            elman_runtime.ModelFileError: the file is damaged or holds something else.
            ValueError: its cell is not built in and not among `cells`.
        """
        cell, settings, fitting, fitted = stored.load(path, cells)
        own = {name: value for name, value in vars(settings).items() if name != "cell"}
        found = Translator(cell, **own, **vars(fitting))
        found._fitted = fitted
        return found


def _checked(lines: Sequence[str]) -> list[str]:
    found = list(lines)
    for k, line in enumerate(found):
        if not isinstance(line, str):
            raise TypeError(f"lines must be str; got {type(line).__name__} at {k}; convert it")
    return found
