"""From a module to the operations of a program: its own `lower`, a table, or its `forward`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.utils import parametrize

from elman.nn.refused import CannotStore, named
from elman.trace import TraceError, trace
from elman_runtime.program.form import Value
from elman_runtime.tape import Tape

if TYPE_CHECKING:
    from elman.nn.builder import Builder, Ran
    from elman.nn.recurrent import Recurrent

__all__ = ["can_lower", "class_of", "lower_recurrent", "lower_recurrent_step", "lowered"]


def lowered(b: "Builder", module: nn.Module, *values: Any, **inputs: Any) -> Any:
    """What a module makes of `values` in a program, in the form of what its `forward` returns.

    Raises:
        CannotStore: it has no `lower`, is not in the table, and its `forward` cannot be followed.
    """
    from elman.nn.follow import followed
    from elman.nn.torch_layers import TABLE

    own: Any = getattr(module, "lower", None)
    if own is not None:
        return own(b, *values, **inputs)
    kind = class_of(module)
    if kind in TABLE:
        return TABLE[kind](b, module, *values, **inputs)
    if kind.__module__.startswith("torch.") or kind.forward is nn.Module.forward:
        known = ", ".join(sorted(known_kind.__name__ for known_kind in TABLE))
        raise CannotStore(
            f"{b.where or 'the model'} is {named(module)}, which no program can say; stored are "
            f"the modules of elman.nn that have a lower() and torch's {known}; put one of them in "
            "its place, or store its state_dict() with safetensors"
        )
    return followed(b, module, *values, **inputs)


def can_lower(module: nn.Module) -> bool:
    """Whether a module is one operation or more by itself, without a look at its `forward`."""
    from elman.nn.torch_layers import TABLE

    return hasattr(module, "lower") or class_of(module) in TABLE


def class_of(module: nn.Module) -> type[nn.Module]:
    """A module's class; a parametrised one's before it was parametrised."""
    return type(module).__mro__[1] if parametrize.is_parametrized(module) else type(module)


def lower_recurrent(
    layer: "Recurrent", b: "Builder", x: Value, state: Any = None, **inputs: Value
) -> tuple[Value, tuple[Any, ...]]:
    """Outputs (T, D * O) and final states of a layer of a cell, as at evaluation."""
    if state is not None:
        raise CannotStore(
            f"{b.where or 'the layer'}: starts from a state that is computed; a program's states "
            "start at what the layer starts from"
        )
    b.lies("batch first", layer)
    tape = tape_of(layer)
    further = _further(b, tape, inputs)

    def run(k: int, y: Value) -> "Ran":
        return b.cell(
            y,
            tape,
            layer.weights(k),
            layer.suffixes[k],
            inputs=further,
            reverse=k % layer.directions == 1,
            zoneout=layer.zoneout,
            starts=_starts(layer, k),
        )

    return _stack(layer, b, x, run)


def lower_recurrent_step(
    layer: "Recurrent", b: "Builder", x: Value, state: tuple[Any, ...], **inputs: Value
) -> tuple[Value, tuple[Any, ...]]:
    """One step of each layer from states that are values: x (..., I) to y (..., O), new states."""
    tape = tape_of(layer)
    further = _further(b, tape, inputs)

    def run(k: int, y: Value) -> "Ran":
        weights, suffix, shares = layer.weights(k), layer.suffixes[k], layer.zoneout
        return b.cell_step(y, state[k], tape, weights, suffix, inputs=further, zoneout=shares)

    return _stack(layer, b, x, run)


def tape_of(layer: "Recurrent") -> Tape:
    """The tape of a layer's cell, forwards alone: nothing is saved for a derivative."""
    projected = bool(layer.proj_size)
    try:
        return trace(layer.cell, layer.constants, backward=False, projected=projected)
    except TraceError as error:
        raise CannotStore(f"{layer.cell.__name__} has no tape: {error}") from error


def _stack(
    layer: "Recurrent", b: "Builder", x: Value, run: Callable[[int, Value], "Ran"]
) -> tuple[Value, tuple[Any, ...]]:
    """Layers and directions one on top of the other; `run` runs number k of `suffixes`."""
    y, states = x, []
    for depth in range(layer.layers):
        below = y
        if depth and layer.layer_norm:
            y = b.lower(layer.norms[depth - 1], y, name=f"norms.{depth - 1}")
        first = depth * layer.directions
        ways = [run(k, y) for k in range(first, first + layer.directions)]
        y = b.concat(*(way.y for way in ways))
        y = b.apply("add", y, below) if layer.residual and depth else y
        states += [layer.cell.State(*way.state) for way in ways]
    return y, tuple(states)


def _further(b: "Builder", tape: Tape, inputs: Mapping[str, Value]) -> list[Value]:
    wanted = [name for name in tape.inputs if name != "raw"]
    if set(wanted) != set(inputs):
        raise CannotStore(f"{b.where or tape.name}: needs the inputs {wanted}, got {[*inputs]}")
    return [inputs[name] for name in wanted]


def _starts(layer: "Recurrent", k: int) -> list[Any] | None:
    """What the states of layer and direction k start from; None where that is zero."""
    if layer.learn_initial_state:
        suffix = layer.suffixes[k]
        return [getattr(layer, f"{name}_0_{suffix}") for name in layer.cell.state]
    if layer.cell.start is None:
        return None
    return [leaf[0].detach() for leaf in layer.initial_state(1)[k]]
