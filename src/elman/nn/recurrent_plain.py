"""`Recurrent` where one layer runs once, in compiled code, and nothing else is asked for.

Between two passes through much memory each line of Python is dear: what cannot matter here is not
looked at. `compiled` returns None where something is not plain, or where a shape, dtype or device
is wrong, of which the other way says what.
"""

from typing import Any

import torch
from torch import Tensor

from elman.cells import Cell
from elman.engine import Weights, forced_engine, native_plain, torch_first
from elman.engine.native import DTYPES
from elman.engine.plans import Prepared, plain_of


def compiled(layer: Any, x: Tensor, state: Any) -> tuple[Tensor, tuple[Any, ...]] | None:
    """Output (B, T, O) and state of a `Recurrent` of one layer in one direction."""
    plan = _plan(layer, x) if _is_one(layer) else None
    if plan is None:
        return None
    cell: type[Cell] = layer.cell
    first = layer.initial_state(x.shape[0]) if state is None else state
    if not isinstance(first, tuple) or len(first) != 1 or not _is_state(first[0], layer, x):
        return None
    w: Weights = layer.weights(0)
    tensors = (w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh, *w.params.values(), *first[0])
    if any(t is not None and (t.dtype != x.dtype or not t.is_cpu) for t in tensors):
        return None
    call = native_plain.Plain(cell, layer.constants, plan, tuple(w.params))
    y, *final = native_plain.layer(call, x, *tensors)
    return y, (cell.State(*final),)


def _is_one(layer: Any) -> bool:
    """Whether it is one layer in one direction, and keeps and drops nothing."""
    drops = layer.training and layer.rates.any()
    other = drops or layer.zoneout or layer.proj_size or layer.clip_steps
    return layer.layers == 1 and layer.directions == 1 and not other


def _plan(layer: Any, x: Tensor) -> Prepared | None:
    """What the compiled code runs, where it is the engine to take and `x` is what it takes."""
    if (layer.engine or forced_engine()) not in (None, "native") or not native_plain.serves(x):
        return None
    fits = x.dim() == 3 and x.shape[-1] == layer.input_size and x.is_cpu
    if not fits or x.dtype not in DTYPES or torch.is_autocast_enabled("cpu"):
        return None
    rows, steps, _ = x.shape
    sizes = {"steps": steps, "rows": rows, "units": layer.hidden_size}
    if torch_first(layer.cell, x, **sizes, plain=True):
        return None
    return plain_of(layer.cell, layer.constants)


def _is_state(one: Any, layer: Any, x: Tensor) -> bool:
    shape = (x.shape[0], layer.hidden_size)
    fits = isinstance(one, tuple) and len(one) == len(layer.cell.state)
    return fits and all(isinstance(s, Tensor) and s.shape == shape for s in one)
