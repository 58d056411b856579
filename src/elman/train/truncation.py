"""Truncated backpropagation through time, for any model that carries a state."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from elman.train.tree import map_tensors

Part = Callable[..., tuple[Tensor | None, Any]]


def truncated(
    part: Part, sequences: Tensor | Sequence[Tensor], state: Any = None, *, steps: int
) -> tuple[Tensor, Any]:
    """A loss over whole sequences whose gradients go back through at most `steps` steps.

    The sequences are cut along time; from part to part the state goes on and its gradient does
    not. What explodes has no more than `steps` steps to do so; what lies further back than that is
    remembered only if something nearer teaches to. Williams and Peng (1990); 35 to 150 steps are
    usual for text. Where sequences fit into memory and nothing explodes, it has no use.

    Args:
        part: `part(*parts, state)` returns the loss of one part, the mean over its steps, or None
            where it has none (an answer at the end alone), and the state that it ended with.
            `state` is None at the start, unless one is given.
        sequences: one tensor (B, T, ...), or several of the same T, which are cut alike.
        state: what the first part starts from.
        steps: of a part; the last one may be shorter.

    Returns:
        The mean loss over the steps that have one, and the last state, detached: a pair such as
        the `loss` of `fit` returns.

    Raises:
        ValueError, TypeError: the sequences differ in T or have none, `steps` is below 1, no part
            had a loss, or `part` does not return a pair.

    Example:
        >>> import torch, elman
        >>> from elman.train import truncated
        >>> layer = elman.nn.Recurrent("GRU", 1, 4)
        >>> def part(x, target, state):
        ...     y, state = layer(x, state)
        ...     return (y[..., :1] - target).square().mean(), state
        >>> x = torch.randn(2, 100, 1)
        >>> value, state = truncated(part, (x, x.cumsum(1)), steps=25)
        >>> value.backward()
        >>> state[0].h.shape, layer.weight_hh_l0.grad is not None
        (torch.Size([2, 4]), True)
    """
    whole = (sequences,) if isinstance(sequences, Tensor) else tuple(sequences)
    _check(whole, steps)
    losses: list[Tensor] = []
    counted = 0
    for parts in zip(*(torch.split(one, steps, 1) for one in whole), strict=True):
        loss, state = _returned(part(*parts, state))
        state = map_tensors(Tensor.detach, state)
        if loss is not None:
            length = parts[0].shape[1]
            losses.append(loss * length)
            counted += length
    if not losses:
        raise ValueError("part returned no loss for any part; return one for the last at least")
    return sum(losses[1:], losses[0]) / counted, state


def _check(whole: tuple[Tensor, ...], steps: int) -> None:
    if not steps >= 1:
        raise ValueError(f"steps: must be 1 or more, got {steps!r}")
    lengths = [one.shape[1] if one.dim() > 1 else None for one in whole]
    if not lengths or None in lengths or len(set(lengths)) > 1 or not lengths[0]:
        shapes = [tuple(one.shape) for one in whole]
        raise ValueError(f"sequences: must be (B, T, ...) of the same T > 0, got {shapes}")


def _returned(found: object) -> tuple[Tensor | None, Any]:
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError(
            f"part must return (loss, state), got {type(found).__name__}: return (None, state) "
            "where it has no loss"
        )
    return found
