"""Words of many texts: what stands between two spaces is split once, however often it occurs.

A word never has a space in it, and neither the form nor the case of a letter depends on what stands
beyond one; so the words of a text are those of its pieces, one after another.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from elman.data.lines import Lines
from elman.data.mapped import Array
from elman_runtime.lexicon import Lexicon, words_of

_KNOWN = 1 << 17  # different pieces that are remembered at a time
_TOGETHER = 1 << 12  # texts in memory that are looked at together


def in_utf8(texts: Iterable[str]) -> Iterator[list[bytes]]:
    """Texts in UTF-8, some at a time."""
    if isinstance(texts, Lines):
        yield from texts.raw_blocks()
        return
    some: list[bytes] = []
    for text in texts:
        some.append(text.encode("utf-8", "surrogatepass"))
        if len(some) == _TOGETHER:
            yield some
            some = []
    if some:
        yield some


def count_words(texts: Iterable[str], keep_case: bool) -> Counter[str]:
    """How often each word occurs in all of them."""
    pieces: Counter[bytes] = Counter()
    words: Counter[str] = Counter()

    def split() -> None:
        for piece, count in pieces.items():
            for word in words_of(_text(piece), keep_case):
                words[word] += count
        pieces.clear()

    for raw in in_utf8(texts):
        pieces.update(b"\n".join(raw).split())
        if len(pieces) > _KNOWN:
            split()
    split()
    return words


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "surrogatepass")


class Encoder(dict[bytes, int]):
    """The tokens of words of many texts; a dictionary of a number for each piece that is known.

    Args:
        lexicon: of words, or of words and their parts.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__()
        self._lexicon = lexicon
        self._shape = lexicon.encode("").shape[1:]
        self._tokens, self._ends = array("q"), array("q", [0])

    def __missing__(self, piece: bytes) -> int:
        """The number of a piece that was not seen yet."""
        found = self._lexicon.encode(_text(piece))
        self._tokens.frombytes(found.tobytes())
        self._ends.append(self._ends[-1] + len(found))
        self[piece] = number = len(self)
        return number

    def encode(self, raw: list[bytes]) -> tuple[Array, Array]:
        """The tokens of texts in UTF-8, (T,) or (T, W), and how many each has, (N,)."""
        if len(self) > _KNOWN:
            self.clear()
            self._tokens, self._ends = array("q"), array("q", [0])
        pieces: list[bytes] = []
        counts = np.zeros(len(raw) + 1, np.int64)
        for k, text in enumerate(raw, 1):
            pieces += text.split()
            counts[k] = len(pieces)
        numbers = np.fromiter(map(self.__getitem__, pieces), np.int64, len(pieces))
        tokens = np.frombuffer(self._tokens, np.int64).reshape(-1, *self._shape)
        ends = np.frombuffer(self._ends, np.int64)
        starts, sizes = ends[numbers], ends[numbers + 1] - ends[numbers]
        before = np.zeros(len(pieces) + 1, np.int64)
        np.cumsum(sizes, out=before[1:])
        # The place of each token in the table: where its piece begins there, and its turn in it.
        at = np.arange(before[-1]) + np.repeat(starts - before[:-1], sizes)
        return tokens[at], np.diff(before[counts])
