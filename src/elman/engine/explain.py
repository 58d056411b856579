"""Why a layer runs in the engine it runs in."""

from typing import Any, Protocol, runtime_checkable

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from elman.engine.call import Call
from elman.engine.select import Explanation, explain_call


@runtime_checkable
class Layer(Protocol):
    """A layer that says what it would ask an engine: `elman.nn.Recurrent` and the drop-ins."""

    def first_call(self, x: Any, **options: Any) -> Call:
        """What it asks for its first layer, forwards."""
        ...


def explain(layer: Layer, x: Tensor | PackedSequence, **options: Any) -> Explanation:
    """Each engine, with the reason for or against it, for `layer(x, **options)`.

    All layers of a stack ask alike but for their sizes, so the first one speaks for all.

    Example:
        >>> import torch, elman
        >>> layer = elman.nn.Recurrent(elman.cells.GRU, 3, 5)
        >>> print(elman.engine.explain(layer, torch.zeros(2, 7, 3)))
        -> native: GRU runs as compiled code
           torch: GRU runs in oneDNN or ATen on the CPU
           reference: runs every cell and option, as a loop of torch operators
    """
    return explain_call(layer.first_call(x, **options))
