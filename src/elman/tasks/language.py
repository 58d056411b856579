"""Language models: text in, probabilities of what comes next, and new text.

    elman train language shakespeare.txt                  # trains, compares with baselines, reports
    elman generate runs/language-shakespeare-001 --prompt "ROMEO:"
    elman score runs/language-shakespeare-001 letter.txt  # how surprising each character is

The same in Python, silent and writing nothing:

    >>> from elman.tasks.language import LanguageModel
    >>> poem = "the rose is red, the violet's blue, the honey's sweet, and so are you. " * 20
    >>> model = LanguageModel(hidden=16, steps=30, no_feedforward=True).fit(poem)
    >>> len(model.generate("the rose", length=20))
    20
    >>> model.evaluate().network
    'LSTM'

Beside every result stand uniform and unigram frequencies, an n-gram model of order 5 and a network
without a memory. `python bench/language.py` prints the scores it reaches on tinyshakespeare.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor, nn

from elman.cells import Cell, by_name
from elman.data.corpus import Corpus, load_corpus, read_corpus, save_corpus
from elman.data.text import as_sources
from elman.tasks.shared import Say, silent, sort_out
from elman.tasks.texts import dynamic
from elman.tasks.texts import fitted as stored
from elman.tasks.texts.batches import Batch, Stretches
from elman.tasks.texts.contest import Contest as Contest
from elman.tasks.texts.evaluation import Evaluation
from elman.tasks.texts.fitted import Fitted
from elman.tasks.texts.learning import Job, learn, measured
from elman.tasks.texts.measuring import Score, measurable, sampled_nats
from elman.tasks.texts.scoring import Scored, score_text
from elman.tasks.texts.settings import DEFAULT_STEPS, FIT, LanguageSettings, budgeted
from elman.tasks.texts.writing import runner_of
from elman.train import FitResult, FitSettings, fit
from elman_runtime.sample import Sampling
from elman_runtime.writing import check_writing, write

__all__ = ["DEFAULT_STEPS", "FIT", "LanguageModel", "LanguageSettings", "budgeted"]


def train(
    model: Any, corpus: Corpus, s: LanguageSettings, f: FitSettings, **options: Any
) -> FitResult:
    """Hand the batches, the loss and the score to `fit`; with `final`, nothing is chosen."""

    def loss(model: Any, batch: Batch, carry: Any) -> tuple[Tensor, Any]:
        if carry is not None:
            carry = model.forget(carry, torch.rand(len(batch.x), device=batch.x.device) < s.reset)
        logits, state = model(batch.x, carry)
        return nn.functional.cross_entropy(logits.flatten(0, 1), batch.y.flatten()), state

    def score(model: nn.Module) -> dict[str, float]:
        return {f"nats a {unit}": sampled_nats(model, corpus, corpus.validation)}

    unit = corpus.vocabulary.unit
    batches = Stretches(corpus.tokens, corpus.train, s.batch_size, s.length, f.seed)
    return fit(model, batches, loss, None if s.final else score, f, **options)


class LanguageModel:
    """Fits a recurrent network to text; writes on from a prompt; says how likely a text is.

    Args:
        cell: a built-in cell's name, or a Cell class.
        settings: fields of `LanguageSettings` and of `elman.train.FitSettings`, by name.

    Raises:
        TypeError, ValueError: a setting is unknown or breaks its rule.
    """

    def __init__(self, cell: str | type[Cell] = "LSTM", **settings: Any) -> None:
        self.cell = by_name(cell) if isinstance(cell, str) else cell
        own, fitting = sort_out(settings, LanguageSettings, FIT)
        self.settings = LanguageSettings(self.cell.__name__, **own)
        self.fit_settings = dataclasses.replace(FIT, **fitting)
        self._fitted: Fitted | None = None

    def read(self, text: Any) -> Corpus:
        """Text as `fit` understands it: `corpus.understood()` has the words.

        Args:
            text: a `pathlib.Path`, a str of text, or a list of them: each is a document.

        Raises:
            elman.data.DataError: a file cannot be used; says where and how to repair it.
        """
        s = self.settings
        texts, kind = as_sources(text), s.tokens
        return read_corpus(texts, kind, s.vocabulary, encoding=s.encoding, shares=s.shares)

    def fit(
        self,
        text: Any,
        *,
        run_dir: str | Path | None = None,
        resume: bool = False,
        progress: bool | None = None,
        say: Say = silent,
    ) -> "LanguageModel":
        """Train on text and compare with the baselines.

        Args:
            text: as in `read`, or what `read` gave.
            run_dir: for the tokens, checkpoints and history; None writes nothing. `resume` goes
                on with it, and then reads the text that is there.
            progress: True shows progress on standard error.
            say: is given what is trained, a line each.

        Raises:
            elman.data.DataError: a file cannot be used; says where and how to repair it.
            ImportError: subwords need the library `tokenizers`.
        """
        run = None if run_dir is None else Path(run_dir)
        corpus = load_corpus(run) if resume and run is not None else None
        if corpus is None:
            corpus = text if isinstance(text, Corpus) else self.read(text)
            corpus = corpus if run is None else save_corpus(corpus, run)
        job = Job(self.cell, self.settings, budgeted(self.fit_settings), train, say)
        self._fitted = learn(job, corpus, run, resume=resume, progress=progress)
        return self

    @property
    def fitted(self) -> Fitted:
        """What fitting left. Raises RuntimeError before it."""
        if self._fitted is None:
            raise RuntimeError("the model must be fitted first: call fit, or LanguageModel.load")
        return self._fitted

    @overload
    def generate(self, prompt: str = ..., **how: Any) -> str: ...
    @overload
    def generate(self, prompt: Sequence[str], **how: Any) -> list[str]: ...
    def generate(self, prompt: str | Sequence[str] = "", **how: Any) -> str | list[str]:
        """What the model writes after a prompt, or after each of several; see `stream`."""
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        found = [""] * len(prompts)
        for which, text in self.stream(prompts, **how):
            found[which] += text
        return found[0] if isinstance(prompt, str) else found

    def stream(
        self,
        prompts: Sequence[str],
        *,
        length: int = 500,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        seed: int = 0,
        stop: str | Sequence[str] = (),
    ) -> Iterator[tuple[int, str]]:
        """The same as it is written: pairs of which prompt, and the characters that came to it.

        The same seed gives the same text. The memory needed does not depend on the length.

        Args:
            prompts: at least one; each begins a document. Unknown characters are read as unknown.
            length: tokens to write at most; a text may end before, with its document.
            temperature, top_k, top_p, min_p: see `elman_runtime.sample.Sampling`.
            stop: a word or several; a text ends before the first of them.

        Raises:
            TypeError, ValueError: an argument breaks its rule.
        """
        words = [stop] if isinstance(stop, str) else list(stop)
        check_writing(prompts, length, words)
        how = Sampling(temperature, top_k, top_p, min_p)
        own = self.fitted
        runner = runner_of(own.network)
        return write(runner, own.vocabulary, prompts, length, how, seed=seed, stop=words)

    def score(self, text: str) -> Scored:
        """What each token of a text costs, as numbers and as a picture."""
        return score_text(self.fitted.network, self.fitted.vocabulary, text)

    def evaluate(self, text: Any = None) -> Evaluation:
        """Scores beside the baselines: of the fitted text, or on another (as in `read`)."""
        if text is None:
            return self.fitted.evaluation
        return measured(self.fitted, self._other(text), self.cell.__name__)

    def evaluate_dynamic(self, text: Any = None, rate: float | None = None) -> Score:
        """The score on the test, or on another text, while learning from what was just scored.

        Args:
            rate: of learning; None to choose it on validation, where that is at hand.

        Raises:
            RuntimeError: the model was loaded without the text of its run; give one.
        """
        own = self.fitted
        corpus = own.corpus if text is None else self._other(text)
        if corpus is None:
            raise RuntimeError("text must be given where the model was loaded; got none; give some")
        if rate is None:
            rate = dynamic.choose_rate(own.network, corpus)
        return dynamic.dynamic_score(own.network, corpus, measurable(corpus, corpus.test), rate)

    def _other(self, text: Any) -> Corpus:
        """Another text, all of it as the test."""
        texts, kind, encoding = as_sources(text), self.settings.tokens, self.settings.encoding
        known = self.fitted.vocabulary
        return read_corpus(texts, kind, encoding=encoding, shares=(0.0, 0.0), known=known)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file that holds all that `generate` and `score` need."""
        stored.save(path, self.settings, self.fit_settings, self.fitted)

    @staticmethod
    def load(path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()) -> "LanguageModel":
        """The model that `save` wrote, or a run's, with its text; `cells` are your own.

        Raises:
            elman_runtime.ModelFileError: the file is damaged or holds something else.
            ValueError: its cell is not built in and not among `cells`.
        """
        cell, settings, fitting, fitted = stored.load(path, cells)
        own = {name: value for name, value in vars(settings).items() if name != "cell"}
        found = LanguageModel(cell, **own, **vars(fitting))
        corpus = load_corpus(Path(path)) if Path(path).is_dir() else None
        found._fitted = dataclasses.replace(fitted, corpus=corpus)
        return found
