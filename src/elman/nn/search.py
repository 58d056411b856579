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
_KNOWN = (torch.float32, torch.float64)  # to NumPy

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
        total, place = _likeliest(found, scores, count)
        if not (total < math.inf).all():  # NaN among them too, which hides what is smaller
            found = found.nan_to_num(nan=-math.inf, posinf=-math.inf, neginf=-math.inf)
            total, place = _likeliest(found, scores, count)
        return total, place

    def column(self, found: Tensor, k: int) -> Array:
        column: Array = found[:, k].double().cpu().numpy()
        return column


def _likeliest(found: Tensor, scores: Array, count: int) -> tuple[Array, Array]:
    """`found` + `scores` in the precision of the scores where they are largest, and the places."""
    rows = np.arange(len(scores))[:, None]
    if found.device.type == "cpu" and found.dtype in _KNOWN and found.shape[1] >= 4 * _RUN:
        place = largest(found, scores, count)
        own = found.detach().numpy().reshape(len(scores), -1)[rows, place]
    else:
        known = torch.from_numpy(scores).to(found.device, found.dtype)
        total = known[..., None] + found.reshape(*scores.shape, found.shape[1])
        places = total.flatten(1).topk(count, 1, sorted=False).indices
        own = found.reshape(len(scores), -1).gather(1, places).cpu().numpy()
        place = places.cpu().numpy()
    return own + scores[rows, place // found.shape[1]], place


def largest(found: Tensor, scores: Array, count: int) -> Array:
    """Where in each row of `found` (R * K, V) + `scores` (R, K) the largest are: (R, count).

    Places count the K * V of a row, and come in any order; NaN counts as the largest. On a CPU,
    where it takes longer to choose from many than to go through them, the largest of each run of
    neighbours is found first: the largest elements lie in the runs whose largest are largest. From
    there on there is so little to do that NumPy does it in less time than torch begins to.
    """
    found, size = found.detach(), found.shape[1]
    if size % _RUN:
        found = nn.functional.pad(found, (0, -size % _RUN), value=-math.inf)
    runs = found.shape[1] // _RUN
    values = found.numpy().reshape(len(scores), -1, _RUN)
    known = scores.astype(values.dtype)
    tops = found.view(-1, _RUN).amax(1).numpy().reshape(*scores.shape, runs) + known[..., None]
    rows, which = np.arange(len(scores))[:, None], _most(tops.reshape(len(scores), -1), count)
    within = values[rows, which] + known[rows, which // runs][..., None]
    run, at = np.divmod(_most(within.reshape(len(scores), -1), count), _RUN)
    which = which[rows, run]
    column = which % runs * _RUN + at
    if size % _RUN and bool((column >= size).any()):  # of what was added, as so little is possible
        total = found.numpy()[:, :size].reshape(len(scores), -1, size) + known[..., None]
        return _most(total.reshape(len(scores), -1), count)
    place: Array = which // runs * size + column
    return place


def _most(values: Array, count: int) -> Array:
    """Where the largest of each row of (R, N) are, in any order."""
    cut = max(0, values.shape[1] - count)
    found: Array = np.argpartition(values, cut, 1)[:, cut:]
    return found
