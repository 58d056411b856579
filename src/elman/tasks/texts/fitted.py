"""What fitting a language model leaves, and how it is stored as one file.

Format 0: settings, figures and what was understood of the text in the metadata; the weights under
`model.`; the vocabulary as bytes and the frequencies of its tokens under `extra.`. Nothing in a
file is ever executed: a cell is found by its name.
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
from elman.nn.store import arrays, fill
from elman.tasks.shared import model_path
from elman.tasks.texts.evaluation import Evaluation
from elman.tasks.texts.network import LanguageNetwork
from elman.tasks.texts.settings import LanguageSettings
from elman.train import FitResult, FitSettings
from elman_runtime import ModelFileError, model_file

FORMAT = 0
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
        tied=not settings.untied,
    )


def save(
    path: str | os.PathLike[str], settings: LanguageSettings, fit: FitSettings, fitted: Fitted
) -> None:
    """Write the file, whole or not at all. Raises OSError where it cannot be written."""
    meta = {
        "format": FORMAT,
        "task": TASK,
        "cell": settings.cell,
        "settings": dataclasses.asdict(settings),
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
    model_file.write(path, meta, tensors)


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
    if meta.get("task") != TASK or meta.get("format") != FORMAT:
        kind = meta.get("task") or meta.get("kind") or "unknown"
        raise ModelFileError(
            f"{os.fspath(path)}: must hold a language model of format {FORMAT}; got {kind!r} of "
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
        own = {n.removeprefix("model."): a for n, a in tensors.items() if n.startswith("model.")}
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
