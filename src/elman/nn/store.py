"""Layers as files.

Format 0: the settings of one layer, its cell by name, and its tensors. A cell of the user's own is
given again on loading. Nothing in a file is ever executed.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.cells import Cell, by_name
from elman.nn.recurrent import Recurrent
from elman_runtime import model_file

FORMAT = 0


def save(module: Recurrent, path: str | os.PathLike[str]) -> None:
    """Write a layer to a file, atomically; `load` makes it again.

    Raises:
        TypeError: this kind of module cannot be stored yet.
    """
    if not isinstance(module, Recurrent):
        raise TypeError(
            f"elman.save stores elman.nn.Recurrent, got {type(module).__name__}: store its "
            "state_dict() with safetensors instead"
        )
    meta = {"format": FORMAT, "kind": "Recurrent", "settings": module.settings}
    model_file.write(path, meta, arrays(module))


def load(path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()) -> Recurrent:
    """The layer that `save` wrote, in evaluation mode; `cells` are the user's own.

    Raises:
        elman_runtime.ModelFileError: the file is damaged or not a model file.
        ValueError: it holds something else, its cell is unknown, or a tensor does not fit.
    """
    stored = model_file.read(path)
    if stored.meta.get("kind") != "Recurrent" or stored.meta.get("format") != FORMAT:
        raise ValueError(
            f"{path}: holds {stored.meta.get('kind') or stored.meta.get('task')!r} of format "
            f"{stored.meta.get('format')!r}; elman.load reads a Recurrent of format {FORMAT}"
        )
    settings = dict(stored.meta["settings"])
    settings["cell"] = by_name(settings["cell"], cells)
    dtype = torch.from_numpy(stored.tensors["weight_ih_l0"][:0].copy()).dtype
    module = Recurrent(**settings, dtype=dtype)
    fill(module, stored.tensors, path)
    return module.eval()


def arrays(module: nn.Module) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """A module's parameters and buffers as arrays, by name."""
    return {name: t.detach().cpu().numpy() for name, t in module.state_dict().items()}


def fill(
    module: nn.Module,
    tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]],
    path: str | os.PathLike[str],
) -> None:
    """Copy arrays into a module's parameters and buffers, all of them and nothing else."""
    wanted: dict[str, Tensor] = module.state_dict()
    for name in sorted(set(wanted) ^ set(tensors)):
        raise ValueError(f"{path}: {name} {'is missing' if name in wanted else 'is not expected'}")
    for name, tensor in wanted.items():
        if tuple(tensor.shape) != tensors[name].shape:
            raise ValueError(
                f"{path}: {name} has shape {tensors[name].shape}, not {tuple(tensor.shape)}"
            )
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(tensors[name].copy()))
