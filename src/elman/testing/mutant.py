"""Cells gone wrong: a check that does not fail on each of these sees too little."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from elman.cells import Cell
from elman.nn import Recurrent
from elman.testing.case import Arguments, Run, State, whole

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Mutant:
    """A wrong way of running a layer of a cell, in place of `layer(x, ...)`."""

    name: str
    run: Run

    def __str__(self) -> str:
        return self.name


def mutants(cell: type[Cell]) -> Iterator[Mutant]:
    """Wrong versions of a layer of `cell`: of its weights, its states and its use of time.

    A comparison with an independent implementation, with random distinct weights, a state passed
    in and lengths shorter than the sequence, must fail on each: `golden.check` takes the `run` of
    a mutant.
    """
    biases = ("bias_ih", "bias_hh") if cell.bias else (None, None)
    yield from _gates("weight_ih", biases[0], cell.gates)
    yield from _gates("weight_hh", biases[1], cell.recurrent)
    yield from _transposed(cell.recurrent)
    yield from _of_parameters(cell)
    yield from _of_inputs(cell)
    yield from _of_states(cell)
    yield from _of_time()


def _gates(weight: str, bias: str | None, names: tuple[str, ...]) -> Iterator[Mutant]:
    parameters = (weight, bias) if bias else (weight,)
    for a, b in itertools.combinations(range(len(names)), 2):
        swap = partial(_swap_blocks, count=len(names), a=a, b=b)
        for parameter in parameters:
            label = f"{parameter}: gates {names[a]} and {names[b]} swapped"
            yield _changed(label, parameter, swap)
    for parameter in parameters if names else ():
        yield _changed(f"{parameter} dropped", parameter, torch.zeros_like)


def _transposed(names: tuple[str, ...]) -> Iterator[Mutant]:
    def transpose(t: Tensor, k: int) -> Tensor:
        blocks = list(t.chunk(len(names)))
        blocks[k] = blocks[k].T
        return torch.cat(blocks)

    for k, name in enumerate(names):
        change = partial(transpose, k=k)
        yield _changed(f"weight_hh: block {name} transposed", "weight_hh", change)


def _of_parameters(cell: type[Cell]) -> Iterator[Mutant]:
    for name in cell.params:
        yield _changed(f"{name}: units in reverse", name, lambda t: t.flip(0))
    for a, b in itertools.combinations(cell.params, 2):
        yield Mutant(f"{a} and {b} swapped", _swapping_parameters(a, b))
    for name in cell.constants:
        yield Mutant(f"{name}: another value", _other_constant(name))


def _of_inputs(cell: type[Cell]) -> Iterator[Mutant]:
    for name in cell.inputs:
        if name != "raw":
            yield Mutant(f"{name} ignored", _without_input(name))


def _of_states(cell: type[Cell]) -> Iterator[Mutant]:
    yield Mutant("state passed in ignored", lambda layer, a: whole(layer, replace(a, state=None)))
    for a, b in itertools.combinations(range(len(cell.state)), 2):
        names = f"{cell.state[a]} and {cell.state[b]}"
        yield Mutant(f"states {names} swapped on the way in", _swapped_in(a, b))
        yield Mutant(f"states {names} swapped on the way out", _swapped_out(a, b))


def _of_time() -> Iterator[Mutant]:
    yield Mutant("time backwards", _backwards)
    yield Mutant("state runs on past a length", _runs_on)
    yield Mutant("outputs past a length kept", _outputs_kept)
    yield Mutant("first step missed", _first_step_missed)


# --- how each goes wrong -------------------------------------------------------------------------


def _changed(name: str, parameter: str, change: Change) -> Mutant:
    def run(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
        own = {
            full: change(value)
            for full, value in layer.named_parameters()
            if full.startswith(f"{parameter}_l")
        }
        return _with_weights(layer, own, a)

    return Mutant(name, run)


def _with_weights(layer: Recurrent, own: dict[str, Tensor], a: Arguments) -> tuple[Tensor, State]:
    options: dict[str, Any] = {**a.inputs, "lengths": a.lengths, "reset": a.reset}
    y, state = functional_call(layer, own, (a.x, a.state), options)
    return y, state


def _swap_blocks(t: Tensor, count: int, a: int, b: int) -> Tensor:
    return torch.cat(_swap(t.chunk(count), a, b))


def _swap(parts: Any, a: int, b: int) -> list[Any]:
    swapped = list(parts)
    swapped[a], swapped[b] = swapped[b], swapped[a]
    return swapped


def _swapping_parameters(first: str, second: str) -> Run:
    def run(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
        weights = dict(layer.named_parameters())
        own: dict[str, Tensor] = {}
        for suffix in layer.suffixes:
            own[f"{first}_{suffix}"] = weights[f"{second}_{suffix}"]
            own[f"{second}_{suffix}"] = weights[f"{first}_{suffix}"]
        return _with_weights(layer, own, a)

    return run


def _other_constant(name: str) -> Run:
    def run(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
        kept = layer.constants
        layer.constants = {**kept, name: 1.1 * kept[name] + 0.01}
        try:
            return whole(layer, a)
        finally:
            layer.constants = kept

    return run


def _without_input(name: str) -> Run:
    def run(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
        return whole(layer, replace(a, inputs={**a.inputs, name: torch.ones_like(a.inputs[name])}))

    return run


def _swapped_in(first: int, second: int) -> Run:
    def run(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
        given = layer.initial_state(a.x.shape[0]) if a.state is None else a.state
        state = tuple(type(one)(*_swap(one, first, second)) for one in given)
        return whole(layer, replace(a, state=state))

    return run


def _swapped_out(first: int, second: int) -> Run:
    def run(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
        y, state = whole(layer, a)
        return y, tuple(type(one)(*_swap(one, first, second)) for one in state)

    return run


def _backwards(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
    inputs = {name: value.flip(1) for name, value in a.inputs.items()}
    y, state = whole(layer, replace(a, x=a.x.flip(1), inputs=inputs))
    return y.flip(1), state


def _within(a: Arguments) -> Tensor:
    steps = torch.arange(a.x.shape[1])
    ends = torch.full((a.x.shape[0],), a.x.shape[1]) if a.lengths is None else a.lengths
    return (steps < ends[:, None])[..., None]


def _runs_on(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
    y, state = whole(layer, replace(a, x=a.x * _within(a), lengths=None))
    return y * _within(a), state


def _outputs_kept(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
    _, state = whole(layer, a)
    y, _ = whole(layer, replace(a, lengths=None))
    return y, state


def _first_step_missed(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
    late = replace(a.part(slice(None), slice(1, None)), reset=None)
    lengths = None if a.lengths is None else (a.lengths - 1).clamp(min=0)
    y, state = whole(layer, replace(late, lengths=lengths))
    return torch.cat([torch.zeros_like(y[:, :1]), y], 1), state
