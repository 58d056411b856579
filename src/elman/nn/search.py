"""Beam search: likely sequences of any model that is one step, `step(token, state)`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from elman import state as states

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""Tokens (N,) and a state of N rows to log-probabilities of the next (N, V), and the new state."""


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that was found.

    - `tokens`: without the first and the last, which say where it starts and ends.
    - `log_probability`: in nats, the end included.
    - `score`: what it was ranked by.
    """

    tokens: tuple[int, ...]
    log_probability: float
    score: float


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
    """The best sequences for each of R rows, searched side by side.

    At each step the `beam` likeliest beginnings of each row go on. Those that end are ranked by
    log-probability / length ** length_penalty, the end counted. A row is done when `beam` of them
    have ended, or when no beginning can overtake the `n_best` any more. A beam wider than there are
    sequences searches them all.

    Args:
        step: see `Step`; it must not change what it is given.
        state: a tree of tensors with R rows, as `elman.state` has them.
        start: the token that is given first; end: the token that ends a sequence.
        most: tokens to write at most for each row, (R,); then it must end.
        beam: how many beginnings are kept, 1 or more; 1 is greedy search.
        length_penalty: 0 ranks by probability, which prefers short ones; 1 by the mean per token.
        n_best: sequences to give back, at most `beam`.

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
    check_search(beam, length_penalty, n_best)
    search = _Search(step, state, start, end, most, beam, length_penalty, n_best)
    while search.rows:
        search.advance()
    for row, found in enumerate(search.found):
        if not found:
            raise ValueError(
                f"step must give log-probabilities; got none that is a number for row {row}; look "
                "for NaN in the weights"
            )
    return [_best(found, n_best) for found in search.found]


def check_search(beam: object, length_penalty: object, n_best: object) -> None:
    """Raises TypeError or ValueError naming the argument, the rule, what came and the repair."""
    for name, value in (("beam", beam), ("n_best", n_best)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be a whole number; got {value!r}; give 1 or more")
        if not 1 <= value <= 1000:
            raise ValueError(f"{name} must be 1 to 1,000; got {value}; change it")
    if isinstance(length_penalty, bool) or not isinstance(length_penalty, int | float):
        raise TypeError(f"length_penalty must be a number; got {length_penalty!r}; give 1.0")
    if not 0 <= length_penalty <= 10:
        raise ValueError(f"length_penalty must be 0 to 10; got {length_penalty}; give 0.6 to 1.2")
    if n_best > beam:  # type: ignore[operator]
        raise ValueError(
            f"n_best must not exceed beam; got {n_best} of a beam of {beam}; raise beam"
        )


def _best(found: list[Hypothesis], count: int) -> list[Hypothesis]:
    return sorted(found, key=lambda one: -one.score)[:count]


class _Search:
    """Beginnings under way: row r's are those of sentence `rows[r]`, the likeliest first."""

    def __init__(
        self,
        step: Step,
        state: Any,
        start: int,
        end: int,
        most: Sequence[int],
        beam: int,
        penalty: float,
        n_best: int,
    ) -> None:
        self._step, self._end, self._beam = step, end, beam
        self._penalty, self._n_best, self._most = penalty, n_best, list(most)
        self.found: list[list[Hypothesis]] = [[] for _ in self._most]
        self.rows = list(range(len(self._most)))
        count = len(self.rows)
        index = torch.arange(count).repeat_interleave(beam)
        self._state = states.select(state, index)
        device = next(iter(states.leaves(state))).device
        self._token = torch.full((count * beam,), start, device=device)
        # All beams begin alike: only the first counts.
        self._scores = torch.full((count, beam), -math.inf, dtype=torch.float64, device=device)
        self._scores[:, 0] = 0.0
        self._written = torch.empty((count, beam, 0), dtype=torch.int64, device=device)

    def advance(self) -> None:
        """One more token for every beginning; rows that are done leave."""
        found, self._state = self._step(self._token, self._state)
        values, parents, tokens = self._candidates(found)
        ends = tokens == self._end
        self._note(values, parents, ends)
        self._scores, pick = values.masked_fill(ends, -math.inf).topk(self._beam, 1)
        self._move(parents.gather(1, pick), tokens.gather(1, pick))
        keep = [r for r in range(len(self.rows)) if not self._done(r)]
        if len(keep) < len(self.rows):
            self._shrink(keep)

    def _candidates(self, found: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The 2 K likeliest continuations of each row, of which K at least do not end."""
        count, size = len(self.rows), found.shape[-1]
        total = self._scores[..., None] + found.reshape(count, self._beam, size)
        for r, row in enumerate(self.rows):
            if self._written.shape[2] >= self._most[row]:
                only = total[r, :, self._end].clone()
                total[r] = -math.inf
                total[r, :, self._end] = only
        total = total.nan_to_num(nan=-math.inf, posinf=-math.inf, neginf=-math.inf)
        values, place = total.flatten(1).topk(min(2, size) * self._beam, 1)
        return values, place // size, place % size

    def _note(self, values: Tensor, parents: Tensor, ends: Tensor) -> None:
        """Keep what has ended among the K likeliest."""
        complete = ends & values.isfinite()
        complete[:, self._beam :] = False
        for r, k in complete.nonzero().tolist():
            tokens = tuple(self._written[r, parents[r, k]].tolist())
            value = float(values[r, k])
            score = value / (len(tokens) + 1) ** self._penalty
            self.found[self.rows[r]].append(Hypothesis(tokens, value, score))

    def _move(self, parents: Tensor, tokens: Tensor) -> None:
        """Let each beginning be its parent and one more token."""
        count = len(self.rows)
        base = torch.arange(count, device=parents.device)[:, None] * self._beam
        self._state = states.select(self._state, (base + parents).flatten())
        old = self._written.gather(1, parents[..., None].expand(-1, -1, self._written.shape[2]))
        self._written = torch.cat([old, tokens[..., None]], 2)
        self._token = tokens.flatten()

    def _done(self, r: int) -> bool:
        found, most = self.found[self.rows[r]], self._most[self.rows[r]]
        best = float(self._scores[r, 0])
        if best == -math.inf or len(found) >= self._beam:
            return True
        if len(found) < self._n_best:
            return False
        bound = best / float(most + 1) ** self._penalty
        return bool(_best(found, self._n_best)[-1].score >= bound)

    def _shrink(self, keep: list[int]) -> None:
        rows = torch.tensor(keep, dtype=torch.int64, device=self._scores.device)
        beams = torch.arange(self._beam, device=rows.device)
        index = (rows[:, None] * self._beam + beams).flatten()
        self._state = states.select(self._state, index)
        self._token = self._token[index]
        self._scores, self._written = self._scores[rows], self._written[rows]
        self.rows = [self.rows[r] for r in keep]
