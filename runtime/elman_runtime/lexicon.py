"""Between texts and token numbers of a classifier: words and signs, characters, or subwords.

Token 0 is padding and token 1 one that is not known.
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


def words_of(text: str, keep_case: bool = False) -> list[str]:
    """The words and signs of a text, in order.

    >>> words_of("It's GOOD!!! 10/10 😀👍🏽")
    ["it's", 'good', '!!!', '10', '/', '10', '😀', '👍']
    """
    plain = _JOINERS.sub("", unicodedata.normalize("NFC", text))
    return [found[0] for found in _TOKEN.finditer(plain if keep_case else plain.lower())]


@dataclass(frozen=True)
class Lexicon:
    """The tokens that a classifier of texts knows.

    - `kind`: words, characters or subwords.
    - `words`: by number, from 2 up; with characters and subwords those of `vocabulary`.
    """

    kind: str
    words: tuple[str, ...]
    keep_case: bool = False
    vocabulary: Vocabulary | None = None
    _numbers: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Numbers the words."""
        self._numbers.update({word: k + 2 for k, word in enumerate(self.words)})

    @property
    def size(self) -> int:
        """How many numbers there are, padding and the unknown included."""
        return self.vocabulary.size + 1 if self.vocabulary else len(self.words) + 2

    def pieces(self, text: str) -> list[str]:
        """The tokens of a text as they are shown."""
        if self.vocabulary is None:
            return words_of(text, self.keep_case)
        if self.kind == "characters":
            return list(self.plain(text))
        ids = self.vocabulary.encode(self.plain(text))
        return [self.vocabulary.decode([one]) for one in ids.tolist()]

    def encode(self, text: str) -> Ids:
        """The numbers of the tokens of a text: (N,), 0 tokens for an empty one."""
        if self.vocabulary is None:
            get = self._numbers.get
            return np.asarray([get(word, UNKNOWN) for word in self.pieces(text)], np.int64)
        found = self.vocabulary.encode(self.plain(text)).astype(np.int64)
        # With subwords nothing is unknown, and number 1 is free.
        return found + 1 if self.kind == "subwords" else found

    def plain(self, text: str) -> str:
        """A text as characters and subwords are made from it."""
        plain = _SURROGATE.sub("\ufffd", unicodedata.normalize("NFC", text))
        return plain if self.keep_case else plain.lower()

    @property
    def stored(self) -> bytes:
        """What `restored` makes it again from."""
        if self.vocabulary is not None:
            return self.vocabulary.stored
        return "\n".join(self.words).encode("utf-8", "surrogatepass")


def restored(kind: str, stored: bytes, keep_case: bool = False) -> Lexicon:
    """The lexicon that was stored.

    Raises:
        ValueError: it is none.
        ImportError: subwords need the library `tokenizers`.
    """
    if kind == "words":
        text = stored.decode("utf-8", "surrogatepass")
        words = tuple(text.split("\n")) if text else ()
        if len(set(words)) < len(words):
            raise ValueError("a stored vocabulary in which a word occurs twice")
        return Lexicon("words", words, keep_case)
    return Lexicon(kind, (), keep_case, restore(kind, stored))


def shortened(one: Any, longest: int = LONGEST) -> Any:
    """The beginning and the end of what is longer than `longest` steps."""
    if len(one) <= longest:
        return one
    first = longest // 2
    return np.concatenate([one[:first], one[len(one) - (longest - first) :]])
