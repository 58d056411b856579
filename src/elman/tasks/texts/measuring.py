"""How well a network predicts a text: nats of each token, given those before it."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from elman.data.corpus import Corpus, Part
from elman.data.vocabulary import BOUNDARY, UNKNOWN, Tokens, Vocabulary

Floats = np.ndarray[Any, np.dtype[np.float64]]

MEASURED = 2_000_000
"""Tokens of validation and of the test that are measured at most, the first ones."""

_ROWS = 32  # read side by side
_CONTEXT = 256  # tokens that a row reads before the first it predicts
_BLOCK = 128  # steps at a time
_SAMPLE = 1 << 15  # tokens of validation that are measured in the course of training


@dataclass(frozen=True)
class Score:
    """What a text costs.

    - `nats`: minus the logarithm of its probability, over its `units`.
    - `units`: characters, or bytes where tokens are bytes.
    - `tokens`: how many were predicted. Ends of documents are not counted.
    """

    nats: float
    units: int
    tokens: int

    @property
    def bits(self) -> float:
        """Bits a character."""
        return self.nats / math.log(2)

    @property
    def perplexity(self) -> float:
        """Per token: of so many equally likely ones each is chosen, as it were."""
        return math.exp(min(700.0, self.nats * self.units / max(1, self.tokens)))

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self) | {"bits": self.bits, "perplexity": self.perplexity}

    @staticmethod
    def from_dict(stored: dict[str, Any]) -> "Score":
        """The opposite of `as_dict`."""
        score = Score(float(stored["nats"]), int(stored["units"]), int(stored["tokens"]))
        if not (math.isfinite(score.nats) and score.units > 0 and score.tokens > 0):
            raise ValueError(f"a score of {score}")
        return score


def score_of(nats: Floats, tokens: Tokens, units: int, vocabulary: Vocabulary) -> Score:
    """The score of tokens (N,) that cost `nats` (N,).

    An unknown character costs, beyond what its token does, the choice among all that are unknown.
    """
    counted = tokens != BOUNDARY
    total = float(nats[counted].sum())
    if vocabulary.kind == "characters":
        total += vocabulary.unseen_nats * int((tokens == UNKNOWN).sum())
    return Score(total / max(1, units), units, max(1, int(counted.sum())))


def measurable(corpus: Corpus, part: Part) -> Part:
    """What is measured of a part: its first two million tokens, or all of it."""
    return corpus.head(part, MEASURED)


def predicted(part: Part) -> tuple[int, int]:
    """The tokens of a part that can be predicted: all but the very first of the text."""
    return max(1, part.start), part.stop


def part_score(model: nn.Module, corpus: Corpus, part: Part) -> Score:
    """The score of a part; what stands before it is known, as it is when reading on."""
    first, last = predicted(part)
    nats = np.empty(last - first)
    for start, found in _pieces(model, corpus.tokens, first, last):
        nats[start - first : start - first + found.size] = found
    truth = np.asarray(corpus.tokens[first:last])
    return score_of(nats, truth, part.units, corpus.vocabulary)


def sampled_nats(model: nn.Module, corpus: Corpus, part: Part) -> float:
    """Nats a character of some stretches, evenly over a part: quick, to follow training by."""
    first, last = predicted(part)
    each = max(1, _SAMPLE // _ROWS)
    if last - first <= 2 * _SAMPLE:
        starts = np.linspace(first, max(first, last - each), _ROWS).astype(int)
    else:
        starts = first + (last - first - each) * np.arange(_ROWS) // (_ROWS - 1)
    stops = np.minimum(starts + each, last)
    nats = sum(float(found.sum()) for _, found in _rows(model, corpus.tokens, starts, stops))
    per_token = nats / int((stops - starts).sum())
    return per_token * (last - first) / max(1, part.units)


def _pieces(
    model: nn.Module, tokens: Tokens, first: int, last: int
) -> Iterator[tuple[int, Floats]]:
    """Where pieces of nats begin, and the nats, of tokens `first` to `last` - 1.

    A long text is done in several rounds, so that no array grows with it.
    """
    rounds = max(1, -(-(last - first) // (_ROWS << 15)))
    ends = np.linspace(first, last, rounds * _ROWS + 1).astype(int)
    for k in range(rounds):
        cuts = ends[k * _ROWS : (k + 1) * _ROWS + 1]
        yield from _rows(model, tokens, cuts[:-1], cuts[1:])


@torch.no_grad()
def _rows(
    model: nn.Module, tokens: Tokens, starts: Any, stops: Any
) -> Iterator[tuple[int, Floats]]:
    """The nats of tokens `starts` to `stops` - 1, a row for each pair, each after some context."""
    steps = _CONTEXT + int((stops - starts).max())
    begins = starts - 1 - _CONTEXT
    found = np.empty((len(starts), steps))
    state = None
    for t in range(0, steps, _BLOCK):
        width = min(_BLOCK, steps - t)
        # Before the text stands its first boundary, as often as needed: it changes no state.
        index = np.clip(begins[:, None] + t + np.arange(width + 1), 0, tokens.size - 1)
        x = torch.from_numpy(tokens[index].astype(np.int64)).to(_device(model))
        logits, state = model(x[:, :-1], state)
        found[:, t : t + width] = token_nats(logits, x[:, 1:]).cpu().numpy()
    for row, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        yield start, found[row, _CONTEXT : _CONTEXT + stop - start]


def token_nats(logits: Tensor, y: Tensor) -> Tensor:
    """What each token of y (B, T) costs under logits (B, T, V), in nats."""
    lost = nn.functional.cross_entropy(logits.flatten(0, 1).float(), y.flatten(), reduction="none")
    return lost.reshape(y.shape)


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
