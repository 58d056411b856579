"""The step's Jacobian along a real path: its singular values, and Lyapunov exponents."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman.doctor.path import Leaves, Path, unroll, with_gradient

Array = np.ndarray[Any, np.dtype[np.float64]]

WIDEST = 768
"""States of more values than this are not measured: a Jacobian takes as many backward passes."""


@dataclass(frozen=True)
class Step:
    """The step's Jacobian ds_t / ds_{t-1}, all states side by side, N values.

    - `singular`: (points, N), singular values at some steps and rows, the largest first.
    """

    singular: Array

    @property
    def largest(self) -> float:
        """The median over points of the largest one."""
        return float(np.median(self.singular[:, 0]))

    @property
    def typical(self) -> float:
        """The geometric mean of all of them."""
        tiny = np.finfo(np.float64).tiny
        return float(np.exp(np.log(np.maximum(self.singular, tiny)).mean()))


def width(path: Path) -> int:
    """N, values of the state in a row."""
    return sum(leaf[0].numel() for leaf in path.first)


def singular_values(path: Path, points: int = 4) -> Step | None:
    """Singular values at `points` steps, spread over the path and its rows.

    None where the state is wider than `WIDEST`, or not a number somewhere.
    """
    if width(path) > WIDEST or not _floating(path):
        return None
    found = unroll(path)
    chosen = np.unique(np.linspace(0, path.steps - 1, points).round().astype(int))
    values = []
    for k, t in enumerate(chosen.tolist()):
        row = k % path.x.shape[0]
        jacobian = step_jacobian(path, t, found.x[t], found.states[t], row)
        if not bool(jacobian.isfinite().all()):
            return None
        values.append(torch.linalg.svdvals(jacobian).numpy())
    return Step(np.stack(values))


def step_jacobian(path: Path, t: int, x: Tensor, entering: Leaves, row: int) -> Tensor:
    """ds_t / ds_{t-1} of one row, (N, N)."""
    given = [with_gradient(leaf) for leaf in entering]
    _, new = path.advance(t, x.detach(), given)
    flat = torch.cat([leaf[row].flatten() for leaf in new])
    if not flat.requires_grad:
        return torch.zeros(flat.numel(), sum(leaf[row].numel() for leaf in given)).to(flat)
    columns: tuple[Tensor | None, ...] = torch.autograd.grad(
        flat,
        given,
        torch.eye(flat.numel(), dtype=flat.dtype),
        is_grads_batched=True,
        allow_unused=True,
    )
    return torch.cat(
        [
            flat.new_zeros(flat.numel(), leaf[row].numel()) if c is None else c[:, row].flatten(1)
            for c, leaf in zip(columns, given, strict=True)
        ],
        1,
    )


def lyapunov(path: Path, count: int = 8, seed: int = 0) -> Array | None:
    """The largest Lyapunov exponents, per step, of the first row's path: QR along the way.

    Above zero nearby states part exponentially, and gradients explode; far below it they vanish.
    Returns None where the state is wider than `WIDEST`.
    """
    wide = width(path)
    if wide > WIDEST or not _floating(path):
        return None
    found = unroll(path)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(wide, min(count, wide), generator=generator, dtype=torch.float64)
    q = torch.linalg.qr(start).Q
    total = torch.zeros(q.shape[1], dtype=torch.float64)
    for t in range(path.steps):
        jacobian = step_jacobian(path, t, found.x[t], found.states[t], 0)
        if not bool(jacobian.isfinite().all()):
            return None
        q, r = torch.linalg.qr(jacobian @ q)
        total += r.diagonal().abs().clamp_min(torch.finfo(torch.float64).tiny).log()
    exponents: Array = (total / path.steps).sort(descending=True).values.numpy()
    return exponents


def _floating(path: Path) -> bool:
    return all(leaf.is_floating_point() for leaf in path.first)
