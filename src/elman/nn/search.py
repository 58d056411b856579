"""Beam search: likely sequences of any model that is one step, `step(token, state)`.

The search itself is `elman_runtime.search`, which needs NumPy alone; here it is for tensors.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman import state as states
from elman_runtime import search
from elman_runtime.search import Hypothesis, check_search

__all__ = ["Hypothesis", "Step", "beam_search", "check_search"]

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""Tokens (N,) and a state of N rows to log-probabilities of the next (N, V), and the new state."""

Array = np.ndarray[Any, np.dtype[Any]]


def beam_search(
    step: Step,
    state: Any,
    *,
    start: int,
    end: int,
    most: Sequence[int],
    beam: int = 5,
    length_penalty: float = 1.0,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """The best sequences for each of R rows: `elman_runtime.search.beam_search` of tensors.

    Args:
        step: see `Step`; it must not change what it is given.
        state: a tree of tensors with R rows, as `elman.state` has them.
        start, end, most, beam, length_penalty, n_best: as there.

    Returns:
        for each row at most `n_best` sequences, the best first; at least one.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or log-probabilities are not numbers.

    Example:
        >>> table = torch.tensor([[0.0, 0.6, 0.4], [0.7, 0.2, 0.1], [0.9, 0.1, 0.0]]).log()
        >>> found = beam_search(lambda token, state: (table[token], state), torch.zeros(1),
        ...                     start=0, end=0, most=[4], n_best=2, length_penalty=0)
        >>> [(one.tokens, round(one.log_probability, 3)) for one in found[0]]
        [((1,), -0.868), ((2,), -1.022)]
    """
    return search.beam_search(
        step,
        state,
        start=start,
        end=end,
        most=most,
        beam=beam,
        length_penalty=length_penalty,
        n_best=n_best,
        arrays=_Tensors(next(iter(states.leaves(state))).device),
    )


class _Tensors:
    """`elman_runtime.search.Arrays` of torch: only the likeliest leave the device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def tokens(self, given: Array) -> Tensor:
        return torch.from_numpy(given).to(self._device)

    def select(self, state: Any, rows: Array) -> Any:
        return states.select(state, torch.from_numpy(rows))

    def likeliest(self, found: Tensor, count: int) -> tuple[Array, Array]:
        known = found.nan_to_num(nan=-math.inf, posinf=-math.inf, neginf=-math.inf)
        values, place = known.topk(count, 1)
        return values.double().cpu().numpy(), place.cpu().numpy()

    def column(self, found: Tensor, k: int) -> Array:
        column: Array = found[:, k].double().cpu().numpy()
        return column
