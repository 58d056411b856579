"""The exponential moving average of the weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from elman.train.optimizer import trainable
from elman.train.tree import Tree


class Average:
    """A moving average of the trainable parameters of `model`.

    Buffers (running statistics) and frozen parameters are not averaged: they stand as they are.
    Parameters under `torch.nn.utils.parametrize` are averaged before the parametrisation, so
    what it promises (orthogonality, say) holds for the average too.

    The decay warms up: min(decay, (1 + n) / (10 + n)) at update n = 0, 1, ... With a decay of 0
    the average is the weights themselves and costs nothing.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._live = trainable(model)
        self.mean: dict[str, Tensor] = {}  # empty if the decay is 0
        if decay > 0:
            self.mean = {name: p.detach().clone() for name, p in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after an update of the optimiser."""
        if self.mean:
            decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
            live = [p.detach() for p in self._live.values()]
            torch._foreach_lerp_(list(self.mean.values()), live, 1 - decay)
        self.updates += 1

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Within, the model has the averaged weights; after, its own again, bit for bit."""
        own = {name: self._live[name].detach().clone() for name in self.mean}
        try:
            copy_into(self._live, self.mean)
            yield
        finally:
            copy_into(self._live, own)

    def pack(self) -> Tree:
        """What a checkpoint stores of it."""
        return {"updates": self.updates, "mean": dict(self.mean)}

    def unpack(self, stored: Tree) -> None:
        """The opposite of `pack`."""
        self.updates = stored["updates"]
        copy_into(self.mean, stored["mean"])


@torch.no_grad()
def copy_into(live: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    """Copy values into the tensors of the same names, in place: addresses stay."""
    for name, value in values.items():
        live[name].copy_(value)
