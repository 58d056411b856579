"""`elman doctor`: what a trained network remembers, whether it is ill, and the repair."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from elman import doctor
from elman.cli import forecast_use, language_use, run_folder
from elman.cli.cell_files import find_cell
from elman.cli.console import result, say
from elman.cli.doctor_data import Briefly, trained
from elman.cli.use import Cells, task_of
from elman.nn import load
from elman.report import Page
from elman.tasks.classifying.fitted import TASK as CLASSIFY
from elman.tasks.forecast import Forecaster
from elman.tasks.forecasting.scaling import scale_of
from elman.tasks.language import LanguageModel
from elman.tasks.shared import model_path
from elman.tasks.texts.fitted import TASK as LANGUAGE
from elman.tasks.translating.fitted import TASK as TRANSLATE
from elman.train import FitSettings
from elman.train.optimizer import build_optimizer
from elman_runtime import files, model_file

ROWS, STEPS = 8, 64
"""Of random inputs for a layer that was stored alone; twice the steps for a text."""


@dataclasses.dataclass(frozen=True)
class Depth:
    """How far the doctor looks.

    - `memory`: steps back that the task needs; reaching less is ill.
    - `deep`: Lyapunov exponents too: seconds to minutes.
    """

    memory: int | None = None
    deep: bool = False


def check(run: Path, how: Depth, out: Path | None, cell: str, cells: Cells) -> None:
    """Print the verdicts on the model of a run; exit with 1 if it is ill.

    Args:
        run: the folder of a run, or a model file.
        how: how far is looked.
        out: a file to write, by its ending: .json, .html, .png, .svg or .pdf.

    Raises:
        SystemExit: 1, where an illness was found.
    """
    model, batch, words = _model(run, cell, cells)
    say(words)
    found = doctor.examine(model, batch, **vars(how), **_training(run, model))
    _report(found, out, str(run))


def check_data(
    task: str,
    data: Path,
    briefly: Briefly,
    how: Depth,
    out: Path | None,
    cell: str,
    cells: Cells,
) -> None:
    """The same on a network that is trained for it, on the data of a task.

    Raises:
        SystemExit: 1, where an illness was found.
    """
    examine = trained(task, data, briefly, cell, cells)
    _report(examine(**vars(how)), out, f"{task} {data}")


def _report(found: doctor.Examination, out: Path | None, title: str) -> None:
    result(found.text())
    if out is not None:
        _write(found, out, title)
    sys.stdout.flush()
    if found.status:
        raise SystemExit(found.status)


def _model(run: Path, cell: str, cells: Cells) -> tuple[nn.Module, Any, str]:
    """The model, what it is called with, and that in words."""
    path = model_path(run)
    if path.exists() and model_file.read(path).meta.get("kind") == "Recurrent":
        layer = load(path, [find_cell(cell, cells), *cells] if cell else cells)
        return layer, _random(layer), f"Examined on random inputs, {ROWS} rows of {STEPS} steps."
    task = task_of(run)
    if task == LANGUAGE:
        return _language(language_use.load(run, cell, cells))
    if task in (CLASSIFY, TRANSLATE):
        raise ValueError(
            f"{run}: a {task} model keeps no data to be examined on; "
            f"give the task and the data: elman doctor {task} DATA"
        )
    return _forecaster(forecast_use.load(run, cell, cells))


def _random(layer: Any) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, STEPS, layer.input_size, generator=generator)
    more = {n: torch.rand(ROWS, STEPS, generator=generator) for n in layer.cell.inputs}
    more.pop("raw", None)
    return {name: value.to(layer.weight_ih_l0.dtype) for name, value in {"x": x, **more}.items()}


def _forecaster(found: Forecaster) -> tuple[nn.Module, Any, str]:
    """The network and the ends of the series, which a model keeps."""
    memory, shape = found.fitted.memory, found.fitted.shape
    rows = slice(0, ROWS)
    windows = scale_of(memory.windows[rows], memory.scales[rows], shape).put(memory.windows[rows])
    inputs: list[Any] = [windows, *(one if one is None else one[rows] for one in memory.known)]
    if memory.known.futr is not None:
        # What is known ahead stands for itself once more; where it is not known it is zero.
        ahead = np.nan_to_num(memory.future[rows]) if memory.future is not None else None
        inputs[2] = np.concatenate([inputs[2], ahead], 1)
    count = len(windows)
    steps = f"{shape.window // shape.segment} steps of {shape.segment} values"
    given = tuple(
        None if one is None else torch.from_numpy(np.ascontiguousarray(one, np.float32))
        for one in inputs
    )
    words = f"Examined on the ends of {count} series, {steps} each."
    return found.fitted.model, given, words


def _language(found: LanguageModel) -> tuple[nn.Module, Any, str]:
    """The network and a text that it writes itself, for a model keeps none."""
    own = found.fitted
    written = "".join(found.generate([""] * ROWS, length=2 * STEPS))
    tokens = np.asarray(own.vocabulary.encode(written), np.int64)
    if not tokens.size:
        raise ValueError("the model must write some text to be examined on, got none: train longer")
    rows = np.resize(tokens, (ROWS, 2 * STEPS))
    words = f"Examined on text that it wrote, {ROWS} rows of {2 * STEPS} tokens."
    return own.network, torch.from_numpy(rows), words


def _training(run: Path, model: nn.Module) -> dict[str, Any]:
    """The history of a run, the longest gradient it allowed, and an optimiser like its own."""
    path = run / "history.jsonl"
    if not path.is_file():
        return {}
    given = run_folder.read_settings(run).get("fit", {})
    # TOML has no word for None, so what is left out was None.
    none = {f.name: None for f in dataclasses.fields(FitSettings) if f.name not in given}
    fit = FitSettings(**none | given) if given else FitSettings()
    found: dict[str, Any] = {
        "history": path,
        "clip_norm": fit.clip_norm if fit.clip == "norm" else None,
    }
    if fit.optimizer != "sgd":
        found["optimizer"] = build_optimizer(model, fit)
    return found


def _write(found: doctor.Examination, out: Path, title: str) -> None:
    kind = out.suffix.lower()
    if kind == ".json":
        files.write_atomic(out, found.json().encode())
    elif kind in (".html", ".htm"):
        page = Page(f"elman doctor {title}", found.summary(), found.healthy, (found.section(),))
        files.write_atomic(out, page.html().encode())
    elif kind in (".png", ".svg", ".pdf"):
        found.save_picture(out)
    else:
        raise ValueError(
            f"--output: must end in .json, .html, .png, .svg or .pdf, got {out.name!r}: rename it"
        )
    say(f"Wrote {out}")
