"""Random masks of a training pass, drawn once so that every step of a sequence shares them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Masks:
    """What dropout multiplies by, for a whole pass; None where nothing is dropped.

    K counts layers and directions. Kept entries are scaled by 1 / (1 - p), as torch does, but for
    `keep`, which is zoneout's 0 or 1.
    """

    input: Tensor | None  # (B, I)
    between: Tensor | None  # (layers - 1, B, D * O)
    output: Tensor | None  # (B, D * O)
    state: Tensor | None  # (K, B, P)
    weight: Tensor | None  # (K, R * H, P)
    keep: tuple[tuple[Tensor | float, ...], ...] | None  # K of one (B, T, H) or number a state

    def at(self, t: int) -> "Masks":
        """The masks of step t alone, for `step`."""

        def cut(k: Tensor | float) -> Tensor | float:
            return k if isinstance(k, float) else k[:, t : t + 1]

        return replace(self, keep=self.keep and tuple(tuple(map(cut, ks)) for ks in self.keep))


NO_MASKS = Masks(None, None, None, None, None, None)


def drawn(layer: Any, widths: Sequence[int], batch: int, steps: int) -> Masks:
    """Masks for a training pass of a `Recurrent`; `widths` are those of its states."""
    if not layer.zoneout and not layer.rates.any():
        return NO_MASKS
    like, rates, k = layer.weight_ih_l0, layer.rates, len(layer.suffixes)
    recurrent = len(layer.cell.recurrent) * layer.hidden_size
    return Masks(
        scaled(rates.input_dropout, like, batch, layer.input_size),
        scaled(rates.dropout, like, layer.layers - 1, batch, layer.output_size),
        scaled(rates.output_dropout, like, batch, layer.output_size),
        scaled(rates.state_dropout, like, k, batch, widths[0]),
        scaled(rates.weight_drop, like, k, recurrent, widths[0]),
        zoneout_masks(layer.zoneout, like, k, batch, steps, widths) if layer.zoneout else None,
    )


def scaled(p: float, like: Tensor, *shape: int) -> Tensor | None:
    """A dropout mask of 0 and 1 / (1 - p), or None where p is 0."""
    if p == 0.0:
        return None
    return torch.nn.functional.dropout(like.new_ones(shape), p)


def bernoulli(probability: float, like: Tensor, *shape: int) -> Tensor | float:
    """1 with a probability and else 0; the number 1.0 where it is certain."""
    if probability == 1.0:
        return 1.0
    return torch.bernoulli(like.new_full(shape, probability))


def zoneout_masks(
    rates: tuple[float, ...],
    like: Tensor,
    count: int,
    batch: int,
    steps: int,
    widths: Sequence[int],
) -> tuple[tuple[Tensor | float, ...], ...]:
    """For each of `count` layers and directions and each state, where the new value is taken."""
    return tuple(
        tuple(
            bernoulli(1 - rate, like, batch, steps, width)
            for rate, width in zip(rates, widths, strict=True)
        )
        for _ in range(count)
    )
