"""What a judgement rests on: each word left out in turn; for numbers, each column."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from elman.tasks.classifying.batches import logits_of
from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.fitted import Fitted
from elman.tasks.classifying.measuring import log_odds, measure, probabilities

PIECES = 100
"""Parts of a text at most that are left out in turn: a long one is cut into runs of words."""

_FULL = 2.0  # nats from which on a colour is full


@dataclass(frozen=True)
class Influence:
    """A text in pieces, and how much each speaks for a class.

    - `pieces`: words, or runs of them, in order.
    - `nats`: (N,), by how much the log-odds of the class fall when the piece is left out: above
      zero it speaks for the class.
    - `label`: the class; `probability`: of the class, with all pieces.
    """

    pieces: tuple[str, ...]
    nats: Any
    label: str
    probability: float

    def html(self) -> str:
        """The text, blue where it speaks for the class, orange where against."""
        return "<pre class=surprise>" + " ".join(map(_span, self.pieces, self.nats)) + "</pre>"


def _span(piece: str, nats: float) -> str:
    share = round(70 * min(1.0, abs(nats) / _FULL))
    if share < 4:
        return escape(piece)
    colour = "#2f7fd1" if nats > 0 else "#e08214"
    mixed = f"background:color-mix(in srgb,{colour} {share}%,transparent)"
    return f'<span style="{mixed}" title="{nats:+.2f} nats">{escape(piece)}</span>'


def influence(fitted: Fitted, several: bool, text: str, label: str = "") -> Influence:
    """What in a text speaks for a class; by default the likeliest.

    Raises:
        ValueError: there is no such class.
    """
    reader = fitted.reader
    assert reader.lexicon is not None
    words = reader.lexicon.pieces(text)
    tokens = np.asarray(reader.lexicon.encode(text))
    runs = [run for run in np.array_split(np.arange(len(tokens)), PIECES) if run.size]
    variants = [tokens, *(np.delete(tokens, run, 0) for run in runs)]
    logits = logits_of(fitted.network, variants, len(reader.classes))
    if fitted.bag is not None:
        # Its words are those of the network, by other numbers.
        ids = fitted.bag.encode(text)
        kept = [ids, *(np.delete(ids, run) for run in runs)]
        logits = logits + np.stack([fitted.bag.scores(one) for one in kept])
    logits = logits / fitted.temperature
    sure = probabilities(logits, several)
    if label and label not in reader.classes:
        raise ValueError(f"label must be one of {', '.join(reader.classes)}; got {label!r}")
    k = reader.classes.index(label) if label else int(sure[0].argmax())
    odds = log_odds(logits, several)[:, k]
    shown = [" ".join(words[at] for at in run.tolist()) for run in runs]
    return Influence(tuple(shown), odds[0] - odds[1:], reader.classes[k], float(sure[0, k]))


def column_losses(fitted: Fitted, several: bool, found: Examples, flags: Any) -> dict[str, float]:
    """By how much the log loss rises where a column is taken to be missing, for each column."""
    reader = fitted.reader
    whole = _loss(fitted, several, reader.encode(found), flags)
    assert reader.scaling is not None
    losses = {}
    for k, name in enumerate(reader.columns):
        hidden = [_without(one, k) for one in found.inputs]
        pairs = zip(hidden, found.gaps, strict=True)
        encoded = [reader.scaling.encode(one, gaps) for one, gaps in pairs]
        losses[name] = _loss(fitted, several, encoded, flags) - whole
    return losses


def _without(values: Any, column: int) -> Any:
    found = values.copy()
    found[:, column] = np.nan
    return found


def _loss(fitted: Fitted, several: bool, encoded: Sequence[Any], flags: Any) -> float:
    logits = logits_of(fitted.network, encoded, len(fitted.reader.classes))
    return measure(probabilities(logits, several, fitted.temperature), flags, several).loss
