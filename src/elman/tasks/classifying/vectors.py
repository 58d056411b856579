"""Word vectors that someone trained before, as text: GloVe's format, and word2vec's."""

from pathlib import Path
from typing import Any

import numpy as np

from elman.data.errors import refusal, shown
from elman.data.text import Source
from elman.tasks.classifying.lexicon import Lexicon

GIVEN = 0.3
"""The deviation of such vectors in a network: larger than of drawn ones, for they say more."""


def read_vectors(path: Path, lexicon: Lexicon, width: int) -> tuple[Any, Any]:
    """The numbers of the known words that have a vector, (K,), and their vectors (K, width).

    A line is a word and its numbers, with spaces between; a first line of two numbers is passed
    over. The file is read as a stream: only known words are kept, the first of each.

    Raises:
        DataError: a line has another width, or numbers that are none; or no word is known.
        ValueError: the lexicon is not of words.
    """
    if lexicon.vocabulary is not None:
        raise ValueError(
            f"vectors are of words; got tokens={lexicon.kind!r}; leave one out (tokens=words)"
        )
    numbers = {word: k + 2 for k, word in enumerate(lexicon.words)}
    found: dict[int, Any] = {}
    for line, text in enumerate(Source(path.name, path).lines(), 1):
        word, _, rest = text.rstrip().partition(" ")
        cells = rest.split(" ")
        if line == 1 and len(cells) == 1:
            continue
        at = numbers.get(word if lexicon.keep_case else word.lower())
        if at is None or at in found:
            continue
        if len(cells) != width:
            rule, repair = f"vectors have {width} numbers", f"give --embedding {len(cells)}"
            raise refusal(path.name, f"line {line}", rule, str(len(cells)), repair)
        found[at] = _numbers(path, line, cells)
    if not found:
        rule, repair = "vectors of words that occur are needed", "give those of this language"
        raise refusal(path.name, "file", rule, "none", repair)
    order = sorted(found)
    return np.asarray(order), np.stack([found[k] for k in order])


def _numbers(path: Path, line: int, cells: list[str]) -> Any:
    try:
        found = np.asarray(cells, np.float32)
    except ValueError:
        found = np.asarray([np.nan], np.float32)
    if not np.isfinite(found).all():
        rule, came = "a word and its numbers stand on a line", shown(" ".join(cells), 40)
        raise refusal(path.name, f"line {line}", rule, came, "mend the line")
    return found
