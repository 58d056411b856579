"""Several networks as one."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from elman.nn.builder import Builder, Value


class Ensemble(nn.Module):
    """The mean of the forecasts of networks that differ in their seed alone.

    Example:
        >>> from elman.nn.baselines import NLinear
        >>> Ensemble([NLinear(8, 3), NLinear(8, 3)])(torch.zeros(2, 8)).shape
        torch.Size([2, 3])
    """

    def __init__(self, networks: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(networks)

    def forward(self, *inputs: Tensor) -> Tensor:
        """What each network gives, averaged; quantiles each with their like."""
        return torch.stack([member(*inputs) for member in self.members]).mean(0)

    def lower(self, b: "Builder", x: "Value") -> "Value":
        """The mean in a program."""
        found = [b.lower(one, x, name=f"members.{k}") for k, one in enumerate(self.members)]
        total = found[0]
        for one in found[1:]:
            total = b.apply("add", total, one)
        return b.scale(total, 1 / len(found))


def joined(networks: list[nn.Module]) -> nn.Module:
    """One network as it is, several as their mean."""
    return networks[0] if len(networks) == 1 else Ensemble(networks)


def members(network: nn.Module) -> list[nn.Module]:
    """The opposite of `joined`."""
    return list(network.members) if isinstance(network, Ensemble) else [network]
