"""`elman.inspect`: every state, gate and named value of a model's recurrent layers, and dL/dh_t."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from elman import state as states
from elman.cells import Cell
from elman.doctor.layers import recorded, recurrent_modules
from elman.doctor.naming import Value, named_values
from elman.doctor.record import Recorded

if TYPE_CHECKING:
    import polars as pl

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Trace:
    """One layer in one direction, over B rows and T steps of what it was called with.

    - `name`: path and suffix, such as `encoder.l0_reverse`; `#2` after it for a second call.
    - `cell`: its recurrence; None for a module with `step` of its own, which has states alone.
    - `states`: names of those of `values` that are states.
    - `values`: (B, T, H) by name, (B, T, 1) of one value a row; NaN beyond a row's length. A state
      is the one that leaves the step. `x.g` and `u.g` are the projections of gate g; `pre.v` is
      what the sigmoid, tanh or relu `v` is taken of.
    - `kinds`: for each value the function that made it, such as "sigmoid"; "" where unknown.
    - `gradients`: dL/ds_t by the name of the state, where there is a loss: what changes if that
      state alone is moved as it leaves the step, the others (an LSTM's h beside its c) held.
    - `lengths`: (B,), steps of each row.
    - `reverse`: whether it runs backwards in time.
    """

    name: str
    cell: type[Cell] | None
    states: tuple[str, ...]
    values: dict[str, Array]
    kinds: dict[str, str]
    gradients: dict[str, Array]
    lengths: Array
    reverse: bool
    recorded: Recorded = field(repr=False)

    def __getitem__(self, name: str) -> Array:
        """A value by name. Raises KeyError, with the names there are."""
        if name not in self.values:
            raise KeyError(f"{self.name} has no value {name!r}; it has {', '.join(self.values)}")
        return self.values[name]

    @property
    def gates(self) -> tuple[str, ...]:
        """The values that are made by a sigmoid: from 0, closed, to 1, open."""
        return tuple(name for name, kind in self.kinds.items() if kind == "sigmoid")

    def gradient_norm(self, state: str | None = None) -> Array:
        """The length of dL/ds_t at each step (T,), over rows and units.

        Args:
            state: of one state alone; by default of all states of the layer.

        Raises:
            ValueError: there was no loss, or there is no such state.
        """
        if not self.gradients:
            raise ValueError(
                f"{self.name} has no gradients: give a loss, as in "
                "elman.inspect(model, x, loss=lambda y: y.square().mean())"
            )
        if state is not None and state not in self.gradients:
            raise ValueError(f"state: must be one of {', '.join(self.gradients)}, got {state!r}")
        chosen = self.gradients.values() if state is None else [self.gradients[state]]
        squares = [
            np.nansum(each.reshape(*each.shape[:2], -1).astype(float) ** 2, (0, 2))
            for each in chosen
        ]
        found: Array = np.sqrt(np.sum(squares, 0))
        return found


@dataclass(frozen=True)
class Inspection:
    """What `elman.inspect` found.

    - `layers`: a `Trace` for each layer and direction, by name, in the order they ran.
    - `output`: what the model returned.
    - `loss`: what the loss came to; None without one.
    """

    layers: dict[str, Trace]
    output: Any = field(repr=False)
    loss: float | None = None

    def __getitem__(self, name: str) -> Trace:
        """A layer by name. Raises KeyError, with the names there are."""
        if name not in self.layers:
            raise KeyError(f"no layer {name!r} ran; there are {', '.join(self.layers)}")
        return self.layers[name]

    def gradient_norm(self, layer: str | None = None) -> Array:
        """The length of dL/ds_t at each step, (T,): of a layer, by default the last that ran."""
        return self[layer or next(reversed(self.layers))].gradient_norm()

    def frame(self) -> "pl.DataFrame":
        """Everything in long form: layer, name, what, row, step, unit, value.

        `what` is state, gate (made by a sigmoid), value or gradient. Steps beyond a row's length
        are left out.
        """
        import polars as pl

        frames = [_long(pl, *one) for trace in self.layers.values() for one in _columns(trace)]
        found: pl.DataFrame = pl.concat(frames)
        return found


def inspect(
    model: nn.Module,
    x: Any,
    loss: Callable[..., Tensor] | None = None,
    **options: Any,
) -> Inspection:
    """Run a model once and keep every state, gate and named value of its recurrent layers.

    Recurrent layers anywhere within `model` are looked into: `elman.nn.Recurrent`, the drop-ins,
    modules with `step`, and torch's own `nn.LSTM`, `nn.GRU` and `nn.RNN`. It runs in evaluation
    mode, and neither weights nor modes are changed.

    Args:
        model: any module.
        x: what it is called with: a tensor; a tuple of arguments; a dict of keyword arguments.
        loss: from what the model returns to a number; without it there are no gradients.
        options: further keyword arguments of the call, such as `lengths`.

    Raises:
        TypeError, ValueError: there is no recurrent layer in `model`, none of them ran, or the
            loss is not a number.

    Example:
        >>> import torch, elman
        >>> layer = torch.nn.LSTM(3, 5, batch_first=True)
        >>> x = torch.randn(2, 7, 3)
        >>> found = elman.inspect(layer, x, loss=lambda out: out[0][:, -1].square().sum())
        >>> found["l0"]["f"].shape, found["l0"].gates
        ((2, 7, 5), ('i', 'f', 'o'))
        >>> found.gradient_norm().shape
        (7,)
    """
    args, kwargs = as_arguments(x)
    found, output, value = watch(model, lambda: model(*args, **kwargs, **options), loss)
    nodes = {name: _leaves(one) for name, one in found.items()}
    gradients = None if value is None else gradients_of(value, nodes)
    return Inspection(
        {
            name: trace_of(name, one, None if gradients is None else gradients[name])
            for name, one in found.items()
        },
        states.map_leaves(Tensor.detach, output) if _is_tree(output) else output,
        None if value is None else float(value.detach()),
    )


def as_arguments(x: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments: x is a tensor, a tuple of arguments or a dict of them."""
    if isinstance(x, dict):
        return (), x
    # A NamedTuple, such as a PackedSequence or a batch, is one argument.
    plain = isinstance(x, tuple | list) and not hasattr(x, "_fields")
    return (tuple(x), {}) if plain else ((x,), {})


def watch(
    model: nn.Module, run: Callable[[], Any], loss: Callable[..., Tensor] | None
) -> tuple[dict[str, Recorded], Any, Tensor | None]:
    """What was recorded while `run` called the model, what it returned, and the loss of that."""
    recurrent_modules(model)  # what cannot be looked into is refused before anything is run
    with _evaluating(model), torch.enable_grad(), recorded(model) as found:
        output = run()
        value = None if loss is None else _checked(loss(output))
    if not found:
        raise ValueError("model must run its recurrent layers when it is called, got none that ran")
    return found, output, value


def _checked(value: Any) -> Tensor:
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(f"loss must return a tensor of one number, got {got}: take the mean")
    return value.reshape(())


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _leaves(one: Recorded) -> list[list[Tensor]]:
    """The tensors of the state that leaves each step."""
    return [states.leaves(new) for new in one.after]


def gradients_of(
    value: Tensor, nodes: dict[str, list[list[Tensor]]]
) -> dict[str, list[list[Tensor | None]]]:
    """dL/ds_t of every layer, step and tensor; None where the loss does not depend on it."""
    flat = [leaf for each in nodes.values() for step in each for leaf in step]
    wanted = [leaf for leaf in flat if leaf.requires_grad]
    got: dict[int, Tensor | None] = {}
    if value.requires_grad and wanted:
        pairs = zip(
            wanted,
            torch.autograd.grad(value, wanted, allow_unused=True, retain_graph=True),
            strict=True,
        )
        got = {id(leaf): gradient for leaf, gradient in pairs}
    return {
        name: [[got.get(id(leaf)) for leaf in step] for step in each]
        for name, each in nodes.items()
    }


def trace_of(name: str, one: Recorded, gradients: list[list[Tensor | None]] | None) -> Trace:
    """Arrays from what was recorded of a layer."""
    leaves = _leaves(one)
    names = _state_names(one, len(leaves[0]))
    # The states as they left the step: projected, zoned out, carried.
    values = {} if one.call is None else named_values(one.call, one.before)
    for k, state in enumerate(names):
        kept = torch.stack([step[k] for step in leaves], 1).detach()
        values[state] = Value(kept, values[state].kind if state in values else "")
    valid = one.valid.cpu().numpy()
    by_state = {} if gradients is None else _filled(names, leaves, gradients)
    return Trace(
        name,
        None if one.call is None else one.call.cell,
        names,
        {key: _array(value.data, valid) for key, value in values.items()},
        {key: value.kind for key, value in values.items()},
        {state: _array(value, valid) for state, value in by_state.items()},
        valid.sum(1),
        one.reverse,
        one,
    )


def _state_names(one: Recorded, count: int) -> tuple[str, ...]:
    if one.call is not None:
        return tuple(one.call.cell.state)
    fields = getattr(one.after[0], "_fields", ())
    if len(fields) == count:
        return tuple(fields)
    return ("state",) if count == 1 else tuple(f"state{k}" for k in range(count))


def _filled(
    names: tuple[str, ...], leaves: list[list[Tensor]], gradients: list[list[Tensor | None]]
) -> dict[str, Tensor]:
    """Gradients over time by state, zero where the loss does not depend on it."""
    steps = range(len(leaves))
    columns: dict[str, list[Tensor]] = {name: [] for name in names}
    for t in steps:
        for name, leaf, gradient in zip(names, leaves[t], gradients[t], strict=True):
            columns[name].append(torch.zeros_like(leaf) if gradient is None else gradient)
    return {name: torch.stack(column, 1).detach() for name, column in columns.items()}


def _array(value: Tensor, valid: Array) -> Array:
    # A copy: nothing that is changed here may change the model's own tensors.
    found: Array = value.detach().cpu().float().numpy().copy()
    if value.dtype == torch.float64:
        found = value.detach().cpu().numpy().copy()
    found[~valid] = np.nan
    return found


def _is_tree(output: Any) -> bool:
    try:
        states.leaves(output)
    except TypeError:
        return False
    return True


def _columns(trace: Trace) -> Iterator[tuple[Trace, str, str, Array]]:
    for name, value in trace.values.items():
        what = "gate" if trace.kinds[name] == "sigmoid" else "value"
        yield trace, name, "state" if name in trace.states else what, value
    for name, value in trace.gradients.items():
        yield trace, name, "gradient", value


def _long(polars: Any, trace: Trace, name: str, what: str, value: Array) -> "pl.DataFrame":
    flat = value.reshape(*value.shape[:2], -1)
    row, step, unit = (axis.ravel() for axis in np.indices(flat.shape))
    inside = step < trace.lengths[row]
    count = int(inside.sum())
    found: pl.DataFrame = polars.DataFrame(
        {
            "layer": [trace.name] * count,
            "name": [name] * count,
            "what": [what] * count,
            "row": row[inside],
            "step": step[inside],
            "unit": unit[inside],
            "value": flat.ravel()[inside],
        }
    )
    return found
