"""Between text and whole numbers: characters, bytes, or subwords.

Token 0 stands between documents; with characters, token 1 is one that is not known. Every token
has its bytes in UTF-8, so that decoding is the same for all: join the bytes.
"""

import codecs
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

Kind = Literal["characters", "bytes", "subwords"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Tokens: TypeAlias = np.ndarray[Any, np.dtype[np.integer[Any]]]

BOUNDARY = 0
UNKNOWN = 1
_CODE_POINTS = 0x110000 - 0x800  # all that a text can have: surrogates are none
_INSTALL = "subwords need the library tokenizers: pip install 'elman[text]'"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a language model.

    - `kind`: characters, bytes or subwords.
    - `pieces`: the bytes of each token; none of the boundary.
    - `stored`: what `restore` makes it again from: characters in UTF-8, or the subwords' JSON.
    """

    kind: Kind
    pieces: tuple[bytes, ...]
    stored: bytes
    _codes: np.ndarray[Any, np.dtype[np.uint32]] = field(repr=False, compare=False)
    _tokenizer: Any = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self.pieces)

    @property
    def unit(self) -> str:
        """What text is measured in: "character", or "byte" where tokens are bytes."""
        return "byte" if self.kind == "bytes" else "character"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned integers that hold every token, little-endian."""
        bits = 8 if self.size <= 1 << 8 else 16 if self.size <= 1 << 16 else 32
        return np.dtype(f"<u{bits // 8}")

    @property
    def unseen_nats(self) -> float:
        """What saying which of the unknown characters it was costs, all being as likely."""
        known = self.size - 2 if self.kind == "characters" else 0
        return math.log(_CODE_POINTS - known) if self.kind == "characters" else 0.0

    def units(self, text: str | bytes) -> int:
        """The length of a text in characters, or in bytes where tokens are bytes."""
        if self.kind == "bytes" and isinstance(text, str):
            return len(text.encode())
        return len(text)

    def encode(self, text: str | bytes) -> Tokens:
        """The tokens of a text, without boundaries. Only with bytes may it be bytes."""
        if self.kind == "bytes":
            raw = text.encode() if isinstance(text, str) else text
            return (np.frombuffer(raw, np.uint8).astype(np.int64) + 1).astype(self.dtype)
        if isinstance(text, bytes):
            raise TypeError(f"text must be str for {self.kind}; got bytes; decode it")
        if self.kind == "subwords":
            return _subword_tokens(self._tokenizer, text).astype(self.dtype)
        codes = code_points(text)
        place = np.searchsorted(self._codes, codes)
        place[place == self._codes.size] = 0
        known = self._codes[place] == codes if self._codes.size else codes < 0
        return np.where(known, place + 2, UNKNOWN).astype(self.dtype)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens; what is no UTF-8 becomes U+FFFD."""
        return b"".join(self.pieces[int(k)] for k in tokens).decode("utf-8", "replace")

    def raw(self, tokens: Tokens) -> bytes:
        """The bytes of tokens."""
        return b"".join([self.pieces[k] for k in tokens.tolist()])

    def unknown(self, text: str) -> str:
        """The characters of a text that are not known, each once, in order of appearance."""
        if self.kind != "characters":
            return ""
        tokens = self.encode(text)
        return "".join(dict.fromkeys(text[k] for k in np.flatnonzero(tokens == UNKNOWN)))


class Decoder:
    """Tokens to text one after another: the bytes of half a character wait for the rest."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._pieces = vocabulary.pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, token: int) -> str:
        """The characters that are whole with this token; "" where none is."""
        return self._decoder.decode(self._pieces[token])

    def feed(self, raw: bytes) -> str:
        """The characters that are whole with these bytes."""
        return self._decoder.decode(raw)

    def end(self) -> str:
        """What half a character at the end comes to: U+FFFD, or nothing."""
        return self._decoder.decode(b"", final=True)


def byte_vocabulary() -> Vocabulary:
    """All 256 bytes: it reads every file, and nothing is unknown to it."""
    pieces = (b"", *(bytes([k]) for k in range(256)))
    return Vocabulary("bytes", pieces, b"", _no_codes())


def character_vocabulary(characters: Iterable[str]) -> Vocabulary:
    """A vocabulary of these characters, in the order of their code points.

    >>> abc = character_vocabulary("cabb")
    >>> abc.size, abc.encode("abx").tolist(), abc.decode([2, 4])
    (5, [2, 3, 1], 'ac')
    """
    known = sorted(set(characters))
    pieces = (b"", "\ufffd".encode(), *(one.encode() for one in known))
    text = "".join(known)
    return Vocabulary("characters", pieces, text.encode(), code_points(text).copy())


def subword_vocabulary(stored: bytes) -> Vocabulary:
    """A vocabulary from the JSON of a byte-level BPE tokenizer of the library `tokenizers`.

    Raises:
        ImportError: the library is not installed.
        ValueError: it is no such JSON.
    """
    tokenizers = library()
    try:
        tokenizer = tokenizers.Tokenizer.from_str(stored.decode())
        ids = json.loads(stored)["model"]["vocab"]
        pieces = _pieces_of(ids)
    except Exception as error:  # the library raises Exception itself
        raise ValueError(f"a stored vocabulary of subwords that is none: {error}") from None
    return Vocabulary("subwords", (b"", *pieces), stored, _no_codes(), tokenizer)


def restore(kind: str, stored: bytes) -> Vocabulary:
    """The vocabulary that was stored. Raises ValueError where it is none, ImportError as above."""
    if kind == "bytes" and not stored:
        return byte_vocabulary()
    if kind == "characters":
        text = stored.decode()
        if list(text) != sorted(set(text)):
            raise ValueError("a stored vocabulary whose characters are not sorted, each once")
        return character_vocabulary(text)
    if kind == "subwords":
        return subword_vocabulary(stored)
    raise ValueError(f"a stored vocabulary of the kind {kind!r}")


def library() -> Any:
    """The library `tokenizers`. Raises ImportError that says how to install it."""
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError as error:
        raise ImportError(f"{_INSTALL}; or give tokens=characters ({error})") from None
    return tokenizers


def _subword_tokens(tokenizer: Any, text: str) -> Tokens:
    found = [tokenizer.encode(part).ids for part in _short(text)]
    return np.asarray([token for ids in found for token in ids], np.int64) + 1


def _short(text: str, longest: int = 1 << 16) -> Iterator[str]:
    """Parts of a text, cut before a space where there is one: the library needs much memory."""
    start = 0
    while len(text) - start > longest:
        end = start + longest
        space = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
        end = space if space > start else end
        yield text[start:end]
        start = end
    yield text[start:]


def _pieces_of(ids: dict[str, int]) -> Sequence[bytes]:
    """The bytes of each token of a byte-level BPE, whose letters each stand for a byte."""
    if sorted(ids.values()) != list(range(len(ids))):
        raise ValueError("tokens that are not numbered from 0 up")
    byte_of = _byte_letters()
    found = [b""] * len(ids)
    for letters, number in ids.items():
        found[number] = bytes(byte_of[letter] for letter in letters)
    return found


def _byte_letters() -> dict[str, int]:
    """GPT-2's alphabet: a byte that prints stands for itself, the others follow from U+0100."""
    prints = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [k for k in range(256) if k not in prints]
    found = {chr(k): k for k in prints}
    return found | {chr(0x100 + k): byte for k, byte in enumerate(others)}


def code_points(text: str) -> np.ndarray[Any, np.dtype[np.uint32]]:
    """The code points of a text's characters."""
    return np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.uint32, copy=False)


def _no_codes() -> np.ndarray[Any, np.dtype[np.uint32]]:
    return np.zeros(0, np.uint32)
