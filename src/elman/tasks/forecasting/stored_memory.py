"""The covariates that a memory keeps, as tensors of a model file and back."""

from dataclasses import replace
from typing import Any

import numpy as np

from elman.tasks.forecasting.encoding import Encoding
from elman.tasks.forecasting.memory import Memory
from elman.tasks.forecasting.windows import Known

Arrays = dict[str, np.ndarray[Any, Any]]
PREFIX = "extra.known."


def tensors(memory: Memory) -> Arrays:
    """Tensors under `extra.known.`; none without covariates.

    A model file holds finite numbers only: what is not known ahead is left to a count of steps.
    """
    found = {k: v for k, v in memory.known._asdict().items() if v is not None}
    if memory.future is not None:
        found["future"] = np.nan_to_num(memory.future)
        found["ahead"] = (~np.isnan(memory.future).any(2)).sum(1).astype(np.int64)
    return {PREFIX + name: np.ascontiguousarray(array) for name, array in found.items()}


def with_known(memory: Memory, stored: Arrays, encoding: Encoding, h: int) -> Memory:
    """The memory with its covariates.

    Raises:
        KeyError, ValueError: they are missing, or of other sizes than the encoding.
    """
    rows, window = memory.windows.shape
    n_hist, n_futr, n_stat = encoding.sizes.values()
    sizes = {
        "hist": (rows, window, n_hist),
        "futr": (rows, window, n_futr),
        "static": (rows, n_stat),
    }
    found = {}
    for name, size in sizes.items():
        if size[-1]:
            found[name] = _sized(stored, name, size)
    future = None
    if n_futr:
        future = _sized(stored, "future", (rows, h, n_futr)).copy()
        known = _sized(stored, "ahead", (rows,))
        future[np.arange(h)[None] >= known[:, None]] = np.nan
    return replace(memory, known=Known(**found), future=future)


def _sized(stored: Arrays, name: str, size: tuple[int, ...]) -> Any:
    array = stored[PREFIX + name]
    if array.shape != size:
        raise ValueError(f"covariates {name} of shape {array.shape}, not {size}")
    return array.astype(np.float64)
