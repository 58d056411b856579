"""Several networks as one."""

import torch
from torch import Tensor, nn


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


def joined(networks: list[nn.Module]) -> nn.Module:
    """One network as it is, several as their mean."""
    return networks[0] if len(networks) == 1 else Ensemble(networks)


def members(network: nn.Module) -> list[nn.Module]:
    """The opposite of `joined`."""
    return list(network.members) if isinstance(network, Ensemble) else [network]
