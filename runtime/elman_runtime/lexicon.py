"""Between texts and token numbers of a classifier: words and signs, characters, or subwords.

Token 0 is padding and token 1 one that is not known. A word may have the numbers of its parts
beside its own, so that something is known of a word that is not.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from elman_runtime.vocabulary import Vocabulary, restore

PADDING = 0
UNKNOWN = 1
LONGEST = 200_000
"""Tokens or steps of an example that are ever read: its beginning and its end."""

# Letters of a script without spaces stand alone; elsewhere a word is letters with their marks.
_ALONE = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
_LETTER = rf"(?:[^\W\d_]|[{_MARKS}])"
_TOKEN = re.compile(
    rf"{_ALONE}|(?:(?!{_ALONE}){_LETTER})+(?:['’](?:(?!{_ALONE}){_LETTER})+)*|\d+"
    r"|([^\w\s])\1*|_+"
)
_JOINERS = re.compile("[\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
Ids = np.ndarray[Any, np.dtype[np.int64]]

BOTH = "words+subwords"
"""The kind of lexicon that has words and their parts."""

PARTS = 24
"""Parts of a word that are looked at, at most: the first ones."""

_SIZES = (3, 4, 5)  # characters of a part


def words_of(text: str, keep_case: bool = False) -> list[str]:
    """The words and signs of a text, in order.

    >>> words_of("It's GOOD!!! 10/10 😀👍🏽")
    ["it's", 'good', '!!!', '10', '/', '10', '😀', '👍']
    """
    plain = _JOINERS.sub("", unicodedata.normalize("NFC", text))
    return [found[0] for found in _TOKEN.finditer(plain if keep_case else plain.lower())]


def parts_of(word: str) -> list[str]:
    """The runs of 3 to 5 characters of a word between its edges, each once, in order.

    >>> parts_of("funny")[:5]
    ['<fu', 'fun', 'unn', 'nny', 'ny>']
    """
    whole = f"<{word}>"
    runs = [whole[k : k + n] for n in _SIZES for k in range(len(whole) - n + 1) if n < len(whole)]
    return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Lexicon:
    """The tokens that a classifier of texts knows.

    - `kind`: words, characters, subwords, or words+subwords.
    - `words`: by number, from 2 up; with characters and subwords those of `vocabulary`.
    - `parts`: of words, numbered after them, where they are known too.
    """

    kind: str
    words: tuple[str, ...]
    keep_case: bool = False
    vocabulary: Vocabulary | None = None
    parts: tuple[str, ...] = ()
    _numbers: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    _places: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Numbers the words, and their parts."""
        self._numbers.update({word: k + 2 for k, word in enumerate(self.words)})
        first = len(self.words) + 2
        self._places.update({part: first + k for k, part in enumerate(self.parts)})

    @property
    def size(self) -> int:
        """How many numbers there are, padding and the unknown included."""
        return (
            self.vocabulary.size + 1 if self.vocabulary else len(self.words) + 2 + len(self.parts)
        )

    def pieces(self, text: str) -> list[str]:
        """The tokens of a text as they are shown."""
        if self.vocabulary is None:
            return words_of(text, self.keep_case)
        if self.kind == "characters":
            return list(self.plain(text))
        ids = self.vocabulary.encode(self.plain(text))
        return [self.vocabulary.decode([one]) for one in ids.tolist()]

    def encode(self, text: str) -> Ids:
        """The numbers of the tokens of a text: (N,), 0 tokens for an empty one.

        With words+subwords (N, 1 + PARTS): of each word its number, and those of its known parts,
        filled up with 0.
        """
        if self.kind == BOTH:
            rows = [self._row(word) for word in self.pieces(text)]
            return np.asarray(rows, np.int64).reshape(-1, 1 + PARTS)
        if self.vocabulary is None:
            get = self._numbers.get
            return np.asarray([get(word, UNKNOWN) for word in self.pieces(text)], np.int64)
        found = self.vocabulary.encode(self.plain(text)).astype(np.int64)
        # With subwords nothing is unknown, and number 1 is free.
        return found + 1 if self.kind == "subwords" else found

    def _row(self, word: str) -> list[int]:
        # What is longer is no word, and would be cut into thousands of parts.
        known = (self._places.get(part) for part in parts_of(word[:100]))
        found = [one for one in known if one is not None][:PARTS]
        return [self._numbers.get(word, UNKNOWN), *found, *[PADDING] * (PARTS - len(found))]

    def plain(self, text: str) -> str:
        """A text as characters and subwords are made from it."""
        plain = _SURROGATE.sub("\ufffd", unicodedata.normalize("NFC", text))
        return plain if self.keep_case else plain.lower()

    @property
    def stored(self) -> bytes:
        """What `restored` makes it again from."""
        if self.vocabulary is not None:
            return self.vocabulary.stored
        lists = [self.words, self.parts] if self.kind == BOTH else [self.words]
        return "\n\n".join("\n".join(one) for one in lists).encode("utf-8", "surrogatepass")


def restored(kind: str, stored: bytes, keep_case: bool = False) -> Lexicon:
    """The lexicon that was stored.

    Raises:
        ValueError: it is none.
        ImportError: subwords need the library `tokenizers`.
    """
    if kind in ("words", BOTH):
        lists = stored.decode("utf-8", "surrogatepass").split("\n\n")
        if len(lists) != (2 if kind == BOTH else 1):
            raise ValueError("a stored vocabulary of another kind")
        words, parts = (tuple(one.split("\n")) if one else () for one in (lists * 2)[:2])
        for one in (words, parts):
            if len(set(one)) < len(one):
                raise ValueError("a stored vocabulary in which a word occurs twice")
        return Lexicon(kind, words, keep_case, None, parts if kind == BOTH else ())
    return Lexicon(kind, (), keep_case, restore(kind, stored))


def inputs_of(tokens: Any) -> list[Any]:
    """What a program takes of tokens (B, T), or (B, T, 1 + PARTS).

    The latter are an input for the words, one for each part, and the share (B, T, 1) that each part
    has in their mean.
    """
    if tokens.ndim == 2:
        return [tokens]
    count = np.maximum(1, (tokens[..., 1:] != PADDING).sum(-1, keepdims=True))
    return [*np.moveaxis(tokens, -1, 0), (1 / count).astype(np.float32)]


def shortened(one: Any, longest: int = LONGEST) -> Any:
    """The beginning and the end of what is longer than `longest` steps."""
    if len(one) <= longest:
        return one
    first = longest // 2
    return np.concatenate([one[:first], one[len(one) - (longest - first) :]])
