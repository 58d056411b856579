"""The drop-ins where nothing but torch's own features is asked: their tensors as they come.

In ATen all layers are one call. One layer and direction at a time gives the same numbers, but a
call of an engine costs some 70 us beside ATen's own 60 for a short sequence, and going backwards
copies it (bench/dropin.py). In compiled code one layer is one call.

Each function returns what torch's own layer does, or None where something is not plain: no step, or
a shape, dtype or device that is wrong, of which the other way says what.
"""

from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from elman.cells import LSTM, Cell
from elman.engine import aten, forced_engine, native_plain
from elman.engine.plans import plain_of
from elman.nn.layout import parameter_of

Leaves = tuple[Tensor, ...]
State = Tensor | Leaves

SPARSE = 8
"""Padding a PackedSequence to this many times its rows costs more than oneDNN gains."""


def plain(layer: nn.RNNBase, cell: type[Cell], input: Tensor, hx: Any) -> tuple[Any, State] | None:
    """Outputs and state for a tensor."""
    one, time = input.dim() == 2, 1 if layer.batch_first else 0
    x = input.unsqueeze(1 - time) if one else input
    if x.dim() != 3 or not x.numel() or not _fits(layer, x):
        return None
    first = _first(layer, cell, x, x.shape[1 - time], hx, one)
    if first is None:
        return None
    output, final = aten.stack(
        cell, x, first, _weights(layer), batch_first=layer.batch_first, **_options(layer)
    )
    if one:
        output, final = output.squeeze(1 - time), tuple(s.squeeze(1) for s in final)
    return output, final if cell is LSTM else final[0]


def compiled(
    layer: nn.RNNBase, cell: type[Cell], input: Tensor | PackedSequence, hx: Any
) -> tuple[Any, State] | None:
    """Outputs and state of one layer in one direction for a tensor (T, B, I) or (B, T, I)."""
    if isinstance(input, PackedSequence) or not _is_compiled(layer, input):
        return None
    call = _call(cell, layer.batch_first, hx is None)  # type: ignore[arg-type]
    rows = input.shape[0 if layer.batch_first else 1]
    dtype, weights = input.dtype, _weights(layer)
    if hx is None:
        first: Leaves | None = (_zeros(rows, layer.hidden_size, dtype),) * len(cell.state)
    else:
        first = _first(layer, cell, input, rows, hx, one=False)
    if first is None or call is None:
        return None
    for t in (*weights, *first):
        if t.dtype != dtype or not t.is_cpu:
            return None
    weights = weights if layer.bias else [*weights, None, None]
    y, *final = native_plain.layer(call, input, *weights, *first)
    return y, tuple(final) if cell is LSTM else final[0]


@lru_cache(maxsize=16)
def _call(cell: type[Cell], batch_first: bool, zeros: bool) -> native_plain.Plain | None:
    plan = plain_of(cell, {})
    if plan is None:
        return None
    return native_plain.Plain(
        cell, {}, plan, (), batch_first=batch_first, time_first=True, zeros=zeros
    )


def _is_compiled(layer: nn.RNNBase, x: Tensor) -> bool:
    one = layer.num_layers == 1 and not layer.bidirectional and not layer.proj_size
    fits = x.dim() == 3 and x.shape[-1] == layer.input_size
    return one and fits and forced_engine() in (None, "native") and native_plain.serves(x)


def packed(
    layer: nn.RNNBase, cell: type[Cell], input: PackedSequence, hx: Any
) -> tuple[Any, State] | None:
    """Outputs and state for a PackedSequence; None where padding it is faster."""
    if torch.compiler.is_compiling():  # it cannot trace a choice by the number of rows
        return None
    data, sizes, order, back = input
    batch = int(sizes[0])
    if data.dim() != 2 or not _fits(layer, data) or _faster_padded(layer, cell, data, sizes, batch):
        return None
    first = _first(layer, cell, data, batch, hx, one=False)
    if first is None:
        return None
    first = first if order is None else tuple(s.index_select(1, order) for s in first)
    output, final = aten.packed_stack(cell, data, sizes, first, _weights(layer), **_options(layer))
    final = final if back is None else tuple(s.index_select(1, back) for s in final)
    return PackedSequence(output, sizes, order, back), final if cell is LSTM else final[0]


def _faster_padded(
    layer: nn.RNNBase, cell: type[Cell], data: Tensor, sizes: Tensor, batch: int
) -> bool:
    """oneDNN has an LSTM, for padded input alone; elsewhere ATen is as fast on packed rows."""
    onednn = data.device.type == "cpu" and data.dtype in (torch.float32, torch.bfloat16)
    dense = SPARSE * data.shape[0] >= len(sizes) * batch
    return cell is LSTM and onednn and not layer.proj_size and dense


def _fits(layer: nn.RNNBase, x: Tensor) -> bool:
    like = cast(Tensor, layer.weight_ih_l0)
    kind = x.dtype == like.dtype or torch.is_autocast_enabled(x.device.type)
    return kind and x.shape[-1] == layer.input_size and x.device == like.device


@lru_cache(maxsize=4)
def _zeros(rows: int, units: int, dtype: torch.dtype) -> Tensor:
    """A state of zeros (1, B, H), which nothing writes to."""
    with torch.inference_mode(False):  # whose tensors no derivative may keep
        return torch.zeros(1, rows, units, dtype=dtype, device="cpu")


def _weights(layer: nn.RNNBase) -> list[Any]:
    return [parameter_of(layer, name) for name in layer._flat_weights_names]


def _options(layer: nn.RNNBase) -> dict[str, Any]:
    return {
        "bias": layer.bias,
        "layers": layer.num_layers,
        "dropout": layer.dropout,
        "train": layer.training,
        "bidirectional": layer.bidirectional,
    }


def _first(
    layer: nn.RNNBase, cell: type[Cell], x: Tensor, batch: int, hx: Any, one: bool
) -> Leaves | None:
    """The state before the first step, (L*D, B, H) each; None where hx does not fit."""
    number = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = (layer.proj_size or layer.hidden_size, layer.hidden_size)[: len(cell.state)]
    if hx is None:
        return tuple(x.new_zeros(number, batch, width) for width in widths)
    given = hx if cell is LSTM else (hx,)
    if not isinstance(given, tuple | list) or len(given) != len(widths):
        return None
    if one:
        given = tuple(s.unsqueeze(1) for s in given)
    for s, width in zip(given, widths, strict=True):
        if s.shape != (number, batch, width):
            return None
    return tuple(given)
