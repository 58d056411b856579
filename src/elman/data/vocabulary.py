"""Vocabularies learnt from text: characters by frequency, subwords by byte-pair encoding.

What a vocabulary is stands in `elman_runtime.vocabulary`: a stored model reads and writes text
without this library.
"""

from collections.abc import Iterator

import numpy as np

from elman_runtime.vocabulary import (
    BOUNDARY,
    KINDS,
    UNKNOWN,
    Decoder,
    Kind,
    Tokens,
    Vocabulary,
    byte_vocabulary,
    character_vocabulary,
    code_points,
    library,
    restore,
    subword_vocabulary,
)

__all__ = [
    "BOUNDARY",
    "KINDS",
    "UNKNOWN",
    "Decoder",
    "Kind",
    "Tokens",
    "Vocabulary",
    "byte_vocabulary",
    "character_vocabulary",
    "check_size",
    "learn_vocabulary",
    "restore",
    "subword_vocabulary",
]

_MOST_CHARACTERS = 20_000
_SUBWORDS = 2_000
_LEAST_SUBWORDS = 257


def learn_vocabulary(kind: Kind, blocks: Iterator[str], size: int = 0) -> Vocabulary:
    """The vocabulary of a training text.

    Args:
        blocks: the text, read once; not at all for bytes.
        size: at most so many characters, the most frequent; about so many subwords; 0 for 20,000
            characters or 2,000 subwords.

    Raises:
        ImportError: subwords need the library `tokenizers`.
        ValueError: fewer than 257 subwords are asked for, or any number of bytes.
    """
    check_size(kind, size)
    if kind == "bytes":
        return byte_vocabulary()
    if kind == "subwords":
        return _learn_subwords(blocks, size or _SUBWORDS)
    return character_vocabulary(_most_frequent(blocks, size or _MOST_CHARACTERS))


def check_size(kind: Kind, size: int) -> None:
    """Raises ValueError where a vocabulary cannot be of that size; 0 leaves it open."""
    if kind == "bytes" and size:
        raise ValueError(f"vocabulary must be 0 with bytes, of which there are 256; got {size}")
    if kind == "subwords" and 0 < size < _LEAST_SUBWORDS:
        raise ValueError(
            f"vocabulary must be {_LEAST_SUBWORDS} or more with subwords, whose first are the 256 "
            f"bytes; got {size}; give 1000 to 8000"
        )


def _most_frequent(blocks: Iterator[str], most: int) -> str:
    counts: dict[int, int] = {}
    for block in blocks:
        codes, found = np.unique(code_points(block), return_counts=True)
        for code, count in zip(codes.tolist(), found.tolist(), strict=True):
            counts[code] = counts.get(code, 0) + count
    ranked = sorted(counts, key=lambda code: (-counts[code], code))
    return "".join(map(chr, ranked[:most]))


def _learn_subwords(blocks: Iterator[str], size: int) -> Vocabulary:
    tokenizers = library()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    level = tokenizers.pre_tokenizers.ByteLevel
    tokenizer.pre_tokenizer = level(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size - 1,  # the boundary is one of ours
        show_progress=False,
        special_tokens=[],
        initial_alphabet=sorted(level.alphabet()),
    )
    tokenizer.train_from_iterator(blocks, trainer)
    return subword_vocabulary(tokenizer.to_str().encode())
