"""What a translator must beat: the source itself, the nearest training pair, a dictionary."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from elman.tasks.translating.pairs import Pairs

COPY, MEMORY, DICTIONARY = "copy", "memory", "dictionary"
MOST = 200_000
"""Pairs of the training part that memory and dictionary are made from, the first ones."""

_ROUNDS = 5
_TOGETHER = 8_000_000  # pairs of words that the dictionary is counted from, at most
_WORD = re.compile(r"\w+|[^\w\s]")

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def words(line: str) -> list[str]:
    """The words of a line in lower case, and its marks."""
    return _WORD.findall(line.lower())


class Memory:
    """A translation memory: the translation of the training source that shares most words.

    Words count by how rare they are (idf), and long sources are held back (cosine).
    """

    def __init__(self, train: Pairs) -> None:
        self._targets = train.target[:MOST]
        postings: dict[str, list[int]] = {}
        for k, line in enumerate(train.source[:MOST]):
            for word in set(words(line)):
                postings.setdefault(word, []).append(k)
        count = len(self._targets)
        self._postings = {word: np.asarray(rows, np.int64) for word, rows in postings.items()}
        self._idf = {word: float(np.log(1 + count / len(rows))) for word, rows in postings.items()}
        squares = np.zeros(count)
        for word, rows in self._postings.items():
            squares[rows] += self._idf[word] ** 2
        self._norm = np.sqrt(np.maximum(squares, 1e-12))

    def translate(self, line: str) -> str:
        """The translation of the nearest source; the first of equals, "" where no word is known."""
        score = np.zeros(len(self._targets))
        for word in sorted(set(words(line))):
            if word in self._postings:
                score[self._postings[word]] += self._idf[word] ** 2
        score /= self._norm
        best = int(score.argmax())
        return self._targets[best] if score[best] > 0 else ""


class Dictionary:
    """Word by word, each by the likeliest under IBM's model 1.

    Brown et al., "The mathematics of statistical machine translation", 1993, section 4.2: each
    word of the target comes from one of the source, whatever their places. Not as there, none
    comes from nothing: words that belong to all sentences then find their partners better.
    """

    def __init__(self, train: Pairs, rounds: int = _ROUNDS) -> None:
        source, target = _Numbers(train.source), _Numbers(train.target)
        pairs = list(zip(source.lines, target.lines, strict=True))
        f, e, places = _together(pairs)
        keys, which = np.unique(f * len(target.words) + e, return_inverse=True)
        table = _expectation_maximisation(which, places, keys // len(target.words), rounds)
        self._best = _likeliest(keys, table, source.words, target.words)
        self._written = _as_written(train.target)

    def translate(self, line: str) -> str:
        """The words of a line one by one; a word that is not known stays as it is."""
        found = [self._best.get(word, word) for word in words(line)]
        text = " ".join(self._written.get(word, word) for word in found)
        text = re.sub(r" ([^\w\s(])(?!\w)", r"\1", text)
        return text[:1].upper() + text[1:] if line[:1].isupper() else text


class _Numbers:
    """Lines as arrays of the numbers of their words."""

    def __init__(self, lines: Sequence[str]) -> None:
        known: dict[str, int] = {}
        self.lines = [
            np.asarray([known.setdefault(w, len(known)) for w in words(line)], np.int64)
            for line in lines[:MOST]
        ]
        self.words = list(known)


def _together(pairs: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints, Ints]:
    """Each word of a source beside each of its target: two numbers and the place.

    Places number the words of all targets.
    """
    left: list[Ints] = []
    right: list[Ints] = []
    places: list[Ints] = []
    place = total = 0
    for f, e in pairs:
        total += f.size * e.size
        if total > _TOGETHER and left:
            break
        left.append(np.tile(f, e.size))
        right.append(np.repeat(e, f.size))
        places.append(np.repeat(np.arange(place, place + e.size), f.size))
        place += e.size
    return np.concatenate(left), np.concatenate(right), np.concatenate(places)


def _expectation_maximisation(which: Ints, places: Ints, source: Ints, rounds: int) -> Floats:
    """t(e | f) for each pair of words: `which` pair each is, and the source word of each pair."""
    table = np.ones(source.size)
    for _ in range(rounds):
        chance = table[which]
        chance /= np.bincount(places, chance)[places]
        counts = np.bincount(which, chance, source.size)
        table = counts / np.bincount(source, counts)[source]
    return table


def _likeliest(
    keys: Ints, table: Floats, source: Sequence[str], target: Sequence[str]
) -> dict[str, str]:
    f, e = np.divmod(keys, len(target))
    order = np.lexsort((-e, table, f))
    last = np.append(np.flatnonzero(np.diff(f[order])), order.size - 1)
    return {source[f[k]]: target[e[k]] for k in order[last].tolist()}


def _as_written(lines: Sequence[str]) -> dict[str, str]:
    """How each word is written most often, where that is not in lower case, first words aside."""
    counts: Counter[str] = Counter()
    for line in lines[:MOST]:
        counts.update(_WORD.findall(line)[1:])
    best: dict[str, str] = {}
    for word, _ in sorted(counts.items(), key=lambda one: (one[1], one[0])):
        best[word.lower()] = word
    return {word: written for word, written in best.items() if word != written}
