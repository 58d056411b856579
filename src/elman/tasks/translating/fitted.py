"""What fitting a translator leaves, and how it is stored as one file.

Settings, figures and what was understood of the pairs stand in the metadata; the weights under
`model.`; the subwords and the samples as bytes under `extra.`. Format 1 holds the programs too,
with which lines are translated without torch. A cell that has no tape has no program: then it is
format 0. Nothing in a file is ever executed: a cell is found by its name.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.cells import Cell, by_name
from elman.data.vocabulary import Vocabulary, subword_vocabulary
from elman.nn import Builder, CannotStore
from elman.nn.store import arrays, fill
from elman.tasks.shared import model_path
from elman.tasks.translating.evaluation import Evaluation
from elman.tasks.translating.network import TranslationNetwork
from elman.tasks.translating.program import TENSORS, programs_of
from elman.tasks.translating.settings import TranslateSettings
from elman.trace import TraceError
from elman.train import FitResult, FitSettings
from elman_runtime import ModelFileError, model_file
from elman_runtime.model import write_model
from elman_runtime.translate import KIND

FORMATS = (0, 1)
TASK = "translate"


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
    samples = json.dumps([dataclasses.astuple(one) for one in fitted.samples]).encode()
    tensors = {f"{TENSORS}.{name}": array for name, array in arrays(fitted.network).items()}
    tensors["extra.vocabulary"] = np.frombuffer(fitted.vocabulary.stored, np.uint8)
    tensors["extra.samples"] = np.frombuffer(samples, np.uint8)
    builder = Builder()
    # Known first, so that the programs name the network's own wherever they are the same.
    builder.tensors.update(tensors)
    try:
        programs = programs_of(fitted.network, builder)
    except (CannotStore, TraceError):
        model_file.write(path, {**more, "format": 0, "settings": stored}, tensors)
        return
    write_model(path, programs, builder.tapes, builder.tensors, KIND, stored, **more)


def load(
    path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()
) -> tuple[type[Cell], TranslateSettings, FitSettings, Fitted]:
    """The cell, the settings and what `save` was given, from a file or the folder of a run.

    Raises:
        ModelFileError: it is damaged, holds something else, or its parts do not fit together.
        ValueError: its cell is not built in and not among `cells`.
        ImportError: the library `tokenizers` is not installed.
    """
    found = model_file.read(model_path(path))
    meta, tensors = found.meta, found.tensors
    if meta.get("task") != TASK or meta.get("format") not in FORMATS:
        kind = meta.get("task") or meta.get("kind") or "unknown"
        raise ModelFileError(
            f"{os.fspath(path)}: must hold a translator of format 0 or 1; got {kind!r} of "
            f"format {meta.get('format')!r}; give the model file of a translate run"
        )
    with _blaming(path):
        settings = TranslateSettings(**meta["settings"])
        fitting = FitSettings(**meta["fit"])
        vocabulary = subword_vocabulary(tensors["extra.vocabulary"].astype(np.uint8).tobytes())
        _check_sizes(settings, vocabulary, tensors)
    cell = by_name(settings.cell, cells)
    with _blaming(path):
        network = build(cell, settings, vocabulary.size)
        # The programs may have tensors beside the network's: a U as its cell constrains it.
        names = {name: f"{TENSORS}.{name}" for name in network.state_dict()}
        own = {name: tensors[full] for name, full in names.items() if full in tensors}
        fill(network, own, path)
        return cell, settings, fitting, _restored(network.eval(), vocabulary, meta, tensors)


def _restored(
    network: TranslationNetwork, vocabulary: Vocabulary, meta: Any, tensors: Any
) -> Fitted:
    samples = json.loads(tensors["extra.samples"].astype(np.uint8).tobytes())
    return Fitted(
        network,
        vocabulary,
        Evaluation.from_dict(meta["evaluation"]),
        tuple((str(name), str(words)) for name, words in meta["data"]["understood"]),
        tuple(map(str, meta["data"]["notes"])),
        tuple(Sample(*map(str, one)) for one in samples),
    )


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
            f"{os.fspath(path)}: a translator's parts must fit together; got {what}; train it again"
        ) from error
