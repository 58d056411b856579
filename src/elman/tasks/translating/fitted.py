"""What fitting a translator leaves, and how it is stored as one file.

Settings, figures and what was understood of the pairs stand in the metadata; the weights under
`model.`; the subwords and the samples as bytes under `extra.`. Format 1 holds the programs too,
with which lines are translated without torch. A cell that has no tape has no program: then it is
format 0. Nothing in a file is ever executed: a cell is found by its name.
"""

import dataclasses
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.cells import Cell, by_name
from elman.data.vocabulary import Vocabulary, subword_vocabulary
from elman.nn import Builder
from elman.tasks import stored
from elman.tasks.translating.evaluation import Evaluation
from elman.tasks.translating.network import TranslationNetwork
from elman.tasks.translating.program import programs_of
from elman.tasks.translating.settings import TranslateSettings
from elman.train import FitResult, FitSettings
from elman_runtime.program import Program
from elman_runtime.translate import KIND

TASK = "translate"
WHAT = "a translator"


@dataclass(frozen=True)
class Sample:
    """A sentence, its reference, and what the network made of it."""

    source: str
    reference: str
    translation: str


@dataclass(frozen=True)
class Fitted:
    """A trained network and what is known of it.

    - `understood`: of the pairs, a name and words each.
    - `notes`: what has to be known about the results, a sentence each.
    - `samples`: of the test, or of validation where there was none.
    - `result`: of the training; None in a model that was loaded.
    """

    network: TranslationNetwork
    vocabulary: Vocabulary
    evaluation: Evaluation
    understood: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    result: FitResult | None = None


def build(cell: type[Cell], settings: TranslateSettings, tokens: int) -> TranslationNetwork:
    """The network, at its start."""
    return TranslationNetwork(
        cell,
        tokens,
        settings.embedding,
        settings.hidden,
        settings.layers,
        dropout=settings.dropout,
        input_dropout=settings.input_dropout,
        word_dropout=settings.word_dropout,
        weight_drop=settings.weight_drop,
    )


def save(
    path: str | os.PathLike[str], settings: TranslateSettings, fit: FitSettings, fitted: Fitted
) -> None:
    """Write the file, whole or not at all. Raises OSError where it cannot be written."""
    meta = stored.meta_of(TASK, settings.cell, fit, fitted.evaluation, fitted)
    samples = json.dumps([dataclasses.astuple(one) for one in fitted.samples]).encode()
    tensors = stored.weights_of(fitted.network)
    tensors["extra.vocabulary"] = np.frombuffer(fitted.vocabulary.stored, np.uint8)
    tensors["extra.samples"] = np.frombuffer(samples, np.uint8)

    def programs(builder: Builder) -> dict[str, Program]:
        return programs_of(fitted.network, builder)

    stored.write(path, KIND, meta, dataclasses.asdict(settings), tensors, programs)


def load(
    path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()
) -> tuple[type[Cell], TranslateSettings, FitSettings, Fitted]:
    """The cell, the settings and what `save` was given, from a file or the folder of a run.

    Raises:
        ModelFileError: it is damaged, holds something else, or its parts do not fit together.
        ValueError: its cell is not built in and not among `cells`.
        ImportError: the library `tokenizers` is not installed.
    """
    meta, tensors = stored.read(path, TASK, WHAT)
    with stored.blaming(path, WHAT):
        settings = TranslateSettings(**meta["settings"])
        fitting = FitSettings(**meta["fit"])
        vocabulary = subword_vocabulary(tensors["extra.vocabulary"].astype(np.uint8).tobytes())
        _check_sizes(settings, vocabulary, tensors)
    cell = by_name(settings.cell, cells)
    with stored.blaming(path, WHAT):
        network = build(cell, settings, vocabulary.size)
        stored.fill_from(network, tensors, path)
        evaluation = Evaluation.from_dict(meta["evaluation"])
        found = json.loads(tensors["extra.samples"].astype(np.uint8).tobytes())
        samples = tuple(Sample(*map(str, one)) for one in found)
        fitted = Fitted(network, vocabulary, evaluation, *stored.words_of(meta), samples)
    return cell, settings, fitting, fitted


def _check_sizes(settings: TranslateSettings, vocabulary: Vocabulary, tensors: Any) -> None:
    """Sizes in the metadata are those of the tensors, before anything is built by them."""
    words = tensors["model.words.weight"].shape
    if words != (vocabulary.size, settings.embedding):
        raise ValueError(f"{vocabulary.size} subwords, and a tensor for {words}")
    layers = sum(
        name.startswith("model.encoder.weight_ih_l") and not name.endswith("_reverse")
        for name in tensors
    )
    if layers != settings.layers or settings.hidden > max(
        tensors["model.encoder.weight_ih_l0"].shape
    ):
        raise ValueError("layers or a width that differ from the tensors'")
