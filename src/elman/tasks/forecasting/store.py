"""Forecasters as one file.

Format 0: settings, sizes, calendar and the figures of the table in the metadata; the weights of the
network under `model.`, those of the baselines under `baselines.`, the ends of the series under
`extra.`. Nothing in a file is ever executed: a cell is found by its name.
"""

import copy
import dataclasses
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from elman.data import Calendar, Clock, Frequency, Names
from elman.nn.store import arrays, fill
from elman.tasks import stored as stored_files
from elman.tasks.forecasting import encoding as covariates
from elman.tasks.forecasting import stored_calibration, stored_memory
from elman.tasks.forecasting.encoding import Encoding
from elman.tasks.forecasting.evaluation import Evaluation
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.measuring import Manner
from elman.tasks.forecasting.memory import Memory
from elman.tasks.forecasting.splits import Shape
from elman.train import FitSettings
from elman_runtime import model_file

FORMAT = 0
TASK = "forecast"
WHAT = "a forecaster"

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Stored:
    """A file's content, before there are networks to put it into."""

    path: str
    settings: dict[str, Any]
    fit: dict[str, Any]
    shape: Shape
    data: dict[str, Any]
    evaluation: Evaluation
    tensors: Arrays
    encoding: Encoding


def save(path: str | os.PathLike[str], settings: Any, fitting: FitSettings, fitted: Fitted) -> None:
    """Write the file, whole or not at all. Raises OSError where it cannot be written."""
    meta = {
        "format": FORMAT,
        "task": TASK,
        "cell": settings.cell,
        "settings": dataclasses.asdict(settings),
        "fit": dataclasses.asdict(fitting),
        "shape": dataclasses.asdict(fitted.shape),
        "data": _layout(fitted),
        "evaluation": fitted.evaluation.as_dict(per_series=False),
    }
    networks = {"model": fitted.model}
    networks |= {f"baselines.{name}": model for name, model in fitted.baselines.items()}
    if fitted.refitted is not None:
        networks["refit"] = fitted.refitted
    tensors = {
        f"{prefix}.{name}": array
        for prefix, model in networks.items()
        for name, array in arrays(model).items()
    }
    calibration = stored_calibration.tensors(fitted.calibration)
    model_file.write(path, meta, tensors | _ends(fitted.memory) | calibration)


def _layout(fitted: Fitted) -> dict[str, Any]:
    return {
        "names": dataclasses.asdict(fitted.names),
        "has_id": fitted.has_id,
        "clock": dataclasses.asdict(fitted.calendar.clock),
        "frequency": dataclasses.asdict(fitted.calendar.frequency),
        "understood": fitted.understood,
        "short": list(fitted.short[:100]),
        "notes": list(fitted.notes),
        "covariates": covariates.as_dict(fitted.encoding),
    }


def _ends(memory: Memory) -> Arrays:
    """The ends of the series; names as bytes, for metadata is bounded."""
    names = [name.encode() for name in memory.ids]
    found: Arrays = {
        "extra.ids": np.frombuffer(b"".join(names), np.uint8),
        "extra.id_ends": np.cumsum([len(name) for name in names], dtype=np.int64),
        "extra.windows": memory.windows,
        "extra.last": memory.last,
        "extra.scales": memory.scales,
    }
    return found | stored_memory.tensors(memory)


def blaming(path: str | os.PathLike[str]) -> AbstractContextManager[None]:
    """Content that does not fit together is the file's fault: a ModelFileError that names it."""
    return stored_files.blaming(path, WHAT)


def read(path: str | os.PathLike[str]) -> Stored:
    """Read and check a file.

    Raises:
        ModelFileError: it is damaged, holds something else, or its parts do not fit together.
    """
    meta, tensors = stored_files.read(path, TASK, WHAT, (FORMAT,))
    with blaming(path):
        evaluation = Evaluation.from_dict(meta["evaluation"])
        settings, shape = dict(meta["settings"]), Shape(**meta["shape"])
        stored = Stored(
            os.fspath(path),
            settings,
            dict(meta["fit"]),
            shape,
            meta["data"],
            evaluation,
            tensors,
            covariates.from_dict(meta["data"].get("covariates", {})),
        )
        _check_sizes(stored)
    return stored


def _check_sizes(stored: Stored) -> None:
    """Sizes in the metadata are those of the tensors, before anything is built by them."""
    tensors, shape, settings = stored.tensors, stored.shape, stored.settings
    several = settings.get("ensemble", 1)
    found = {name.split(".")[2] for name in tensors if name.startswith("model.members.")}
    if several != max(1, len(found)):
        raise ValueError(f"an ensemble of {several}, with the weights of {len(found)}")
    own = "model.members.0" if several > 1 else "model"
    layers = sum(name.startswith(f"{own}.recurrent.weight_ih_l") for name in tensors)
    expected = {
        f"{own}.linear.weight": (shape.h, shape.window),
        f"{own}.embed.weight": (settings["hidden"], shape.segment),
        "extra.windows": (tensors["extra.last"].size, shape.window),
        "extra.scales": (tensors["extra.last"].size,),
        "extra.id_ends": (tensors["extra.last"].size,),
    }
    for name, size in expected.items():
        if tensors[name].shape != size:
            raise ValueError(f"{name} of shape {tensors[name].shape}, not {size}")
    if layers != settings["layers"] or settings["h"] != shape.h:
        raise ValueError("layers or h that differ from the tensors'")
    if shape.start not in (0, shape.season) or shape.start > shape.window:
        raise ValueError("a start that is no season")
    if min(shape.h, shape.window, shape.segment, shape.season, shape.test, shape.validation) < 1:
        raise ValueError("a size below 1")


def restore(stored: Stored, model: nn.Module, baselines: dict[str, nn.Module]) -> Fitted:
    """Fill networks of the right sizes and put everything together."""
    data, tensors, settings = stored.data, stored.tensors, stored.settings
    calendar = Calendar(Clock(**data["clock"]), Frequency(**data["frequency"]))
    refit = _under(tensors, "refit.")
    refitted = fill_new(copy.deepcopy(model), refit, stored.path) if refit else None
    for name, baseline in baselines.items():
        fill_new(baseline, _under(tensors, f"baselines.{name}."), stored.path)
    evaluation = stored.evaluation
    return Fitted(
        stored.shape,
        Names(**data["names"]),
        bool(data["has_id"]),
        calendar,
        fill_new(model, _under(tensors, "model."), stored.path),
        baselines,
        _memory(tensors, stored.encoding, stored.shape.h),
        evaluation,
        data["understood"],
        tuple(data["short"]),
        manner=Manner(evaluation.levels, settings.get("support", "real")),
        calibration=stored_calibration.restored(
            _under(tensors, "extra.intervals."), evaluation.kind, stored.shape.h, evaluation.levels
        ),
        refitted=refitted,
        notes=tuple(map(str, data.get("notes", ()))),
        encoding=stored.encoding,
    )


def fill_new(network: nn.Module, tensors: Arrays, path: str) -> nn.Module:
    """A network with its weights, ready to forecast."""
    fill(network, tensors, path)
    return network.eval()


def _under(tensors: Arrays, prefix: str) -> Arrays:
    return {n.removeprefix(prefix): array for n, array in tensors.items() if n.startswith(prefix)}


def _memory(tensors: Arrays, encoding: Encoding, h: int) -> Memory:
    ends = tensors["extra.id_ends"].astype(np.int64).tolist()
    text = tensors["extra.ids"].astype(np.uint8).tobytes()
    if sorted(ends) != ends or (ends and (ends[0] < 0 or ends[-1] != len(text))):
        raise ValueError("names of series that do not end where they should")
    ids = tuple(text[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True))
    windows, scales = (
        tensors[f"extra.{name}"].astype(np.float64) for name in ("windows", "scales")
    )
    if not (scales > 0).all():
        raise ValueError("a scale that is not above zero")
    found = Memory(ids, windows, tensors["extra.last"].astype(np.int64), scales)
    return stored_memory.with_known(found, tensors, encoding, h)
