"""A layer with random weights, what it is called with, and everything that leaves the call."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman import state as states
from elman.cells import Cell
from elman.engine import use
from elman.nn import Recurrent
from elman.testing.tolerance import Difference, assert_close

State = tuple[Any, ...]


class Size(NamedTuple):
    """Batch, time, input and hidden size."""

    batch: int
    time: int
    input: int
    hidden: int


# Ones; a prime that fills no vector; one more than the widest vector of floats.
SIZES = (Size(1, 1, 1, 1), Size(3, 5, 3, 7), Size(2, 4, 5, 17))
SMALL = Size(2, 3, 1, 2)


@dataclass(frozen=True)
class Arguments:
    """What a layer is called with, and the random gradients that come back from above."""

    x: Tensor
    state: State | None
    inputs: dict[str, Tensor]
    grad_y: Tensor
    grad_state: State
    lengths: Tensor | None = None
    reset: Tensor | None = None

    def part(self, rows: slice, steps: slice) -> "Arguments":
        """Some rows and steps, without lengths; the state passed in is cut by rows alone."""
        return replace(
            self,
            x=self.x[rows, steps],
            state=None if self.state is None else states.select(self.state, rows),
            inputs={name: value[rows, steps] for name, value in self.inputs.items()},
            grad_y=self.grad_y[rows, steps],
            grad_state=states.select(self.grad_state, rows),
            lengths=None,
            reset=None if self.reset is None else self.reset[rows, steps],
        )


Run = Callable[[Recurrent, Arguments], tuple[Tensor, State]]
"""A way of running a layer over all its arguments: returns the outputs and the final state."""


@dataclass(frozen=True)
class Case:
    """The cell under test, at one size and in one precision."""

    cell: type[Cell]
    size: Size
    dtype: torch.dtype
    constants: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        b, t, i, h = self.size
        return f"{str(self.dtype).removeprefix('torch.')}, B={b} T={t} I={i} H={h}"

    @property
    def terms(self) -> int:
        """How many terms the longest sums have: a weight's gradient, over rows, steps and units."""
        b, t, i, h = self.size
        return max(1, b * t) * (i + h) * len(self.cell.gates)

    @property
    def layers(self) -> int:
        """Two, unless a second layer's `raw` might be wider than its state."""
        return 1 if "raw" in self.cell.inputs else 2

    def layer(self, **options: Any) -> Recurrent:
        """A layer whose weights are random and distinct, so that no two can be mistaken."""
        layer = Recurrent(
            self.cell,
            self.size.input,
            self.size.hidden,
            constants=self.constants,
            dtype=self.dtype,
            **options,
        )
        randomize_(layer)
        return layer

    def arguments(
        self, layer: Recurrent, *, default: bool = False, wide: bool = False
    ) -> Arguments:
        """Random arguments; with `default`, no state; with `wide`, inputs of one value a unit."""
        batch, time, width, hidden = self.size
        state = reachable_state(layer, batch)
        return Arguments(
            x=torch.randn(batch, time, width, dtype=self.dtype),
            state=None if default else state,
            inputs=random_inputs(layer, batch, time, (hidden,) if wide else ()),
            grad_y=torch.randn(batch, time, layer.output_size, dtype=self.dtype),
            grad_state=states.map_leaves(torch.randn_like, state),
        )

    def agree(
        self, what: str, actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]
    ) -> Iterator[Difference]:
        """Compare everything of two outcomes."""
        if actual.keys() != expected.keys():
            raise AssertionError(f"{what}: got {sorted(actual)}, expected {sorted(expected)}")
        for name, value in actual.items():
            yield assert_close(value, expected[name], terms=self.terms, what=f"{what}: {name}")


def randomize_(layer: Recurrent) -> None:
    """Random distinct values in every parameter, of a size at which the layer contracts."""
    own = {f"{name}_{suffix}" for name in layer.cell.params for suffix in layer.suffixes}
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name in own:
                # About half of what the cell declares: a time constant stays positive, and a gain
                # of 1 after a layer norm, which undoes small weights, contracts.
                scaled = parameter * torch.empty_like(parameter).uniform_(0.4, 0.6)
                free = torch.empty_like(parameter).uniform_(-0.5, 0.5)
                parameter.copy_(torch.where(parameter == 0, free, scaled))
            else:
                bound = parameter.shape[1] ** -0.5 if parameter.dim() == 2 else 0.5
                parameter.uniform_(-bound, bound)


def random_inputs(
    layer: Recurrent, batch: int, time: int, unit: tuple[int, ...] = ()
) -> dict[str, Tensor]:
    """Positive values for each further input that the cell names, but for `raw`."""
    like = layer.weight_ih_l0
    names = [name for name in layer.cell.inputs if name != "raw"]
    return {
        name: torch.empty(batch, time, *unit, dtype=like.dtype).uniform_(0.1, 1.1) for name in names
    }


def reachable_state(layer: Recurrent, batch: int) -> State:
    """A state that the layer can be in: after three random steps from its own first state."""
    x = torch.randn(batch, 3, layer.input_size, dtype=layer.weight_ih_l0.dtype)
    with torch.no_grad(), use("reference"):
        _, state = layer(x, **random_inputs(layer, batch, 3))
    return states.map_leaves(torch.clone, state)


def whole(layer: Recurrent, a: Arguments) -> tuple[Tensor, State]:
    """The layer as it is called by everyone."""
    y, state = layer(a.x, a.state, lengths=a.lengths, reset=a.reset, **a.inputs)
    return y, state


def outcome(layer: Recurrent, a: Arguments, run: Run = whole) -> dict[str, Tensor]:
    """Everything that leaves a run, by name: outputs, final state and every gradient."""
    sources: dict[str, Tensor] = {n: p for n, p in layer.named_parameters() if p.requires_grad}
    sources["x"] = a.x.detach().clone().requires_grad_()
    sources |= {name: v.detach().clone().requires_grad_() for name, v in a.inputs.items()}
    state: State | None = None
    if a.state is not None:
        state = states.map_leaves(lambda t: t.detach().clone().requires_grad_(), a.state)
        sources |= {f"{name} passed in": leaf for name, leaf in named_leaves(layer, state)}
    fresh = replace(a, x=sources["x"], state=state, inputs={n: sources[n] for n in a.inputs})
    y, final = run(layer, fresh)
    pairs = zip(states.leaves(final), states.leaves(a.grad_state), strict=True)
    total = (y * a.grad_y).sum() + sum((leaf * gradient).sum() for leaf, gradient in pairs)
    grads = torch.autograd.grad(total, list(sources.values()), materialize_grads=True)
    named_grads = {f"gradient of {n}": g for n, g in zip(sources, grads, strict=True)}
    final_state = {f"final {name}": leaf.detach() for name, leaf in named_leaves(layer, final)}
    return {"outputs": y.detach(), **final_state, **named_grads}


def named_leaves(layer: Recurrent, state: State) -> Iterator[tuple[str, Tensor]]:
    """`state h of l0` and so on, with the tensors."""
    for suffix, one in zip(layer.suffixes, state, strict=True):
        for name, leaf in zip(layer.cell.state, one, strict=True):
            yield f"state {name} of {suffix}", leaf
