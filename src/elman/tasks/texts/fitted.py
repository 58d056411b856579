"""What fitting a language model leaves, and how it is stored as one file.

Settings, figures and what was understood of the text stand in the metadata; the weights under
`model.`; the vocabulary as bytes and the frequencies of its tokens under `extra.`. Format 1 holds
the program too, with which a text is written without torch. A cell that has no tape has no
program: then it is format 0. Nothing in a file is ever executed: a cell is found by its name.
"""

import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.cells import Cell, by_name
from elman.data import vocabulary as vocabularies
from elman.data.corpus import Corpus
from elman.data.vocabulary import Vocabulary
from elman.nn import Builder
from elman.tasks import stored
from elman.tasks.texts.evaluation import Evaluation
from elman.tasks.texts.network import LanguageNetwork
from elman.tasks.texts.settings import LanguageSettings
from elman.tasks.texts.writing import program_of
from elman.train import FitResult, FitSettings
from elman_runtime.program import Program

TASK = "language"
WHAT = "a language model"
KIND = "LanguageModel"


@dataclass(frozen=True)
class Fitted:
    """A trained network and what is known of it.

    - `frequencies`: how often each token occurs in the training part: (V,).
    - `understood`: of the text, pairs of a name and words.
    - `notes`: what has to be known about the results, a sentence each.
    - `corpus`: the text; None in a model that was loaded from a file alone.
    - `result`: of the training; None in a model that was loaded.
    """

    network: LanguageNetwork
    vocabulary: Vocabulary
    frequencies: Any
    evaluation: Evaluation
    understood: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    corpus: Corpus | None = None
    result: FitResult | None = None


def build(cell: type[Cell], settings: LanguageSettings, vocabulary: Vocabulary) -> LanguageNetwork:
    """The network, at its start."""
    return LanguageNetwork(
        cell,
        vocabulary.size,
        settings.width(vocabulary.size),
        settings.hidden,
        settings.layers,
        dropout=settings.dropout,
        input_dropout=settings.input_dropout,
        weight_drop=settings.weight_drop,
        clip_steps=settings.clip_steps,
        tied=not settings.untied,
    )


def save(
    path: str | os.PathLike[str], settings: LanguageSettings, fit: FitSettings, fitted: Fitted
) -> None:
    """Write the file, whole or not at all. Raises OSError where it cannot be written."""
    meta = stored.meta_of(TASK, settings.cell, fit, fitted.evaluation, fitted)
    tensors = stored.weights_of(fitted.network)
    tensors["extra.vocabulary"] = np.frombuffer(fitted.vocabulary.stored, np.uint8)
    tensors["extra.frequencies"] = np.asarray(fitted.frequencies, np.float64)

    def programs(builder: Builder) -> dict[str, Program]:
        return {"main": program_of(fitted.network, builder)}

    stored.write(path, KIND, meta, dataclasses.asdict(settings), tensors, programs)


def load(
    path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()
) -> tuple[type[Cell], LanguageSettings, FitSettings, Fitted]:
    """The cell, the settings and what `save` was given, from a file or the folder of a run.

    Raises:
        ModelFileError: it is damaged, holds something else, or its parts do not fit together.
        ValueError: its cell is not built in and not among `cells`.
        ImportError: its vocabulary needs the library `tokenizers`.
    """
    meta, tensors = stored.read(path, TASK, WHAT)
    with stored.blaming(path, WHAT):
        settings = LanguageSettings(**meta["settings"])
        fitting = FitSettings(**meta["fit"])
        tokens = tensors["extra.vocabulary"].astype(np.uint8).tobytes()
        vocabulary = vocabularies.restore(settings.tokens, tokens)
        _check_sizes(settings, vocabulary, tensors)
    cell = by_name(settings.cell, cells)
    with stored.blaming(path, WHAT):
        network = build(cell, settings, vocabulary)
        stored.fill_from(network, tensors, path)
        evaluation = Evaluation.from_dict(meta["evaluation"])
        words = stored.words_of(meta)
        fitted = Fitted(network, vocabulary, tensors["extra.frequencies"], evaluation, *words)
    return cell, settings, fitting, fitted


def _check_sizes(settings: LanguageSettings, vocabulary: Vocabulary, tensors: Any) -> None:
    """Sizes in the metadata are those of the tensors, before anything is built by them."""
    layers = sum(name.startswith("model.recurrent.weight_ih_l") for name in tensors)
    width = tensors["model.recurrent.weight_ih_l0"].shape[1]
    sizes = (tensors["model.words.bias"].shape, tensors["extra.frequencies"].shape)
    if layers != settings.layers or width != settings.width(vocabulary.size):
        raise ValueError("layers or a width that differ from the tensors'")
    if sizes != ((vocabulary.size,), (vocabulary.size,)):
        raise ValueError(f"a vocabulary of {vocabulary.size}, and tensors for {sizes}")
    if max(tensors["model.recurrent.weight_ih_l0"].shape) < settings.hidden:
        raise ValueError(f"{settings.hidden} hidden units, and tensors for fewer")
