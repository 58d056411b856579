"""Pairs as tokens, and the vocabulary that both languages share."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elman.data.errors import refusal
from elman.data.lines import Rows
from elman.data.vocabulary import Tokens, Vocabulary, learn_vocabulary, subword_vocabulary
from elman.tasks.translating.batches import Pair
from elman.tasks.translating.decoding import encode
from elman.tasks.translating.pairs import Pairs, Parallel
from elman_runtime import files

VOCABULARY = "vocabulary.json"
"""The subwords of a run, in its folder."""

LEARNT = 1_000_000
"""Pairs that subwords are learnt from, at most: more do not change them, but take long."""

MEASURED = 1000
"""Pairs of validation that are measured in the course of training, at most, the first ones."""

_KNOWN = 1 << 17  # different words that are remembered at a time


@dataclass(frozen=True)
class Examples:
    """What training needs.

    - `train`: pairs of tokens, in a file. `validation`: the same, at most `MEASURED`; `lines`:
      their text.
    - `note`: what was left out; "" if nothing.
    """

    train: Rows
    validation: list[Pair]
    lines: Pairs
    vocabulary: Vocabulary
    note: str = ""


def prepare(parallel: Parallel, size: int, longest: int, folder: Path | None) -> Examples:
    """Learn the vocabulary from the training part, or take the one in `folder`, and encode.

    Raises:
        DataError: all pairs are too long.
        ImportError: the library `tokenizers` is not installed.
    """
    stored = None if folder is None else folder / VOCABULARY
    if stored is not None and stored.exists():
        vocabulary = subword_vocabulary(stored.read_bytes())
    else:
        vocabulary = learn_vocabulary("subwords", texts(parallel.train), size)
        if stored is not None:
            stored.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(stored, vocabulary.stored)
    train = Rows(_short(vocabulary, parallel.train, longest), np.dtype(vocabulary.dtype))
    if not len(train):
        rule, came = f"sentences must have at most {longest} tokens", "none that has"
        repair = "give one sentence a line, or raise longest"
        raise refusal(parallel.train.name or "pairs", "length", rule, came, repair)
    out = len(parallel.train) - len(train)
    words = f"{out:,} pairs with more than {longest} tokens are left out of training"
    lines = parallel.validation.pick(range(min(MEASURED, len(parallel.validation))))
    validation = list(_encoded(vocabulary, lines))
    return Examples(train, validation, lines, vocabulary, words if out else "")


class Encoder(dict[str, list[int]]):
    """The tokens of many tidy lines, those that `encode` gives; of each word that is known its own.

    No subword has a space within it, so that those of a line are those of its words.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._vocabulary = vocabulary

    def __missing__(self, word: str) -> list[int]:
        """Those of a word that was not seen yet."""
        if len(self) >= _KNOWN:
            self.clear()
        found: list[int] = encode(self._vocabulary, word).tolist()
        self[word] = found
        return found

    def encode(self, line: str) -> Tokens:
        """The tokens of a line."""
        found = [token for word in line.split(" ") for token in self[word]]
        return np.asarray(found, self._vocabulary.dtype)


def _encoded(vocabulary: Vocabulary, pairs: Pairs) -> Iterator[Pair]:
    """The tokens of pairs, one after another."""
    both = Encoder(vocabulary)
    for a, b in zip(pairs.source, pairs.target, strict=True):
        yield both.encode(a), both.encode(b)


def _short(vocabulary: Vocabulary, pairs: Pairs, longest: int) -> Iterator[Pair]:
    return (pair for pair in _encoded(vocabulary, pairs) if max(map(len, pair)) <= longest)


def texts(pairs: Pairs) -> Iterator[str]:
    """What subwords are learnt from: all pairs, or every k-th where there are very many."""
    step = -(-len(pairs) // LEARNT)
    some = pairs if step < 2 else pairs.pick(np.arange(0, len(pairs), step))
    for side in (some.source, some.target):
        for line in side:
            yield f" {line}"
