"""What the model files of all tasks have in common: the frame, and how its damage is said.

Settings, figures and what was understood stand in the metadata; the weights under `model.`, all
else under `extra.`. Format 1 holds programs too, which run without torch. Nothing in a file is ever
executed: a cell is found by its name.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import nn

from elman.nn import Builder, CannotStore
from elman.nn.store import arrays, fill
from elman.tasks.shared import model_path
from elman.trace import TraceError
from elman.train import FitSettings
from elman_runtime import ModelFileError, model_file
from elman_runtime.model import write_model
from elman_runtime.program import Program

FORMATS = (0, 1)
WEIGHTS = "model"
"""What the names of the network's tensors begin with."""

Arrays = dict[str, np.ndarray[Any, Any]]
Path = str | os.PathLike[str]


def meta_of(task: str, cell: str, fit: FitSettings, evaluation: Any, fitted: Any) -> dict[str, Any]:
    """The metadata of a fitted model: more may be added, `data` above all."""
    return {
        "task": task,
        "cell": cell,
        "fit": dataclasses.asdict(fit),
        "data": {
            "understood": [list(pair) for pair in fitted.understood],
            "notes": list(fitted.notes),
        },
        "evaluation": evaluation.as_dict(),
    }


def words_of(meta: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What was understood and the notes, as `meta_of` wrote them."""
    data = meta["data"]
    understood = tuple((str(name), str(words)) for name, words in data["understood"])
    return understood, tuple(map(str, data["notes"]))


def weights_of(network: nn.Module, prefix: str = WEIGHTS) -> Arrays:
    """The weights by their names in a file."""
    return {f"{prefix}.{name}": array for name, array in arrays(network).items()}


def fill_from(network: nn.Module, tensors: Arrays, path: Path) -> nn.Module:
    """A network with its weights, ready to use. Raises ModelFileError where they do not fit."""
    # Programs may have tensors beside the network's: a U as its cell constrains it.
    names = {name: f"{WEIGHTS}.{name}" for name in network.state_dict()}
    fill(network, {name: tensors[full] for name, full in names.items() if full in tensors}, path)
    return network.eval()


def write(
    path: Path,
    kind: str,
    meta: dict[str, Any],
    settings: dict[str, Any],
    tensors: Arrays,
    programs: Callable[[Builder], Mapping[str, Program]],
) -> None:
    """Write the file, whole or not at all: with programs, or as format 0 where there are none.

    Args:
        kind: what the runtime calls it.
        meta, settings: JSON.
        programs: builds them; raises CannotStore or TraceError for a cell that has no tape.

    Raises:
        OSError: it cannot be written.
    """
    builder = Builder()
    # Known first, so that programs name the network's own wherever they are the same.
    builder.tensors.update(tensors)
    try:
        built = programs(builder)
    except (CannotStore, TraceError):
        model_file.write(path, {**meta, "format": 0, "settings": settings}, tensors)
        return
    write_model(path, built, builder.tapes, builder.tensors, kind, settings, **meta)


def read(
    path: Path, task: str, what: str, formats: tuple[int, ...] = FORMATS
) -> tuple[dict[str, Any], Arrays]:
    """The metadata and tensors of a file, or of the one in the folder of a run.

    Args:
        what: a model of the task is called.

    Raises:
        ModelFileError: it is damaged or holds something else.
    """
    found = model_file.read(model_path(path))
    if found.meta.get("task") != task or found.meta.get("format") not in formats:
        kind = found.meta.get("task") or found.meta.get("kind") or "unknown"
        raise ModelFileError(
            f"{os.fspath(path)}: must hold {what} of format {' or '.join(map(str, formats))}; got "
            f"{kind!r} of format {found.meta.get('format')!r}; give the model file of a {task} run"
        )
    return found.meta, found.tensors


@contextmanager
def blaming(path: Path, what: str) -> Iterator[None]:
    """Content that does not fit together is the file's fault: a ModelFileError that names it."""
    try:
        yield
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
        came = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelFileError(
            f"{os.fspath(path)}: {what}'s parts must fit together; got {came}; train it again"
        ) from error
