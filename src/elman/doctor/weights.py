"""What weights and a run's history say: the spectrum of U, the size of updates, clipped steps."""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.cells import Cell

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Spectrum:
    """Of the block of U of one gate, (H, P).

    - `eigenvalues`: (H,), complex; None where the state is projected, so that U is not square.
    - `norm`: the largest singular value.
    """

    eigenvalues: Array | None
    norm: float

    @property
    def radius(self) -> float:
        """The largest eigenvalue, in absolute value; the norm where there are none."""
        return self.norm if self.eigenvalues is None else float(np.abs(self.eigenvalues).max())


def spectra(cell: type[Cell], weight_hh: Tensor | None) -> dict[str, Spectrum]:
    """The spectrum of each recurrent gate of U (R * H, P), by name; none where it is not finite."""
    if weight_hh is None or not bool(weight_hh.isfinite().all()):
        return {}
    blocks = weight_hh.detach().cpu().double().chunk(len(cell.recurrent))
    return {gate: _spectrum(u) for gate, u in zip(cell.recurrent, blocks, strict=True)}


def _spectrum(u: Tensor) -> Spectrum:
    square = u.shape[0] == u.shape[1]
    values = torch.linalg.eigvals(u).numpy() if square else None
    return Spectrum(values, float(torch.linalg.matrix_norm(u, 2)))


def update_ratios(
    model: nn.Module, loss: Tensor, optimizer: torch.optim.Optimizer
) -> dict[str, float]:
    """How much one step of an optimiser changes each matrix: |change| / |weight|, by name.

    The step is done on copies: model and optimiser stay as they are. Matrices of zeros are left
    out, and so is what the optimiser does not hold.
    """
    trial = deepcopy(optimizer)
    pairs = [
        (own, copy)
        for real, fresh in zip(optimizer.param_groups, trial.param_groups, strict=True)
        for own, copy in zip(real["params"], fresh["params"], strict=True)
    ]
    wanted = [own for own, _ in pairs if own.requires_grad]
    found = torch.autograd.grad(loss, wanted, allow_unused=True, retain_graph=True)
    gradients = {id(own): gradient for own, gradient in zip(wanted, found, strict=True)}
    for own, copy in pairs:
        copy.grad = gradients.get(id(own))
    trial.step()
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        names[id(own)]: float((copy - own).detach().norm() / own.detach().norm())
        for own, copy in pairs
        if own.dim() > 1 and id(own) in names and bool(own.detach().norm() > 0)
    }


@dataclass(frozen=True)
class Past:
    """What a run's history says.

    - `steps`: the last step there is a line of.
    - `clipped`: share of the logged steps whose gradient was longer than `clip_norm`; None if
      nothing was clipped.
    - `skipped`: logged steps that were skipped because loss or gradient was not finite.
    - `logged`: logged steps.
    - `first`, `lowest`, `last`: training losses.
    - `norm`: the median length of the gradient.
    - `lr`: the highest learning rate.
    """

    steps: int
    clipped: float | None
    skipped: int
    logged: int
    first: float
    lowest: float
    last: float
    norm: float
    lr: float


def past(history: Sequence[Mapping[str, Any]], clip_norm: float | None) -> Past | None:
    """The lines of `history.jsonl`, summed up; None where no step was logged."""
    lines = [line for line in history if "norm" in line and "lr" in line]
    if not lines:
        return None
    norms = [math.nan if line["norm"] is None else float(line["norm"]) for line in lines]
    losses = [float(line["loss"]) for line in lines if line.get("loss") is not None]
    finite = [norm for norm in norms if math.isfinite(norm)]
    return Past(
        int(lines[-1]["step"]),
        None if clip_norm is None else sum(norm > clip_norm for norm in finite) / len(lines),
        sum(bool(line.get("skipped")) for line in lines),
        len(lines),
        losses[0] if losses else math.nan,
        min(losses, default=math.nan),
        losses[-1] if losses else math.nan,
        float(np.median(finite)) if finite else math.nan,
        max(float(line["lr"]) for line in lines),
    )
