"""Whether written text repeats itself, or what it was trained on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONG = 8
"""Words in a run that is looked for in the training text."""

SEARCHED = 32_000_000
"""Characters of the training text that are searched, the first ones."""

_MANY = 20  # characters a word, from which on a script seems to have no spaces


@dataclass(frozen=True)
class Diversity:
    """Shares from 0 to 1.

    - `distinct`: for runs of 1, 2 and 3 words, how many of them differ.
    - `copied`: runs of 8 words that stand in the training text too; None if the text is shorter.
    - `unit`: "word", or "character" in scripts without spaces.
    """

    distinct: tuple[float, float, float]
    copied: float | None
    unit: str = "word"


def diversity(text: str, training: Iterable[str]) -> Diversity:
    """Of a written text; `training` are blocks of the training text.

    >>> found = diversity("a rose is a rose is a rose", ["a rose is a rose is a rose"])
    >>> found.distinct, found.copied
    ((0.375, 0.42857142857142855, 0.5), 1.0)
    """
    words, unit = _words(text)
    distinct = (_distinct(words, 1), _distinct(words, 2), _distinct(words, 3))
    long = _runs(words, LONG)
    if not long:
        return Diversity(distinct, None, unit)
    return Diversity(distinct, _copied(long, unit, training), unit)


def _words(text: str) -> tuple[list[str], str]:
    words = text.split()
    if len(text) > _MANY * len(words):
        return [letter for letter in text if not letter.isspace()], "character"
    return words, "word"


def _runs(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[k : k + n]) for k in range(len(words) - n + 1)]


def _distinct(words: list[str], n: int) -> float:
    runs = _runs(words, n)
    return len(set(runs)) / len(runs) if runs else 0.0


def _copied(runs: list[tuple[str, ...]], unit: str, training: Iterable[str]) -> float:
    between = " " if unit == "word" else ""
    wanted = {f"{between}{between.join(run)}{between}" for run in set(runs)}
    found: set[str] = set()
    for block in _joined(training, between, max(map(len, wanted))):
        found |= {run for run in wanted - found if run in block}
    return sum(f"{between}{between.join(run)}{between}" in found for run in runs) / len(runs)


def _joined(training: Iterable[str], between: str, longest: int) -> Iterator[str]:
    """The training text with its words `between` apart; each block begins with the last's end."""
    tail = ""
    for words in _whole_words(training):
        yield (whole := f"{tail}{between}{between.join(words)}{between}")
        tail = whole[-longest:].rstrip()


def _whole_words(training: Iterable[str]) -> Iterator[list[str]]:
    """The words of each block; one that a block's end cuts comes with the next."""
    cut, searched = "", 0
    for block in training:
        words = (cut + block).split()
        cut = words.pop() if words and not block[-1:].isspace() else ""
        yield words
        searched += len(block)
        if searched >= SEARCHED:
            return
    yield [cut]
