"""What a cell's `update` computes, by the names it has in the equations.

`update` knows no time, so one call of it on all rows and steps at once, B*T rows, gives every
value of every step. Names are those of its own variables.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from elman.cells import Cell
from elman.engine import Call
from elman.engine.step import Names, RecurrentProjection, as_state, parameters, project_input
from elman.ops import Deferred

BOUNDED = ("sigmoid", "tanh", "relu")
"""Functions that can saturate, and so stop gradients."""


class Value(NamedTuple):
    """A named value: (B, T, H), or (B, T, 1) of one a row; and the function that made it."""

    data: Tensor
    kind: str


class _Watch(TorchFunctionMode):
    """Notes each operation of torch: what made a tensor, and of what."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[int, tuple[str, tuple[Any, ...], Tensor]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            # The tensors are kept, so that no number is used twice.
            self.made[id(result)] = (func.__name__, args, result)
        return result

    def kind(self, value: Tensor) -> str:
        """The function that made a tensor, or ""."""
        return self.made[id(value)][0] if id(value) in self.made else ""

    def operand(self, value: Tensor) -> Tensor:
        """The first operand of the function that made a tensor."""
        found: Tensor = self.made[id(value)][1][0]
        return found


@contextmanager
def _variables(function: Callable[..., Any]) -> Iterator[dict[str, Any]]:
    """The variables of a Python function as it returns."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    found: dict[str, Any] = {}

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "return" and frame.f_code is code:
            found.update(frame.f_locals)

    earlier = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield found
    finally:
        sys.setprofile(earlier)


@torch.no_grad()
def named_values(call: Call, before: Sequence[Any]) -> dict[str, Value]:
    """Every value of every step: `x.g`, `u.g`, the variables of `update`, and what it returns.

    `pre.v` is what a sigmoid, tanh or relu `v` is taken of.

    Args:
        call: a layer in one direction.
        before: the state that enters each step, T of them, leaves (B, H).

    A sigmoid, tanh or relu without a name is called after the gate it is made of. A variable that
    has the name of a state and is not the new state is called `update.name`.
    """
    cell, (batch, steps) = call.cell, call.x.shape[:2]
    columns = _columns(call)
    s = cell.State(*(torch.stack(leaf, 1).flatten(0, 1) for leaf in zip(*before, strict=True)))
    mask = call.state_mask
    h = s[0] if mask is None else s[0] * mask.repeat_interleave(steps, 0)
    u = RecurrentProjection(cell, call.weights, h)
    given = (Names(**columns), u, s, parameters(call.weights, call.constants))
    with _Watch() as watch, _variables(cell.update) as variables:
        new = as_state(cell, cell.update(*given))
    # Functions that were given x, u, s and p have them as variables too.
    argument = [*columns.values(), *s]
    found = {f"x.{name}": columns[name] for name in cell.gates}
    found |= _products(cell, u, watch)
    for name, value in variables.items():
        if _is_value(value, batch * steps) and not any(value is a for a in [*argument, *new]):
            found[f"update.{name}" if name in cell.state else name] = value
    found |= dict(zip(cell.state, new, strict=True))
    found |= _unnamed(cell, watch, found, columns)
    for name, value in list(found.items()):
        if watch.kind(value) in BOUNDED:
            found[f"pre.{name}"] = watch.operand(value)
    return {name: Value(_apart(v, batch, steps), watch.kind(v)) for name, v in found.items()}


def _columns(call: Call) -> dict[str, Tensor]:
    """`x` of the cell, B*T rows each."""
    gates = call.cell.gates
    projected = project_input(call.x, call.weights).flatten(0, 1)
    found = dict(zip(gates, projected.chunk(len(gates), -1), strict=True))
    for name, value in call.inputs.items():
        found[name] = (value[..., None] if value.dim() == 2 else value).flatten(0, 1)
    if "raw" in call.cell.inputs:
        found["raw"] = call.x.flatten(0, 1)
    return found


def _products(cell: type[Cell], u: RecurrentProjection, watch: _Watch) -> dict[str, Tensor]:
    """`u.g` of the gates whose product with the state itself was used."""
    if not cell.recurrent:
        return {}
    operands = (arg for _, args, _ in watch.made.values() for arg in args)
    used = {id(arg.resolve() if isinstance(arg, Deferred) else arg) for arg in operands}
    blocks = zip(cell.recurrent, u.of_state(), strict=True)
    return {f"u.{gate}": block for gate, block in blocks if id(block) in used}


def _is_value(value: Any, rows: int) -> bool:
    return isinstance(value, Tensor) and value.dim() == 2 and value.shape[0] == rows


def _unnamed(
    cell: type[Cell], watch: _Watch, found: dict[str, Tensor], columns: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Bounded values that no variable holds, by the one gate each is made of."""
    known = {id(value) for value in found.values()}
    gates = {id(columns[gate]): gate for gate in cell.gates}
    more: dict[str, Tensor] = {}
    for kind, args, value in watch.made.values():
        if kind not in BOUNDED or id(value) in known:
            continue
        sources = _sources(watch, args, known - gates.keys(), gates)
        if len(sources) == 1:
            (gate,) = sources
            taken = gate in found or gate in more
            more[f"{kind}({gate})" if taken else gate] = value
    return more


def _sources(
    watch: _Watch, args: Sequence[Any], stops: set[int], gates: dict[int, str]
) -> set[str]:
    """The gates that operands are made of, without going through values that have a name."""
    found: set[str] = set()
    for arg in args:
        if id(arg) in gates:
            found.add(gates[id(arg)])
        elif isinstance(arg, Tensor) and id(arg) not in stops and id(arg) in watch.made:
            found |= _sources(watch, watch.made[id(arg)][1], stops, gates)
    return found


def _apart(value: Tensor, batch: int, steps: int) -> Tensor:
    return value.reshape(batch, steps, value.shape[-1])
