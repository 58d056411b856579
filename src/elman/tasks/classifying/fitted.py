"""What fitting a classifier leaves, and how it is stored as one file.

Settings, figures and what was understood stand in the metadata; the weights under `model.`; the
vocabulary, the classes and the share of each under `extra.`. Format 1 holds the programs too, which
judge without torch. A cell that has no tape has no program: then it is format 0. Nothing in a file
is ever executed: a cell is found by its name.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from elman.cells import Cell, by_name
from elman.nn import Builder, CannotStore
from elman.nn.store import arrays, fill
from elman.tasks.classifying import reader as readers
from elman.tasks.classifying.evaluation import Evaluation
from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.lexicon import BOTH
from elman.tasks.classifying.network import Numbers, SequenceClassifier, Words, WordsAndParts
from elman.tasks.classifying.programs import programs_of
from elman.tasks.classifying.reader import Reader
from elman.tasks.classifying.settings import ClassifySettings
from elman.tasks.shared import model_path
from elman.trace import TraceError
from elman.train import FitResult, FitSettings
from elman_runtime import ModelFileError, model_file
from elman_runtime.classify import KIND
from elman_runtime.model import write_model

FORMATS = (0, 1)
TASK = "classify"


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
    meta: dict[str, Any] = {
        "task": TASK,
        "cell": settings.cell,
        "fit": dataclasses.asdict(fit),
        "data": {
            "understood": [list(pair) for pair in fitted.understood],
            "notes": list(fitted.notes),
            **fitted.reader.as_dict(),
        },
        "temperature": fitted.temperature,
        "evaluation": fitted.evaluation.as_dict(),
    }
    tensors = {f"model.{name}": array for name, array in arrays(fitted.network).items()}
    tensors |= fitted.reader.tensors()
    tensors["extra.shares"] = np.asarray(fitted.shares, np.float64)
    builder = Builder()
    # Known first, so that programs name the network's own wherever they are the same.
    builder.tensors.update(tensors)
    try:
        programs = programs_of(fitted.network, fitted.temperature, settings.several, builder)
    except (CannotStore, TraceError):
        model_file.write(path, {**meta, "format": 0, "settings": settings.plain()}, tensors)
        return
    stored = settings.plain()
    write_model(path, programs, builder.tapes, builder.tensors, KIND, stored, **meta)


def load(
    path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()
) -> tuple[type[Cell], ClassifySettings, FitSettings, Fitted]:
    """The cell, the settings and what `save` was given, from a file or the folder of a run.

    Raises:
        ModelFileError: it is damaged, holds something else, or its parts do not fit together.
        ValueError: its cell is not built in and not among `cells`.
        ImportError: its vocabulary needs the library `tokenizers`.
    """
    stored = model_file.read(model_path(path))
    meta, tensors = stored.meta, stored.tensors
    if meta.get("task") != TASK or meta.get("format") not in FORMATS:
        kind = meta.get("task") or meta.get("kind") or "unknown"
        raise ModelFileError(
            f"{os.fspath(path)}: must hold a classifier of format 0 or 1; got {kind!r} of "
            f"format {meta.get('format')!r}; give the model file of a classify run"
        )
    with _blaming(path):
        settings = ClassifySettings(**meta["settings"])
        fitting = FitSettings(**meta["fit"])
        reader = readers.restored(settings, meta["data"], tensors)
        _check_sizes(settings, reader, tensors)
    cell = by_name(settings.cell, cells)
    with _blaming(path):
        network = build(cell, settings, reader)
        # Programs may have tensors beside the network's: a U as its cell constrains it.
        own = {n: tensors[f"model.{n}"] for n in network.state_dict() if f"model.{n}" in tensors}
        fill(network, own, path)
        fitted = Fitted(
            network.eval(),
            reader,
            _temperature(meta["temperature"]),
            tensors["extra.shares"],
            Evaluation.from_dict(meta["evaluation"]),
            tuple((str(name), str(words)) for name, words in meta["data"]["understood"]),
            tuple(map(str, meta["data"]["notes"])),
        )
    return cell, settings, fitting, fitted


def _temperature(stored: Any) -> float:
    found = float(stored)
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


@contextmanager
def _blaming(path: str | os.PathLike[str] | Path) -> Iterator[None]:
    """Content that does not fit together is the file's fault: a ModelFileError that names it."""
    try:
        yield
    except (ModelFileError, ImportError):
        raise
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelFileError(
            f"{os.fspath(path)}: a classifier's parts must fit together; got {what}; train it again"
        ) from error
