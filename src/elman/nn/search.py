"""Beam search: likely sequences of any model that is one step, `step(token, state)`.

The search itself is `elman_runtime.search`, which needs NumPy alone; here it is for tensors.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman import state as states
from elman_runtime import search
from elman_runtime.search import Hypothesis, check_search

__all__ = ["Hypothesis", "Step", "beam_search", "check_search"]

Step = Callable[..., tuple[Tensor, Any]]
"""Tokens (N,), a state of N rows and, where it is given, what is shared to log-probabilities of the
next (N, V), and the new state: as `elman_runtime.search.Step`."""

_RUN = 32  # neighbours of which the largest is looked at first
_MANY = 100_000  # numbers to choose from, below which that does not pay

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
    shared: Any = None,
) -> list[list[Hypothesis]]:
    """The best sequences for each of R rows: `elman_runtime.search.beam_search` of tensors.

    Args:
        step: see `Step`; it must not change what it is given.
        state: a tree of tensors with R rows, as `elman.state` has them.
        start, end, most, beam, length_penalty, n_best: as there.
        shared: as there, a tree of tensors with R rows.

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
        shared=shared,
        arrays=_Tensors(next(iter(states.leaves(state))).device),
    )


class _Tensors:
    """`elman_runtime.search.Arrays` of torch: only the likeliest leave the device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def tokens(self, given: Array) -> Tensor:
        return torch.from_numpy(given).to(self._device)

    def select(self, state: Any, rows: Array) -> Any:
        index = torch.from_numpy(rows).to(self._device)
        return states.map_leaves(lambda t: t.index_select(0, index), state)

    def likeliest(self, found: Tensor, scores: Array, count: int) -> tuple[Array, Array]:
        known = torch.from_numpy(scores).to(self._device, found.dtype)
        place, total = _chosen(found, scores, largest(found, known, count))
        if not (total < math.inf).all():  # NaN among them too, which hides what is smaller
            found = found.nan_to_num(nan=-math.inf, posinf=-math.inf, neginf=-math.inf)
            place, total = _chosen(found, scores, largest(found, known, count))
        return total, place

    def column(self, found: Tensor, k: int) -> Array:
        column: Array = found[:, k].double().cpu().numpy()
        return column


def largest(found: Tensor, scores: Tensor, count: int) -> Tensor:
    """Where in each row of `found` (R * K, V) + `scores` (R, K) the largest are: (R, count).

    Places count the K * V of a row, and come in any order; NaN counts as the largest. On a CPU,
    where it takes longer to choose from many than to go through them, the largest of each run of
    neighbours is found first: the largest elements lie in the runs whose largest are largest.
    """
    size = found.shape[1]
    if found.numel() < _MANY or found.device.type != "cpu" or size < 4 * _RUN:
        return _largest_of_all(found, scores, count)
    if size % _RUN:
        found = nn.functional.pad(found, (0, -size % _RUN), value=-math.inf)
    runs = found.shape[1] // _RUN
    tops = found.view(-1, runs, _RUN).amax(2).view(*scores.shape, runs) + scores[..., None]
    which = tops.flatten(1).topk(min(count, tops[0].numel()), 1, sorted=False).indices
    within = found.view(len(scores), -1, _RUN).take_along_dim(which[..., None], 1)
    known = scores.take_along_dim(which // runs, 1)
    best = (within + known[..., None]).flatten(1).topk(count, 1, sorted=False).indices
    run = which.take_along_dim(best // _RUN, 1)
    column = run % runs * _RUN + best % _RUN
    if size % _RUN and bool((column >= size).any()):  # of what was added, as so little is possible
        return _largest_of_all(found[:, :size], scores, count)
    return run // runs * size + column


def _largest_of_all(found: Tensor, scores: Tensor, count: int) -> Tensor:
    total = scores[..., None] + found.reshape(*scores.shape, found.shape[1])
    return total.flatten(1).topk(count, 1, sorted=False).indices


def _chosen(found: Tensor, scores: Array, place: Tensor) -> tuple[Array, Array]:
    """Places, and `found` + `scores` there in the precision of the scores: both (R, count)."""
    own = found.reshape(len(scores), -1).gather(1, place).cpu().numpy()
    at = place.cpu().numpy()
    return at, own + scores[np.arange(len(scores))[:, None], at // found.shape[1]]
