"""A causal convolution that classifies, and examples that are seen in part."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from elman.nn import Pooling
from elman.nn.convolutions import CausalStack
from elman.tasks.classifying.held import Encoded
from elman.tasks.comparing import View


class ConvolutionClassifier(nn.Module):
    """A network without a recurrence: dilated convolutions in place of it, pooled as it is.

    Args:
        front: steps to vectors, E wide.
        embedding: E.
        classes: C.
        hidden: channels.
        steps: that an output of the convolutions depends on, at least.
        pooling: kinds of pooling.
        around: pool the vectors as well.
        dropout: share dropped in each level, and of what is pooled.
    """

    def __init__(
        self,
        front: nn.Module,
        embedding: int,
        classes: int,
        hidden: int,
        steps: int,
        *,
        pooling: Sequence[str],
        around: bool,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.front, self.around = front, around
        self.causal = CausalStack(embedding, hidden, steps, dropout)
        self.pooling = Pooling(hidden + around * embedding, pooling)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(self.pooling.output_size, classes)

    def forward(
        self, x: Shaped[Tensor, "B T *W"], lengths: Int[Tensor, " B"]
    ) -> Float[Tensor, "B C"]:
        """Logits of whole sequences; no valid step depends on what stands beyond a length."""
        entered = self.front(x)
        y = self.causal(entered)
        y = torch.cat([y, entered], -1) if self.around else y
        found: Tensor = self.outer(self.dropout(self.pooling(y, lengths)))
        return found


def viewed(encoded: Encoded, view: View, steps: int) -> list[Any]:
    """What a view shows of examples, the same for every network.

    Of each example the last `view.steps / steps` are seen, one step at least, and the oldest share
    of these is shuffled.
    """
    share = 1.0 if view.steps is None else view.steps / steps
    found = []
    for k, one in enumerate(encoded):
        seen = one[len(one) - min(len(one), max(1, round(share * len(one)))) :]
        moved = round(view.shuffled * len(seen))
        if moved > 1:
            order = np.random.Generator(np.random.Philox(key=[0, k])).permutation(moved)
            seen = np.concatenate([seen[:moved][order], seen[moved:]])
        found.append(seen)
    return found
