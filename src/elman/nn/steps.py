"""Many single steps of a layer in a row: what is the same for all of them is looked up once."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from elman import engine as engines
from elman.engine import Call, aten
from elman.nn.recurrent import Recurrent, State

__all__ = ["stepper"]


def stepper(layer: Recurrent) -> Callable[[Tensor, State], tuple[Tensor, State]]:
    """What `layer.step(x, state)` is while nothing but these two changes, with less around it.

    For search and generation, where the layer is small and a step is short: weights are taken once,
    and arguments are not checked. It holds for the weights as they are now.

    Args:
        layer: in one direction and in evaluation mode; of a cell without further inputs.

    Raises:
        ValueError: it is none of that; says what to do.

    Example:
        >>> import torch, elman
        >>> layer = elman.nn.Recurrent(elman.cells.GRU, 3, 5).eval()
        >>> step, state = stepper(layer), layer.initial_state(2)
        >>> x = torch.randn(2, 3)
        >>> bool((step(x, state)[0] == layer.step(x, state)[0]).all())
        True
    """
    dropped = layer.training and (layer.rates.any() or layer.zoneout)
    if layer.directions > 1 or dropped or set(layer.cell.inputs) - {"raw"}:
        raise ValueError(
            "stepper needs a layer in one direction, in evaluation mode, of a cell without further "
            f"inputs; got {layer}; call its step"
        )
    if layer.layers > 1 or layer.zoneout:
        return layer.step
    weights, cell = layer.weights(0), layer.cell
    dense = weights.dense()
    alone: dict[tuple[int, bool], bool] = {}  # whether ATen's own step is what the engines choose

    def step(x: Tensor, state: State) -> tuple[Tensor, State]:
        kind = len(x), torch.is_grad_enabled()
        if alone.get(kind):
            final = cell.State(*aten.step(cell, x, state[0], dense))
            return final[0], (final,)
        call = Call(cell, x[:, None], state[0], weights, layer.constants)
        if kind not in alone:
            chosen = engines.select_engine(call, layer.engine)
            alone[kind] = chosen == "torch" and aten.is_step(call.x, weights)
        found: Any = engines.run(call, layer.engine)
        return found.output[:, 0], (found.state,)

    return step
