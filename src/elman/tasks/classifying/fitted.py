"""What fitting a classifier leaves, and how it is stored as one file.

Settings, figures and what was understood stand in the metadata; the weights under `model.`; the
vocabulary, the classes and the share of each under `extra.`. Format 1 holds the programs too, which
judge without torch. A cell that has no tape has no program: then it is format 0. Nothing in a file
is ever executed: a cell is found by its name.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from elman.cells import Cell, by_name
from elman.nn import Builder
from elman.tasks import stored
from elman.tasks.classifying import reader as readers
from elman.tasks.classifying.batches import logits_of
from elman.tasks.classifying.evaluation import Evaluation
from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.lexicon import BOTH
from elman.tasks.classifying.network import Numbers, SequenceClassifier, Words, WordsAndParts
from elman.tasks.classifying.programs import programs_of
from elman.tasks.classifying.reader import Reader
from elman.tasks.classifying.settings import ClassifySettings
from elman.train import FitResult, FitSettings
from elman_runtime.bag import Bag, restored_bag
from elman_runtime.classify import KIND
from elman_runtime.program import Program

TASK = "classify"
WHAT = "a classifier"


@dataclass(frozen=True)
class Judged:
    """Examples, their probabilities (N, C) by the network, and which classes are true (N, C)."""

    examples: Examples
    found: Any
    flags: Any


@dataclass(frozen=True)
class Fitted:
    """A trained network and what is known of it.

    - `temperature`: what logits are divided by before they are probabilities.
    - `shares`: how often each class occurs in the training part: (C,).
    - `understood`: of the examples, pairs of a name and words; `notes`: a sentence each.
    - `bag`: scores of words that are added to the network's, if any.
    - `judged`: the part that is reported; `result`: of the training; both None in a model that was
      loaded.
    """

    network: SequenceClassifier
    reader: Reader
    temperature: float
    shares: Any
    evaluation: Evaluation
    understood: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()
    judged: Judged | None = None
    result: FitResult | None = None
    bag: Bag | None = None

    def logits(self, found: Examples) -> Any:
        """Logits (N, C) of examples, before they are divided by the temperature.

        Raises:
            DataError: their columns are not those that were trained on.
        """
        own = logits_of(self.network, self.reader.encode(found), len(self.reader.classes))
        return own if self.bag is None else own + self.bag.scores_of(found.inputs)


def front_of(s: ClassifySettings, reader: Reader, width: int = 0) -> nn.Module:
    """Steps to vectors, at the start, as wide as the settings say or `width`."""
    width = width or s.embedding
    if reader.lexicon is not None:
        kind = WordsAndParts if reader.lexicon.kind == BOTH else Words
        return kind(reader.lexicon.size, width, s.word_dropout, s.input_dropout)
    assert reader.scaling is not None
    return Numbers(reader.scaling.width, width, s.input_dropout)


def build(cell: type[Cell], s: ClassifySettings, reader: Reader) -> SequenceClassifier:
    """The network, at its start."""
    return SequenceClassifier(
        front_of(s, reader),
        s.embedding,
        cell,
        len(reader.classes),
        s.hidden,
        s.layers,
        causal=s.causal,
        pooling=s.pooling,
        around=not s.recurrent_only,
        dropout=s.dropout,
        weight_drop=s.weight_drop,
        gaps=reader.scaling is not None and bool(reader.scaling.gap),
    )


def save(
    path: str | os.PathLike[str], settings: ClassifySettings, fit: FitSettings, fitted: Fitted
) -> None:
    """Write the file, whole or not at all. Raises OSError where it cannot be written."""
    meta = stored.meta_of(TASK, settings.cell, fit, fitted.evaluation, fitted)
    meta["data"] |= fitted.reader.as_dict() | {"bag": fitted.bag is not None}
    meta["temperature"] = fitted.temperature
    tensors = stored.weights_of(fitted.network) | fitted.reader.tensors()
    tensors |= {} if fitted.bag is None else fitted.bag.tensors()
    tensors["extra.shares"] = np.asarray(fitted.shares, np.float64)

    def programs(builder: Builder) -> dict[str, Program]:
        return programs_of(
            fitted.network, fitted.temperature, settings.several, builder, fitted.bag is not None
        )

    stored.write(path, KIND, meta, settings.plain(), tensors, programs)


def load(
    path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()
) -> tuple[type[Cell], ClassifySettings, FitSettings, Fitted]:
    """The cell, the settings and what `save` was given, from a file or the folder of a run.

    Raises:
        ModelFileError: it is damaged, holds something else, or its parts do not fit together.
        ValueError: its cell is not built in and not among `cells`.
        ImportError: its vocabulary needs the library `tokenizers`.
    """
    meta, tensors = stored.read(path, TASK, WHAT)
    with stored.blaming(path, WHAT):
        settings = ClassifySettings(**meta["settings"])
        fitting = FitSettings(**meta["fit"])
        reader = readers.restored(settings, meta["data"], tensors)
        _check_sizes(settings, reader, tensors)
    cell = by_name(settings.cell, cells)
    with stored.blaming(path, WHAT):
        network = build(cell, settings, reader)
        stored.fill_from(network, tensors, path)
        warmth, shares = _temperature(meta["temperature"]), tensors["extra.shares"]
        evaluation = Evaluation.from_dict(meta["evaluation"])
        bag = restored_bag(tensors, settings.keep_case, len(reader.classes))
        if (bag is not None) != bool(meta["data"].get("bag", False)):
            raise ValueError("a bag of words that is missing, or one too many")
        words = stored.words_of(meta)
        fitted = Fitted(network, reader, warmth, shares, evaluation, *words, bag=bag)
    return cell, settings, fitting, fitted


def _temperature(written: Any) -> float:
    found = float(written)
    if not 0 < found < 1e6:
        raise ValueError(f"a temperature of {found}")
    return found


def _check_sizes(settings: ClassifySettings, reader: Reader, tensors: Any) -> None:
    """Sizes in the metadata are those of the tensors, before anything is built by them."""
    ways = 1 if settings.causal else 2
    layers = sum(name.startswith("model.recurrent.weight_ih_l") for name in tensors)
    if layers != settings.layers * ways:
        raise ValueError(f"{settings.layers} layers, and the weights of {layers / ways:g}")
    if max(tensors["model.recurrent.weight_ih_l0"].shape) < settings.hidden:
        raise ValueError(f"{settings.hidden} hidden units, and tensors for fewer")
    classes = len(reader.classes)
    if tensors["model.outer.bias"].shape != (classes,):
        raise ValueError(f"{classes} classes, and logits of {tensors['model.outer.bias'].shape}")
    if tensors["extra.shares"].shape != (classes,):
        raise ValueError("shares of the classes that are not one each")
    if reader.lexicon is not None:
        expected = {"model.front.weight": (reader.lexicon.size, settings.embedding)}
    else:
        assert reader.scaling is not None
        expected = {"model.front.linear.weight": (settings.embedding, reader.scaling.width)}
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise ValueError(f"{name} of shape {tensors[name].shape}, not {shape}")
