"""What fitting a language model leaves, and how it is stored as one file.

Settings, figures and what was understood of the text stand in the metadata; the weights under
`model.`; the vocabulary as bytes and the frequencies of its tokens under `extra.`. Format 1 holds
the program too, with which a text is written without torch. A cell that has no tape has no
program: then it is format 0. Nothing in a file is ever executed: a cell is found by its name.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.cells import Cell, by_name
from elman.data import vocabulary as vocabularies
from elman.data.corpus import Corpus
from elman.data.vocabulary import Vocabulary
from elman.nn import Builder, CannotStore
from elman.nn.store import arrays, fill
from elman.tasks.shared import model_path
from elman.tasks.texts.evaluation import Evaluation
from elman.tasks.texts.network import LanguageNetwork
from elman.tasks.texts.settings import LanguageSettings
from elman.tasks.texts.writing import program_of
from elman.trace import TraceError
from elman.train import FitResult, FitSettings
from elman_runtime import ModelFileError, model_file
from elman_runtime.model import write_model

FORMATS = (0, 1)
TASK = "language"


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
    stored = dataclasses.asdict(settings)
    more: dict[str, Any] = {
        "task": TASK,
        "cell": settings.cell,
        "fit": dataclasses.asdict(fit),
        "data": {
            "understood": [list(pair) for pair in fitted.understood],
            "notes": list(fitted.notes),
        },
        "evaluation": fitted.evaluation.as_dict(),
    }
    tensors = {f"model.{name}": array for name, array in arrays(fitted.network).items()}
    tensors["extra.vocabulary"] = np.frombuffer(fitted.vocabulary.stored, np.uint8)
    tensors["extra.frequencies"] = np.asarray(fitted.frequencies, np.float64)
    builder = Builder()
    # Known first, so that the program names the network's own wherever they are the same.
    builder.tensors.update(tensors)
    try:
        program = program_of(fitted.network, builder)
    except (CannotStore, TraceError):
        model_file.write(path, {**more, "format": 0, "settings": stored}, tensors)
        return
    write_model(
        path, {"main": program}, builder.tapes, builder.tensors, "LanguageModel", stored, **more
    )


def load(
    path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()
) -> tuple[type[Cell], LanguageSettings, FitSettings, Fitted]:
    """The cell, the settings and what `save` was given, from a file or the folder of a run.

    Raises:
        ModelFileError: it is damaged, holds something else, or its parts do not fit together.
        ValueError: its cell is not built in and not among `cells`.
        ImportError: its vocabulary needs the library `tokenizers`.
    """
    found = model_file.read(model_path(path))
    meta, tensors = found.meta, found.tensors
    if meta.get("task") != TASK or meta.get("format") not in FORMATS:
        kind = meta.get("task") or meta.get("kind") or "unknown"
        raise ModelFileError(
            f"{os.fspath(path)}: must hold a language model of format 0 or 1; got {kind!r} of "
            f"format {meta.get('format')!r}; give the model file of a language run"
        )
    with _blaming(path):
        settings = LanguageSettings(**meta["settings"])
        fitting = FitSettings(**meta["fit"])
        stored = tensors["extra.vocabulary"].astype(np.uint8).tobytes()
        vocabulary = vocabularies.restore(settings.tokens, stored)
        _check_sizes(settings, vocabulary, tensors)
    cell = by_name(settings.cell, cells)
    with _blaming(path):
        network = build(cell, settings, vocabulary)
        # The program may have tensors beside the network's: a U as its cell constrains it.
        own = {n: tensors[f"model.{n}"] for n in network.state_dict() if f"model.{n}" in tensors}
        fill(network, own, path)
        data = meta["data"]
        fitted = Fitted(
            network.eval(),
            vocabulary,
            tensors["extra.frequencies"],
            Evaluation.from_dict(meta["evaluation"]),
            tuple((str(name), str(words)) for name, words in data["understood"]),
            tuple(map(str, data["notes"])),
        )
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


@contextmanager
def _blaming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Content that does not fit together is the file's fault: a ModelFileError that names it."""
    try:
        yield
    except (ModelFileError, ImportError):
        raise
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelFileError(
            f"{os.fspath(path)}: a language model's parts must fit together; got {what}; train it "
            "again"
        ) from error
