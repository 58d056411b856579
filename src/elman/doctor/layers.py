"""The recurrent layers within a model, found, and run again in place of themselves, recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from elman.doctor.record import Recorded, record, record_module
from elman.engine import Call, Weights
from elman.nn import GRU, LSTM, RNN, Recurrent, SteppedModule
from elman.nn.dropin_base import CELLS
from elman.nn.dropin_layout import Packed, Padded, arrange
from elman.nn.sequence import as_reset

Note = Callable[[str, Recorded], None]
"""What is told of each layer and direction: its suffix and what was recorded."""

_TORCH = (nn.RNN, nn.LSTM, nn.GRU, RNN, LSTM, GRU)
_FORWARDS = {kind.forward for kind in _TORCH}


def recurrent_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Recurrent layers by their path in `model`; the model itself is "".

    Raises:
        TypeError: it is no module.
        ValueError: there is none that can be looked into.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}: build one")
    found = {name: module for name, module in model.named_modules() if known(module)}
    # What a module with `step` does within a step is its own affair.
    steppers = [f"{n}." if n else "" for n, m in found.items() if isinstance(m, SteppedModule)]
    own = {n for n in found if n and any(n.startswith(prefix) for prefix in steppers)}
    found = {name: module for name, module in found.items() if name not in own}
    if not found:
        raise ValueError(
            f"model must hold a recurrent layer, got {type(model).__name__} without one that can "
            "be looked into: use elman.nn.Recurrent, or nn.LSTM, nn.GRU, nn.RNN of torch or "
            "elman.nn; a loop over cells (LSTMCell) is written as one such layer"
        )
    return found


def known(module: nn.Module) -> bool:
    """Whether a module is a recurrent layer whose forward pass is known here."""
    if isinstance(module, Recurrent | SteppedModule):
        return True
    return isinstance(module, nn.RNNBase) and type(module).forward in _FORWARDS


@contextmanager
def recorded(model: nn.Module) -> Iterator[dict[str, Recorded]]:
    """Within the block, what recurrent layers are called with is recorded.

    Each layer and direction stands under its path and suffix, `encoder.l0_reverse`; the second call
    of a layer under `encoder.l0#2`. The model goes on with what the recorded loop returns, so that
    gradients reach the states of every step.
    """
    found: dict[str, Recorded] = {}
    handles = []
    for path, module in recurrent_modules(model).items():

        def note(suffix: str, one: Recorded, path: str = path) -> None:
            name = f"{path}.{suffix}" if path else suffix
            calls = sum(known_name.split("#")[0] == name for known_name in found)
            found[f"{name}#{calls + 1}" if calls else name] = one

        def hook(layer: Any, args: Any, kwargs: Any, output: Any, note: Note = note) -> Any:
            return _again(layer, note, args, kwargs, output)

        handles.append(module.register_forward_hook(hook, with_kwargs=True))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _again(layer: nn.Module, note: Note, args: Any, kwargs: Any, output: Any) -> Any:
    x = args[0] if args else kwargs.get("x", kwargs.get("input"))
    if isinstance(x, Tensor) and not x.numel():
        return output
    if isinstance(layer, SteppedModule):
        one = record_module(layer, *args, **kwargs)
        note("l0", one)
        return one.result.output, (one.result.state,)
    return (_recurrent if isinstance(layer, Recurrent) else _torch)(layer, note, *args, **kwargs)


def _recurrent(
    layer: Any, note: Note, x: Tensor, state: Any = None, *, states: bool = False, **options: Any
) -> tuple[Any, ...]:
    """`Recurrent.forward`, recorded."""
    run = layer._prepare(x, state, states=states, **options)
    y, results = run.x, []
    for number in range(layer.layers):
        below, y = y, layer._enter(y, number, run.masks)
        ways = range(number * layer.directions, (number + 1) * layer.directions)
        found = [_noted(note, layer.suffixes[k], layer._call(run, k, y)) for k in ways]
        y = torch.cat([one.result.output for one in found], -1)
        y = y + below if layer.residual and number else y
        results += found
    y = y if run.masks.output is None else y * run.masks.output[:, None]
    final = tuple(one.result.state for one in results)
    return (y, final, tuple(map(_over_time, results))) if states else (y, final)


def _noted(note: Note, suffix: str, call: Call) -> Recorded:
    one = record(call)
    note(suffix, one)
    return one


def _over_time(one: Recorded) -> Any:
    return type(one.after[0])(*(torch.stack(leaf, 1) for leaf in zip(*one.after, strict=True)))


def _torch(
    layer: Any,
    note: Note,
    input: Any,
    hx: Any = None,
    *,
    lengths: Any = None,
    reset: Tensor | None = None,
) -> tuple[Any, Any]:
    """The forward pass of torch's layers and of the drop-ins over them, recorded."""
    cell, ways = CELLS[layer.mode], 2 if layer.bidirectional else 1
    layout = arrange(input, layer.batch_first, layer.input_size, lengths, reset)
    first = _first(layer, cell, hx, layout)
    y, results = layout.x, []
    for number in range(layer.num_layers):
        found = []
        for way in range(ways):
            suffix = f"l{number}_reverse" if way else f"l{number}"
            state = cell.State(*(leaf[number * ways + way] for leaf in first))
            call = Call(
                cell,
                y,
                state,
                _weights(layer, suffix),
                lengths=layout.lengths,
                reset=as_reset(reset, layout.x),
                start=None if reset is None else cell.State(*map(torch.zeros_like, state)),
                reverse=way == 1,
            )
            found.append(_noted(note, suffix, call))
        y = torch.cat([one.result.output for one in found], -1)
        if layer.training and layer.dropout and number + 1 < layer.num_layers:
            y = layout.dropout(y, layer.dropout)
        results += found
    leaves = zip(*(one.result.state for one in results), strict=True)
    final = tuple(layout.state_out(torch.stack(leaf)) for leaf in leaves)
    return layout.output(y), final if len(final) > 1 else final[0]


def _first(layer: Any, cell: Any, hx: Any, layout: Padded | Packed) -> tuple[Tensor, ...]:
    """The state before the first step, each (L*D, B, H); the layer has checked it already."""
    if hx is not None:
        given = hx if len(cell.state) > 1 else (hx,)
        return tuple(layout.state_in(leaf) for leaf in given)
    number = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = (layer.proj_size or layer.hidden_size, layer.hidden_size)[: len(cell.state)]
    return tuple(layout.x.new_zeros(number, layout.x.shape[0], width) for width in widths)


def _weights(layer: Any, suffix: str) -> Weights:
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    return Weights(*(getattr(layer, f"{name}_{suffix}", None) for name in names))  # type: ignore[arg-type]
