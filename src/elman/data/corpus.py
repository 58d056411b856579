"""Texts as one compact file of tokens, mapped into memory, in three parts.

The documents stand one after another in the order given, each after a boundary token, and one
boundary ends them all. The first share of the characters is for training, the next for
validation, the last for the test; a cut may lie within a document. The vocabulary is learnt from
the training part alone.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from elman.data import vocabulary as vocabularies
from elman.data.errors import DataError, refusal
from elman.data.text import Source
from elman.data.vocabulary import BOUNDARY, Kind, Tokens, Vocabulary
from elman_runtime import ModelFileError, files, model_file

PARTS = ("train", "validation", "test")
TOKENS_FILE, CORPUS_FILE = "tokens.bin", "corpus.safetensors"
_FORMAT = 0
_BLOCK = 1 << 22  # tokens
_LEAST = 200  # characters of all parts


@dataclass(frozen=True)
class Part:
    """Tokens `start` to `stop` - 1; `units` is their length in characters, or bytes."""

    start: int
    stop: int
    units: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Corpus:
    """Texts, encoded.

    - `tokens`: (N,), mapped into memory: what is not looked at takes no room.
    - `train`, `validation`, `test`: where the parts are; validation is empty if it was trained on.
    - `names`: of the documents, at most 100; `documents` is how many there are.
    - `sha256`: of the text.
    - `notes`: what had to be done or has to be known, a sentence each.
    """

    tokens: Tokens
    vocabulary: Vocabulary
    train: Part
    validation: Part
    test: Part
    names: tuple[str, ...]
    documents: int
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[str, Part]:
        """The parts by name."""
        return {name: getattr(self, name) for name in PARTS}

    def blocks(self, part: Part, size: int = 1 << 20) -> Iterator[str]:
        """The text of a part, `size` tokens at a time; documents run into one another."""
        decoder = vocabularies.Decoder(self.vocabulary)
        for start in range(part.start, part.stop, size):
            piece = self.tokens[start : min(start + size, part.stop)]
            yield decoder.feed(self.vocabulary.raw(piece))
        yield decoder.end()

    def head(self, part: Part, most: int) -> Part:
        """The first tokens of a part: `most` of them, or all where it is shorter."""
        if len(part) <= most:
            return part
        first = Part(part.start, part.start + most, 0)
        units = sum(self.vocabulary.units(block) for block in self.blocks(first))
        return replace(first, units=units)

    def understood(self) -> list[tuple[str, str]]:
        """What was understood of the texts, as pairs of a name and words."""
        unit = self.vocabulary.unit
        length = sum(part.units for part in self.parts.values())
        found = [("text", _named(self.names, self.documents))]
        found.append(("length", f"{length:,} {unit}s, {self.tokens.size:,} tokens"))
        found.append(("tokens", f"{self.vocabulary.size:,} {self.vocabulary.kind}"))
        found += [
            (name, f"{part.units:,} {unit}s, {part.units / length:.0%}")
            for name, part in self.parts.items()
            if part.units
        ]
        return found


def _named(names: Sequence[str], count: int) -> str:
    few = ", ".join(names[:5]) + (f" and {count - 5:,} more" if count > 5 else "")
    return few if count == 1 else f"{count:,} documents: {few}"


def read_corpus(
    sources: Iterable[Source],
    kind: Kind = "characters",
    size: int = 0,
    *,
    encoding: str = "utf-8",
    shares: tuple[float, float] = (0.8, 0.1),
    known: Vocabulary | None = None,
) -> Corpus:
    """Encode documents, a block at a time, to a temporary file that goes away with the process.

    Args:
        kind, size: of the vocabulary, as `learn_vocabulary` has them.
        encoding: of the files; not used where tokens are bytes.
        shares: of the text, for training and validation; the rest is the test.
        known: a vocabulary to use instead of learning one.

    Raises:
        DataError: a file cannot be read, or all of them together are too short.
        ImportError: subwords need the library `tokenizers`.
        OSError: the temporary file cannot be written (TMPDIR says where it lies).
    """
    texts = _Texts(tuple(sources), kind, encoding)
    lengths, digest = texts.measure()
    total = sum(lengths)
    _check_length(texts, total, 1 if known else _LEAST)
    ends = (round(total * shares[0]), round(total * (shares[0] + shares[1])), total)
    vocabulary = known or vocabularies.learn_vocabulary(kind, texts.first(ends[0]), size)
    writer = _Writer(vocabulary, texts, ends)
    tokens = _written(writer)
    kept = [one.name for one, length in zip(texts.sources, lengths, strict=True) if length]
    notes = tuple(
        f"{one.name} is empty and left out"
        for one, length in zip(texts.sources, lengths, strict=True)
        if not length
    )
    train, validation, test = writer.parts()
    names, count = tuple(kept[:100]), len(kept)
    return Corpus(tokens, vocabulary, train, validation, test, names, count, digest, notes)


def _check_length(texts: "_Texts", total: int, least: int) -> None:
    if total < least:
        several = len(texts.sources) > 1
        name = f"{len(texts.sources)} texts" if several else texts.sources[0].name
        rule = f"a text has at least {least:,} character{'s' * (least > 1)}"
        came = f"{total:,}" if total else "nothing"
        raise refusal(name, "length", rule, came, "give a longer one")


class _Texts:
    """Documents, read again for each purpose: their length, the vocabulary, the tokens."""

    def __init__(self, sources: tuple[Source, ...], kind: Kind, encoding: str) -> None:
        self.sources, self._raw, self._encoding = sources, kind == "bytes", encoding

    def blocks(self, source: Source) -> Iterator[Any]:
        """The blocks of a document: str, or bytes where tokens are bytes."""
        return source.raw_blocks() if self._raw else source.blocks(self._encoding)

    def measure(self) -> tuple[list[int], str]:
        """The length of each document, and the digest of all."""
        digest, lengths = hashlib.sha256(), []
        for source in self.sources:
            length = 0
            for block in self.blocks(source):
                length += len(block)
                digest.update(block if self._raw else block.encode())
            digest.update(f"\0{length}\0".encode())
            lengths.append(length)
        return lengths, digest.hexdigest()

    def first(self, count: int) -> Iterator[str]:
        """The first `count` characters."""
        for source in () if self._raw else self.sources:
            for block in self.blocks(source):
                yield block[:count]
                count -= len(block)
                if count <= 0:
                    return


class _Writer:
    """Encodes everything in order, and counts what falls into each part."""

    def __init__(self, vocabulary: Vocabulary, texts: _Texts, ends: tuple[int, ...]) -> None:
        self._vocabulary, self._texts, self._ends = vocabulary, texts, ends
        self._units = 0
        self._tokens = [0, 0, 0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the tokens."""
        return self._vocabulary.dtype

    def __iter__(self) -> Iterator[bytes]:
        boundary = np.array([BOUNDARY], self.dtype).tobytes()
        for source in self._texts.sources:
            begun = False
            for block in self._texts.blocks(source):
                if not begun:
                    self._tokens[self._part()] += 1
                    yield boundary
                    begun = True
                yield from self._encoded(block)
        self._tokens[2] += 1
        yield boundary

    def _part(self) -> int:
        return next((k for k, end in enumerate(self._ends) if self._units < end), 2)

    def _encoded(self, block: Any) -> Iterator[bytes]:
        """A block's tokens; those of different parts are encoded apart."""
        while block:
            part = self._part()
            piece = block[: self._ends[part] - self._units]
            tokens = self._vocabulary.encode(piece)
            self._tokens[part] += tokens.size
            self._units += len(piece)
            block = block[len(piece) :]
            yield tokens.tobytes()

    def parts(self) -> list[Part]:
        """Where the parts are."""
        stops = np.cumsum(self._tokens).tolist()
        begins = [0, *stops[:-1]]
        units = np.diff([0, *self._ends]).tolist()
        return [Part(*one) for one in zip(begins, stops, units, strict=True)]


def _written(writer: _Writer) -> Tokens:
    with tempfile.TemporaryFile(prefix="elman-") as file:
        file.writelines(writer)
        file.flush()
        return np.memmap(file, writer.dtype, "r")


def save_corpus(corpus: Corpus, folder: Path) -> Corpus:
    """Write `tokens.bin` and `corpus.safetensors`, for `load_corpus`; the same, mapped from there.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokens = corpus.tokens
    blocks = (tokens[k : k + _BLOCK].data for k in range(0, tokens.size, _BLOCK))
    files.write_atomic(folder / TOKENS_FILE, blocks)
    meta = {
        "format": _FORMAT,
        "kind": "corpus",
        "tokens": corpus.vocabulary.kind,
        "parts": {name: [p.start, p.stop, p.units] for name, p in corpus.parts.items()},
        "names": list(corpus.names),
        "documents": corpus.documents,
        "sha256": corpus.sha256,
        "digest": _digest(corpus.tokens),
        "notes": list(corpus.notes),
    }
    stored = np.frombuffer(corpus.vocabulary.stored, np.uint8)
    model_file.write(folder / CORPUS_FILE, meta, {"extra.vocabulary": stored})
    return replace(corpus, tokens=np.memmap(folder / TOKENS_FILE, tokens.dtype, "r"))


def load_corpus(folder: Path) -> Corpus | None:
    """What `save_corpus` wrote to a folder; None if it did not get that far.

    Raises:
        DataError: the files were changed or damaged since.
    """
    if not (folder / CORPUS_FILE).exists():
        return None
    try:
        stored = model_file.read(folder / CORPUS_FILE)
        meta = stored.meta
        known = vocabularies.restore(meta["tokens"], stored.tensors["extra.vocabulary"].tobytes())
        tokens = np.memmap(folder / TOKENS_FILE, known.dtype, "r")
        train, validation, test = (Part(*map(int, meta["parts"][name])) for name in PARTS)
        whole = test.stop == tokens.size and _digest(tokens) == meta["digest"]
        names, notes = (tuple(map(str, meta[name])) for name in ("names", "notes"))
        count, sha256 = int(meta["documents"]), str(meta["sha256"])
    except (ModelFileError, OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{folder}: the text of a run must be whole; {error}; start a new run"
        ) from None
    if not whole:
        rule, came = "the text of a run stays as it is", "a file that was changed or damaged"
        raise refusal(str(folder / TOKENS_FILE), "content", rule, came, "start a new run")
    return Corpus(tokens, known, train, validation, test, names, count, sha256, notes)


def _digest(tokens: Tokens) -> str:
    found = hashlib.sha256()
    for start in range(0, tokens.size, _BLOCK):
        found.update(tokens[start : start + _BLOCK].data)
    return found.hexdigest()
