"""From sentences to sentences: cut, encode, search, decode, whatever runs the network."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman_runtime.search import Hypothesis
from elman_runtime.vocabulary import BOUNDARY, Tokens, Vocabulary

__all__ = [
    "LONGEST",
    "Search",
    "Searching",
    "Translation",
    "decode",
    "encode",
    "most",
    "padded",
    "pieces",
    "tidy",
    "translate",
]

LONGEST = 250
"""Tokens of a source that are translated in one piece; a longer line is cut."""

_TOGETHER = 320  # beginnings searched side by side
_TOKENS = 20_000  # of the sources of them all, at most, padding included
_STOP = re.compile(r"(?<=[.!?。！？])\s+")


@dataclass(frozen=True)
class Searching:
    """How translations are searched for.

    - `beam`: beginnings kept at each step; 1 takes the likeliest word always.
    - `length_penalty`: 0 ranks by probability, 1 by its mean per token.
    - `n_best`: translations of each line.
    - `stretch`: tokens of a translation at most, as a multiple of the source's, and ten more.
    """

    beam: int = 5
    length_penalty: float = 1.0
    n_best: int = 1
    stretch: float = 2.0


@dataclass(frozen=True)
class Translation:
    """A translation, its log-probability in nats, and the score that it was ranked by."""

    text: str
    log_probability: float
    score: float


Search = Callable[[Sequence[Tokens], Searching], list[list[Hypothesis]]]
"""Sources to the likeliest targets of each, the best first."""


def tidy(line: str) -> str:
    """A line with single spaces, and none at its ends."""
    return " ".join(line.split())


def encode(vocabulary: Vocabulary, line: str) -> Tokens:
    """The tokens of a tidy line: its first word is written as any other, after a space."""
    return vocabulary.encode(f" {line}" if line else "")


def decode(vocabulary: Vocabulary, tokens: Sequence[int]) -> str:
    """The line of tokens."""
    return tidy(vocabulary.decode(tokens))


def padded(rows: Sequence[Sequence[int]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows of tokens side by side (B, T), padded with the boundary, and their lengths (B,)."""
    lengths = [len(row) for row in rows]
    found = np.full((len(rows), max(lengths, default=0)), BOUNDARY, np.int64)
    for row, tokens, length in zip(found, rows, lengths, strict=True):
        row[:length] = tokens
    return found, np.asarray(lengths, np.int64)


def most(sources: Sequence[Tokens], how: Searching) -> list[int]:
    """Tokens that a translation of each may have."""
    return [int(how.stretch * len(one)) + 10 for one in sources]


def translate(
    search: Search, vocabulary: Vocabulary, lines: Sequence[str], how: Searching
) -> list[list[Translation]]:
    """The translations of each line, the best first; an empty line's is empty.

    A line of more than `LONGEST` tokens is cut at the end of a sentence, or else at a space, and
    its pieces are translated one by one; it has one translation.
    """
    cut = [pieces(vocabulary, tidy(line)) for line in lines]
    whole = [piece for one in cut for piece in one]
    order = sorted(range(len(whole)), key=lambda k: len(whole[k]))
    found: list[list[Hypothesis]] = [[]] * len(whole)
    for some in _batches([len(whole[k]) for k in order], how.beam):
        chosen = [order[k] for k in some]
        results = search([whole[k] for k in chosen], how)
        for k, one in zip(chosen, results, strict=True):
            found[k] = one
    rest = iter(found)
    return [_joined(vocabulary, [next(rest) for _ in one]) for one in cut]


def _joined(vocabulary: Vocabulary, parts: list[list[Hypothesis]]) -> list[Translation]:
    """Translations of a line from those of its pieces."""
    if len(parts) == 1:
        return [
            Translation(decode(vocabulary, one.tokens), one.log_probability, one.score)
            for one in parts[0]
        ]
    best = [one[0] for one in parts]
    text = " ".join(decode(vocabulary, one.tokens) for one in best)
    total = sum(one.log_probability for one in best)
    score = sum(one.score for one in best) / max(1, len(best))
    return [Translation(tidy(text), total, score)]


def _batches(lengths: Sequence[int], beam: int) -> Iterator[range]:
    """Ranges of rising lengths, to be searched together."""
    start = 0
    for k in range(1, len(lengths) + 1):
        full = k == len(lengths) or (k - start + 1) * beam > _TOGETHER
        if full or (k - start + 1) * beam * (lengths[k] + 1) > _TOKENS:
            yield range(start, k)
            start = k


def pieces(vocabulary: Vocabulary, line: str, longest: int = LONGEST) -> list[Tokens]:
    """The tokens of a line in pieces of at most `longest`; none of an empty line."""
    if not line:
        return []
    # A token has at most some dozen characters, so that a short line is seen at once.
    tokens = encode(vocabulary, line) if len(line) < 64 * longest else None
    if tokens is not None and len(tokens) <= longest:
        return [tokens]
    found: list[list[int]] = [[]]
    for part in _parts(line):
        more = encode(vocabulary, part).tolist()
        if found[-1] and len(found[-1]) + len(more) > longest:
            found.append([])
        while len(found[-1]) + len(more) > longest:  # a word of thousands of characters
            found[-1] += more[:longest]
            more = more[longest:]
            found.append([])
        found[-1] += more
    return [np.asarray(one, vocabulary.dtype) for one in found if one]


def _parts(line: str) -> Iterator[str]:
    """Sentences, and the words of those that are long."""
    for sentence in _STOP.split(line):
        yield from [sentence] if len(sentence) < LONGEST else sentence.split()
