"""Input and state that modulate each other before each step."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.nn.options import positive
from elman.nn.recurrent import Recurrent

__all__ = ["Mogrifier"]


class Mogrifier(nn.Module):
    r"""A layer whose input and state scale each other, in turn, before each step.

    .. math::
        x^{(k)} &= 2 \sigma(Q_k h^{(k-1)}) \odot x^{(k-2)} \quad (k = 1, 3, \dots) \\
        h^{(k)} &= 2 \sigma(R_k x^{(k-1)}) \odot h^{(k-2)} \quad (k = 2, 4, \dots)

    from x_t and h_{t-1}; the layer then steps from the last of each. What a layer multiplies by W
    so depends on its state, which no `Cell` can say: this is a module with `step`, for
    `Recurrent(Mogrifier(...))`. With an LSTM it is the Mogrifier LSTM.

    Args:
        layer: a `Recurrent` of one layer and one direction; its cell takes no further inputs.
        rounds: how many products; 0 leaves the layer as it is.
        rank: 0 for full Q and R, or the rank of their two factors.

    Not the variant with one Q and one R for all rounds. h is the first state; where a cell also
    reads it other than through U, it reads the scaled one.

    Source: Melis, Kočiský and Blunsom, "Mogrifier LSTM" (2020), equations 1 and 2.

    Example:
        >>> import torch
        >>> from elman.nn import Mogrifier, Recurrent
        >>> model = Recurrent(Mogrifier(Recurrent("LSTM", 3, 5), rounds=4))
        >>> y, state = model(torch.randn(2, 7, 3), lengths=[7, 4])
        >>> y.shape
        torch.Size([2, 7, 5])
    """

    def __init__(self, layer: Recurrent, rounds: int = 5, rank: int = 0) -> None:
        super().__init__()
        _check(layer)
        self.layer = layer
        state, width = layer.proj_size or layer.hidden_size, layer.input_size
        kind = {"device": layer.weight_ih_l0.device, "dtype": layer.weight_ih_l0.dtype}
        self.factors = nn.ModuleList(
            _matrix(*((width, state) if k % 2 else (state, width)), rank, kind)
            for k in range(positive("rounds", rounds, least=0))
        )

    def initial_state(self, batch: int) -> tuple[Any, ...]:
        """The layer's own."""
        return self.layer.initial_state(batch)

    def step(
        self, x: Float[Tensor, "B I"], state: tuple[Any, ...]
    ) -> tuple[Float[Tensor, "B O"], tuple[Any, ...]]:
        """One step: x (B, I) and the layer's state to its output and its new state."""
        h, *others = state[0]
        for k, factor in enumerate(self.factors):
            if k % 2:
                h = 2 * torch.sigmoid(factor(x)) * h
            else:
                x = 2 * torch.sigmoid(factor(h)) * x
        return self.layer.step(x, (type(state[0])(h, *others),))


def _check(layer: Any) -> None:
    if not isinstance(layer, Recurrent) or len(layer.suffixes) != 1:
        raise ValueError("layer: must be a Recurrent of one layer in one direction")
    further = set(layer.cell.inputs) - {"raw"}
    if further:
        raise ValueError(f"layer: {layer.cell.__name__} needs {min(further)!r}, which step has not")


def _matrix(inputs: int, outputs: int, rank: int, kind: dict[str, Any]) -> nn.Module:
    if not rank:
        return nn.Linear(inputs, outputs, bias=False, **kind)
    return nn.Sequential(
        nn.Linear(inputs, rank, bias=False, **kind), nn.Linear(rank, outputs, bias=False, **kind)
    )
