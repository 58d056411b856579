"""Beam search: likely sequences of any model that is one step, `step(token, state)`.

The search keeps its books in NumPy; what a step computes with, NumPy or another library, is
reached through `Arrays`. `elman.nn.search` is the same for torch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Step = Callable[..., tuple[Any, Any]]
"""Tokens (N,) and a state of N rows to log-probabilities of the next (N, V), and the new state.

Where the search is given what all beginnings of a row share, that comes third, with R rows: token n
belongs to its row n // (N / R).
"""


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


class Arrays(Protocol):
    """What the search asks of the library that a step computes with."""

    def tokens(self, given: Array) -> Any:
        """Tokens (N,), int64, as the step takes them."""
        ...

    def select(self, state: Any, rows: Array) -> Any:
        """Rows of a state, or of what is shared, by number; repeats are allowed."""
        ...

    def likeliest(self, found: Any, scores: Array, count: int) -> tuple[Array, Array]:
        """The `count` likeliest continuations of each of R rows, in any order.

        Args:
            found: log-probabilities (N, V) of the next token of N = R * K beginnings; what is no
                number, or infinite, counts as -inf.
            scores: log-probabilities (R, K) of the beginnings, float64.

        Returns:
            their log-probabilities (R, count), float64, and the places of each among the K * V.
        """
        ...

    def column(self, found: Any, k: int) -> Array:
        """Column k of (N, V), as float64."""
        ...


class NumPyArrays:
    """States are arrays with a row for each sequence, or tuples or dicts of states."""

    def tokens(self, given: Array) -> Array:
        """The tokens as they are."""
        return given

    def select(self, state: Any, rows: Array) -> Any:
        """Rows of every array."""
        if isinstance(state, dict):
            return {name: self.select(part, rows) for name, part in state.items()}
        if isinstance(state, tuple | list):
            parts = [self.select(part, rows) for part in state]
            return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)
        return state[rows]

    def likeliest(self, found: Array, scores: Array, count: int) -> tuple[Array, Array]:
        """By a partition; see `Arrays.likeliest`."""
        known = np.where(np.isfinite(found), found, -np.inf).astype(np.float64, copy=False)
        total = (scores[..., None] + known.reshape(*scores.shape, -1)).reshape(len(scores), -1)
        cut = total.shape[1] - count
        if cut > 0:
            place = np.argpartition(total, cut, 1)[:, cut:]
        else:
            place = np.tile(np.arange(total.shape[1]), (len(total), 1))
        return np.take_along_axis(total, place, 1), place

    def column(self, found: Array, k: int) -> Array:
        """See `Arrays.column`."""
        return found[:, k].astype(np.float64)


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
    arrays: Arrays | None = None,
) -> list[list[Hypothesis]]:
    """The best sequences for each of R rows, searched side by side.

    At each step the `beam` likeliest beginnings of each row go on. Those that end are ranked by
    log-probability / length ** length_penalty, the end counted. A row is done when `beam` of them
    have ended, or when no beginning can overtake the `n_best` any more. A beam wider than there are
    sequences searches them all.

    Args:
        step: see `Step`; it must not change what it is given.
        state: what the first step starts from, with R rows.
        start: the token that is given first; end: the token that ends a sequence.
        most: tokens to write at most for each row, (R,); then it must end.
        beam: how many beginnings are kept, 1 or more; 1 is greedy search.
        length_penalty: 0 ranks by probability, which prefers short ones; 1 by the mean per token.
        n_best: sequences to give back, at most `beam`.
        shared: what stays the same from step to step for all beginnings of a row, such as the
            source of a translation, with R rows as `state`; `step` is given it third. It is not
            copied for each beginning.
        arrays: what the step computes with, by default NumPy: see `NumPyArrays`.

    Returns:
        for each row at most `n_best` sequences, the best first; at least one.

    Raises:
        TypeError, ValueError: an argument breaks its rule, or log-probabilities are not numbers.

    Example:
        >>> table = np.log(np.array([[1e-9, 0.6, 0.4], [0.7, 0.2, 0.1], [0.9, 0.1, 1e-9]]))
        >>> found = beam_search(lambda token, state: (table[token], state), np.zeros(1),
        ...                     start=0, end=0, most=[4], n_best=2, length_penalty=0)
        >>> [(one.tokens, round(one.log_probability, 3)) for one in found[0]]
        [((1,), -0.868), ((2,), -1.022)]
    """
    check_search(beam, length_penalty, n_best)
    ranking = _Ranking(beam, float(length_penalty), n_best)
    search = _Search(step, state, start, end, most, ranking, shared, arrays or NumPyArrays())
    while search.rows:
        search.advance()
    for row, found in enumerate(search.found):
        if not found:
            raise ValueError(
                f"step must give log-probabilities; got none that is a number for row {row}; look "
                "for NaN in the weights"
            )
    return [ranking.best(found) for found in search.found]


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


@dataclass(frozen=True)
class _Ranking:
    """How many are kept, and how those that have ended are ranked."""

    beam: int
    penalty: float
    n_best: int

    def score(self, log_probability: float, length: int) -> float:
        return log_probability / math.pow(length, self.penalty)

    def best(self, found: list[Hypothesis]) -> list[Hypothesis]:
        return sorted(found, key=lambda one: -one.score)[: self.n_best]

    def is_done(self, found: list[Hypothesis], likeliest: float, most: int) -> bool:
        """Whether beginnings, the likeliest of which is given, can no longer matter."""
        if likeliest == -math.inf or len(found) >= self.beam:
            return True
        if len(found) < self.n_best:
            return False
        return self.best(found)[-1].score >= self.score(likeliest, most + 1)


class _Search:
    """Beginnings under way: row r's are those of sentence `rows[r]`, the likeliest first.

    Each row has one beginning before the first step, and K after it.
    """

    def __init__(
        self,
        step: Step,
        state: Any,
        start: int,
        end: int,
        most: Sequence[int],
        ranking: _Ranking,
        shared: Any,
        arrays: Arrays,
    ) -> None:
        self._step, self._end, self._arrays = step, end, arrays
        self._ranking, self._beam, self._most = ranking, ranking.beam, list(most)
        self.found: list[list[Hypothesis]] = [[] for _ in self._most]
        self.rows = list(range(len(self._most)))
        self._fullest = min(self._most, default=0)
        self._state, self._shared = state, shared
        self._token = np.full(len(self.rows), start, np.int64)
        self._scores = np.zeros((len(self.rows), 1))
        self._written = np.empty((len(self.rows), 1, 0), np.int64)

    def advance(self) -> None:
        """One more token for every beginning; rows that are done leave."""
        more = () if self._shared is None else (self._shared,)
        found, state = self._step(self._arrays.tokens(self._token), self._state, *more)
        values, parents, tokens = self._candidates(found)
        ends = tokens == self._end
        if ends.any():
            self._note(values, parents, ends)
            # Those that go on, in their order: those that end move behind them.
            values = np.where(ends, -np.inf, values)
            order = np.argsort(-values, 1, kind="stable")
            values, parents, tokens = (_in_order(x, order) for x in (values, parents, tokens))
        count, width = self._beam, self._scores.shape[1]
        self._scores, parents, tokens = values[:, :count], parents[:, :count], tokens[:, :count]
        index = (parents + np.arange(0, len(self.rows) * width, width)[:, None]).ravel()
        old = self._written.reshape(len(self.rows) * width, -1)[index]
        self._written = np.concatenate([old, tokens.reshape(-1, 1)], 1)
        self._written = self._written.reshape(*tokens.shape, -1)
        keep = [r for r in range(len(self.rows)) if not self._done(r)]
        if len(keep) < len(self.rows):
            index, tokens = index.reshape(tokens.shape)[keep].ravel(), tokens[keep]
            self._leave(keep)
        self._state, self._token = self._arrays.select(state, index), tokens.ravel()

    def _leave(self, keep: list[int]) -> None:
        """Go on with these rows alone."""
        self._written, self._scores = self._written[keep], self._scores[keep]
        self.rows = [self.rows[r] for r in keep]
        if self._shared is not None:
            self._shared = self._arrays.select(self._shared, np.asarray(keep, np.int64))

    def _candidates(self, found: Any) -> tuple[Array, Array, Array]:
        """The 2 K likeliest continuations of each row, of which K at least do not end.

        Each is a log-probability, the beginning that it continues, and a token, (R, 2 K) each.
        """
        size, width = int(found.shape[-1]), self._scores.shape[1]
        wanted = min(2 * self._beam, width * size)
        values, place = self._arrays.likeliest(found, self._scores, wanted)
        order = np.argsort(-values, 1, kind="stable")
        values, place = _in_order(values, order), _in_order(place, order)
        parents, tokens = np.divmod(place, size)
        self._must_end(values, parents, tokens, found)
        return values, parents, tokens

    def _must_end(self, values: Array, parents: Array, tokens: Array, found: Any) -> None:
        """Nothing but the end for rows that have written as much as they may."""
        length = self._written.shape[2]
        if length < self._fullest:
            return
        full = [r for r, row in enumerate(self.rows) if length >= self._most[row]]
        if not full:
            return
        width = self._scores.shape[1]
        ends = self._arrays.column(found, self._end).reshape(-1, width)[full]
        total = self._scores[full] + np.where(np.isfinite(ends), ends, -np.inf)
        order = np.argsort(-total, 1, kind="stable")
        values[full], tokens[full] = -np.inf, self._end
        parents[full] = 0
        kept = min(width, values.shape[1])
        at = np.asarray(full)
        values[at, :kept] = np.take_along_axis(total, order, 1)[:, :kept]
        parents[at, :kept] = order[:, :kept]

    def _note(self, values: Array, parents: Array, ends: Array) -> None:
        """Keep what has ended among the K likeliest."""
        complete = (ends & np.isfinite(values))[:, : self._beam]
        for r, k in zip(*np.nonzero(complete), strict=True):
            tokens = tuple(self._written[r, parents[r, k]].tolist())
            value = float(values[r, k])
            score = self._ranking.score(value, len(tokens) + 1)
            self.found[self.rows[r]].append(Hypothesis(tokens, value, score))

    def _done(self, r: int) -> bool:
        row = self.rows[r]
        return self._ranking.is_done(self.found[row], float(self._scores[r, 0]), self._most[row])


def _in_order(values: Array, order: Array) -> Array:
    """Each row of (R, N) in an order of its own."""
    first = np.arange(0, values.size, values.shape[1])[:, None]
    return values.take(order + first)
