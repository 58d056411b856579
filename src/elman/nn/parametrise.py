"""U held where gradients neither grow nor fade: orthogonal, or of a norm of at most 1.

A parametrisation (`torch.nn.utils.parametrize`): what is trained is free, and U is made of it in
each call. Engines see the result, and `elman.save` stores it. To be done after initialising.
"""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from elman.nn.dropin import GRU, LSTM, RNN
from elman.nn.recurrent import Recurrent

Module = TypeVar("Module", bound=nn.Module)


def orthogonal_(module: Module) -> Module:
    r"""Hold each gate's block of U orthogonal, for every layer in `module`; returns `module`.

    U = exp(A - A^T) Q: A is trained from zero, Q the orthogonal matrix nearest to what U is now
    (orthonormal columns where the state is projected). A linear step then keeps the length of
    every gradient; a tanh can only shorten it. Weight decay pulls U towards Q.

    An RNN so held copies and adds over hundreds of steps where a plain one learns nothing (Helfrich
    et al., 2018; expRNN of Lezcano-Casado and Martinez-Rubio, "Cheap orthogonal constraints in
    neural networks", 2019: 98.0 % on sequential, 94.9 % on permuted MNIST, over 70 epochs). Gated
    cells have other ways to remember, and little evidence for this one.

    Raises:
        TypeError: a layer is torch's own, which would go on with its old weights.
        ValueError: there is no layer with a U, or it is constrained already.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent, orthogonal_
        >>> layer = orthogonal_(Recurrent("RNN", 3, 8))
        >>> u = layer.weight_hh_l0
        >>> torch.allclose(u @ u.T, torch.eye(8), atol=1e-5)
        True
    """
    return _held(module, _Orthogonal)


def spectral_(module: Module, most: float = 1.0) -> Module:
    """Hold the largest singular value of each gate's block of U at `most` or less.

    Gradients cannot explode through U, and may fade. What is shorter stays as it is: only where
    the norm is above `most` the block is divided down to it (LipschitzRNN and others bound it so;
    `torch.nn.utils.parametrizations.spectral_norm` also lengthens). Each call takes the singular
    values of each block: some milliseconds for 128 units, a second for 1,000.

    Raises:
        TypeError, ValueError: as `orthogonal_`, or `most` is not above 0.

    Example:
        >>> import torch
        >>> from elman.nn import Recurrent, spectral_
        >>> layer = Recurrent("RNN", 3, 8)
        >>> with torch.no_grad():
        ...     _ = layer.weight_hh_l0.mul_(5)
        >>> u = spectral_(layer).weight_hh_l0.detach()
        >>> round(float(torch.linalg.matrix_norm(u, 2)), 4)
        1.0
    """
    if not most > 0:
        raise ValueError(f"most: must be above 0, got {most}; 1 keeps gradients from growing")
    return _held(module, lambda gates: _Bounded(gates, most))


class _Orthogonal(nn.Module):
    base: Tensor

    def __init__(self, gates: int) -> None:
        super().__init__()
        self.gates = gates

    def forward(self, free: Tensor) -> Tensor:
        """Free matrices (R, H, H) to U (R * H, P)."""
        skew = free.triu(1)
        blocks: Tensor = torch.matrix_exp(skew - skew.mT) @ self.base
        return blocks.flatten(0, 1)

    def right_inverse(self, weight: Tensor) -> Tensor:
        blocks = torch.stack(weight.detach().chunk(self.gates))
        left, _, right = torch.linalg.svd(blocks, full_matrices=False)
        self.register_buffer("base", left @ right)
        return blocks.new_zeros(*blocks.shape[:2], blocks.shape[1])


class _Bounded(nn.Module):
    def __init__(self, gates: int, most: float) -> None:
        super().__init__()
        self.gates, self.most = gates, most

    def forward(self, weight: Tensor) -> Tensor:
        """U (R * H, P) to U (R * H, P)."""
        blocks = torch.stack(weight.chunk(self.gates))
        norms: Tensor = torch.linalg.matrix_norm(blocks, 2, keepdim=True)
        return (blocks * (self.most / norms.clamp(min=self.most))).flatten(0, 1)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight


def _held(module: Module, made: Callable[[int], nn.Module]) -> Module:
    found = [(owner, name) for owner in module.modules() for name in _names(owner)]
    if not found:
        raise ValueError(
            f"module must hold a recurrent layer with a U, got {type(module).__name__} without: "
            "cells without U need no such hold"
        )
    for owner, name in found:
        if parametrize.is_parametrized(owner, name):
            raise ValueError(f"{name} is parametrised already: remove that first")
    for owner, name in found:
        parametrize.register_parametrization(owner, name, made(_gates(owner)))
    return module


def _names(owner: nn.Module) -> list[str]:
    """The names of U in a layer."""
    if isinstance(owner, nn.RNNBase) and not isinstance(owner, RNN | LSTM | GRU):
        raise TypeError(
            f"torch's {type(owner).__name__} does not read parametrised weights: use "
            f"elman.nn.{type(owner).__name__}, or elman.accelerate(model) first"
        )
    if isinstance(owner, Recurrent):
        if owner.cell.constrain is not None:
            raise ValueError(f"{owner.cell.__name__} constrains U itself, and must be left so")
        suffixes = owner.suffixes if owner.cell.recurrent else []
        return [f"weight_hh_{suffix}" for suffix in suffixes]
    if isinstance(owner, RNN | LSTM | GRU):
        ways = ("", "_reverse")[: 2 if owner.bidirectional else 1]
        return [f"weight_hh_l{k}{way}" for k in range(owner.num_layers) for way in ways]
    return []


def _gates(owner: nn.Module) -> int:
    if isinstance(owner, Recurrent):
        return len(owner.cell.recurrent)
    return {"LSTM": 4, "GRU": 3}.get(str(getattr(owner, "mode", "")), 1)
