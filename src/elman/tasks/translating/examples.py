"""Pairs as tokens, and the vocabulary that both languages share."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elman.data.errors import refusal
from elman.data.vocabulary import Vocabulary, learn_vocabulary, subword_vocabulary
from elman.tasks.translating.batches import Pair
from elman.tasks.translating.decoding import encode
from elman.tasks.translating.pairs import Pairs, Parallel
from elman_runtime import files

VOCABULARY = "vocabulary.json"
"""The subwords of a run, in its folder."""

MEASURED = 1000
"""Pairs of validation that are measured in the course of training, at most, the first ones."""


@dataclass(frozen=True)
class Examples:
    """What training needs.

    - `train`: pairs of tokens. `validation`: the same, at most `MEASURED`; `lines`: their text.
    - `note`: what was left out; "" if nothing.
    """

    train: list[Pair]
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
        vocabulary = learn_vocabulary("subwords", _texts(parallel.train), size)
        if stored is not None:
            stored.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomic(stored, vocabulary.stored)
    every = encoded(vocabulary, parallel.train)
    train = [pair for pair in every if max(map(len, pair)) <= longest]
    if not train:
        rule, came = f"sentences must have at most {longest} tokens", "none that has"
        repair = "give one sentence a line, or raise longest"
        raise refusal(parallel.train.name or "pairs", "length", rule, came, repair)
    out = len(every) - len(train)
    words = f"{out:,} pairs with more than {longest} tokens are left out of training"
    lines = parallel.validation.pick(range(min(MEASURED, len(parallel.validation))))
    return Examples(train, encoded(vocabulary, lines), lines, vocabulary, words if out else "")


def encoded(vocabulary: Vocabulary, pairs: Pairs) -> list[Pair]:
    """The tokens of pairs."""
    both = zip(pairs.source, pairs.target, strict=True)
    return [(encode(vocabulary, a), encode(vocabulary, b)) for a, b in both]


def _texts(pairs: Pairs) -> Iterator[str]:
    for side in (pairs.source, pairs.target):
        for line in side:
            yield f" {line}"
