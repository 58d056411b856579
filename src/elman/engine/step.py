"""One step of a cell on torch tensors: what every other way of running a cell must agree with."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import linear

from elman.cells import Cell
from elman.engine.call import Weights
from elman.ops import Deferred


class Names:
    """Values by name: `x` and `p` in a cell. torch.compile cannot trace a SimpleNamespace."""

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no {name!r}, only {', '.join(vars(self))}")


class Product(Deferred):
    """`u.g`: gate g of the recurrent projection; called with v, the same product of v."""

    __slots__ = ("index", "projection")

    def __init__(self, projection: "RecurrentProjection", index: int) -> None:
        self.projection = projection
        self.index = index

    def resolve(self) -> Tensor:
        return self.projection.of_state()[self.index]

    def __call__(self, v: Any) -> Tensor:
        """U_g v + b_g for any vector v (B, P)."""
        return self.projection.of(v.resolve() if isinstance(v, Deferred) else v, self.index)


class RecurrentProjection:
    """`u` in a cell: products with U, computed when first used and all gates at once."""

    def __init__(self, cell: type[Cell], weights: Weights, h: Tensor) -> None:
        self._cell = cell
        self._weights = weights
        self._h = h
        self._blocks: tuple[Tensor, ...] | None = None

    def __getattr__(self, gate: str) -> Product:
        if gate not in self._cell.recurrent:
            raise AttributeError(
                f"{self._cell.__name__}.update reads u.{gate}; recurrent gates are "
                f"{self._cell.recurrent}"
            )
        return Product(self, self._cell.recurrent.index(gate))

    def of_state(self) -> tuple[Tensor, ...]:
        if self._blocks is None:
            weight = cast(Tensor, self._weights.weight_hh)
            whole = linear(self._h, weight, self._weights.bias_hh)
            self._blocks = whole.chunk(len(self._cell.recurrent), -1)
        return self._blocks

    def of(self, v: Tensor, index: int) -> Tensor:
        gates, bias = len(self._cell.recurrent), self._weights.bias_hh
        rows = cast(Tensor, self._weights.weight_hh).chunk(gates)[index]
        return linear(v, rows, None if bias is None else bias.chunk(gates)[index])


def parameters(weights: Weights, constants: dict[str, float]) -> Names:
    """`p` in a cell."""
    return Names(**weights.params, **constants)


def project_input(x: Tensor, weights: Weights) -> Tensor:
    """W x + b_ih for any number of leading axes: (..., I) -> (..., G*H)."""
    return linear(x, weights.weight_ih, weights.bias_ih)


def step(
    cell: type[Cell],
    x: Names,
    s: Any,
    p: Names,
    weights: Weights,
    *,
    state_mask: Tensor | None = None,
    keep: tuple[Tensor | float, ...] | None = None,
    clip: float | None = None,
) -> tuple[Tensor, Any]:
    """The output (B, O) and the new `cell.State` of one step.

    In this order: state dropout, projection by U, update, projection V, zoneout. `clip` shortens
    the gradient of the new state, that of the output included.
    """
    h = s[0] if state_mask is None else s[0] * state_mask
    new = as_state(cell, cell.update(x, RecurrentProjection(cell, weights, h), s, p))
    if weights.weight_hr is not None:
        new = new._replace(**{cell.state[0]: linear(new[0], weights.weight_hr)})
    if keep is not None:
        new = cell.State(*(old + k * (v - old) for old, v, k in zip(s, new, keep, strict=True)))
    if clip is not None:
        new = cell.State(*(clipped(v, clip) for v in new))
    return read(cell, new, x, p), new


def clipped(value: Tensor, most: float) -> Tensor:
    """The value itself (B, H); its gradient is shortened to a norm of `most` in each row."""
    found: Tensor = _ClippedGradient.apply(value, most)  # type: ignore[no-untyped-call]
    return found


class _ClippedGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, _clip: float) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ARG004
        ctx.clip = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        norm = gradient.norm(dim=-1, keepdim=True)
        # Exactly 1 where nothing is to be shortened.
        return gradient * (ctx.clip / norm.clamp(min=ctx.clip)), None


def as_state(cell: type[Cell], values: Any) -> Any:
    """What `update` or `start` returned, as a `cell.State`."""
    values = values if isinstance(values, tuple) else (values,)
    if len(values) != len(cell.state):
        raise ValueError(
            f"{cell.__name__}.update must return {len(cell.state)} values, in the order of state = "
            f"{cell.state}; it returned {len(values)}"
        )
    return cell.State(*(v.resolve() if isinstance(v, Deferred) else v for v in values))


def read(cell: type[Cell], state: Any, x: Names, p: Names) -> Tensor:
    """What the layer returns of a new state."""
    if cell.read is None:
        return cast(Tensor, state[0])
    values = cell.read(state, x, p)
    return torch.cat(values, -1) if isinstance(values, tuple) else cast(Tensor, values)
