"""Many short texts, or rows of tokens, in a file that goes away with the process.

A Python string or array for each would take several times the room that its content takes; here
content and where each piece of it ends lie in the file, and what is read is mapped.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, overload

import numpy as np

from elman.data.mapped import Array, Numbers, mapped, spans, zeros

_TOGETHER = 1 << 14  # texts that are looked at together, or
_BYTES = 1 << 22  # as many as have so many bytes


class _Written:
    """Bytes that are appended to a temporary file, and where each piece ends."""

    def __init__(self) -> None:
        # What is mapped stays when it is closed.
        self._file = tempfile.TemporaryFile(prefix="elman-")  # noqa: SIM115
        self._bounds, self._size = Numbers(), 0
        self._bounds.append(0)

    def append(self, raw: bytes) -> None:
        self._file.write(raw)
        self._size += len(raw)
        self._bounds.append(self._size)

    def extend(self, raw: bytes, sizes: Any) -> None:
        """Several pieces, one after another; and how long each is: (N,)."""
        self._file.write(raw)
        self._bounds.extend(self._size + np.cumsum(sizes, dtype=np.int64))
        self._size += len(raw)

    def close(self) -> None:
        self._file.close()
        self._bounds.close()

    def mapped(self) -> tuple[Any, Array]:
        """The bytes, and where each piece begins, with the end of the last."""
        bounds = self._bounds.mapped()
        return (mapped(self._file) if self._size else b""), bounds


class Lines(Sequence[str]):
    """Texts, or some of them, read from a file as they are asked for; equal to a tuple of them.

    Args:
        data: the bytes of all, UTF-8.
        bounds: where each begins in them, and the end of the last: (M + 1,).
        rows: which of them these are, (N,); None: all.

    Example:
        >>> found = lines(["one", "two", "three"])
        >>> found[1], found.pick([2, 0]) == ("three", "one"), len(found[1:])
        ('two', True, 2)
    """

    def __init__(self, data: Any, bounds: Array, rows: Array | None = None) -> None:
        self._data, self._bounds, self._rows = data, bounds, rows

    def __len__(self) -> int:
        return len(self._bounds) - 1 if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, k: int) -> str: ...

    @overload
    def __getitem__(self, k: slice) -> "Lines": ...

    def __getitem__(self, k: int | slice) -> "str | Lines":
        """A text, or a view of several."""
        if isinstance(k, slice):
            return self.pick(np.arange(*k.indices(len(self))))
        return self.raw(k).decode("utf-8", "surrogatepass")

    def raw(self, k: int) -> bytes:
        """A text in UTF-8."""
        if not -len(self) <= k < len(self):
            raise IndexError(f"there are {len(self)} texts; got {k}")
        at = int(k % len(self) if self._rows is None else self._rows[k])
        found: bytes = self._data[int(self._bounds[at]) : int(self._bounds[at + 1])]
        return found

    def raw_blocks(self) -> Iterator[list[bytes]]:
        """All texts in UTF-8, some at a time."""
        for start in range(0, len(self), _TOGETHER):
            one = slice(start, min(len(self), start + _TOGETHER))
            rows = np.arange(one.start, one.stop) if self._rows is None else self._rows[one]
            begins, ends = self._bounds[rows], self._bounds[rows.astype(np.int64) + 1]
            # Long texts are fewer at a time.
            which = np.cumsum(ends - begins) // _BYTES
            cuts = [0, *(np.flatnonzero(which[1:] != which[:-1]) + 1).tolist(), len(rows)]
            both = list(zip(begins.tolist(), ends.tolist(), strict=True))
            for first, last in pairwise(cuts):
                yield [self._data[a:b] for a, b in both[first:last]]

    def __iter__(self) -> Iterator[str]:
        """Each text."""
        blocks = self.raw_blocks()
        return (raw.decode("utf-8", "surrogatepass") for some in blocks for raw in some)

    def pick(self, rows: Any) -> "Lines":
        """A view of some, by number."""
        index = rows if isinstance(rows, np.ndarray) else np.asarray(rows, np.int64)
        own = index if self._rows is None else self._rows[index]
        return Lines(self._data, self._bounds, own)

    def digests(self) -> Array:
        """64 bits of each text that tell it from others: (N,), the same in every process."""
        return digests(raw for some in self.raw_blocks() for raw in some)

    def __eq__(self, other: object) -> bool:
        """Whether the other sequence has the same texts."""
        if not isinstance(other, Lines | tuple | list):
            return NotImplemented
        pairs = zip(self, other, strict=False)
        return len(self) == len(other) and all(a == b for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """How many there are, and the first."""
        first = f", the first {self[0][:40]!r}" if len(self) else ""
        return f"Lines({len(self):,} texts{first})"


def digests(raw: Iterable[bytes]) -> Array:
    """64 bits of each that tell it from others: (N,), the same in every process."""
    each = (hashlib.blake2b(one, digest_size=8).digest() for one in raw)
    found = Numbers()
    while some := b"".join(islice(each, _TOGETHER)):
        found.extend(np.frombuffer(some, "<i8"))
    both = found.mapped()
    found.close()
    return both.view(np.uint64)


def lines(texts: Iterable[str]) -> Lines:
    """Texts, written to a file as they come. Raises OSError where there is no room for it."""
    found = columns((text,) for text in texts)
    return found[0] if found else Lines(b"", np.zeros(1, np.int64))


def columns(rows: Iterable[tuple[str, ...]]) -> list[Lines]:
    """Rows of texts as `Lines` of each column; none of no rows."""
    written: list[_Written] = []
    try:
        for row in rows:
            written = written or [_Written() for _ in row]
            for one, text in zip(written, row, strict=True):
                one.append(text.encode("utf-8", "surrogatepass"))
        return [Lines(*one.mapped()) for one in written]
    finally:
        for one in written:
            one.close()


def in_columns(blocks: Iterable[Sequence[Sequence[str]]]) -> list[Lines]:
    """The same, from blocks of rows: of each column its texts."""
    written: list[_Written] = []
    try:
        for block in blocks:
            written = written or [_Written() for _ in block]
            for one, texts in zip(written, block, strict=True):
                one.extend(*_in_utf8(texts))
        return [Lines(*one.mapped()) for one in written]
    finally:
        for one in written:
            one.close()


def _in_utf8(texts: Sequence[str]) -> tuple[bytes, list[int]]:
    """Texts one after another, and how many bytes each has."""
    whole = "".join(texts)
    if whole.isascii():
        return whole.encode(), list(map(len, texts))
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join(raw), list(map(len, raw))


def joined_tokens(blocks: Iterable[tuple[Array, Array]], dtype: Any) -> tuple[Array, Array]:
    """Tokens of many texts in a file, and where in it those of each begin, with the end of all.

    Args:
        blocks: tokens (T,) of some texts, and how many each has (N,).
    """
    written, kind = _Written(), np.dtype(dtype)
    try:
        for tokens, lengths in blocks:
            raw = tokens.astype(kind).tobytes()
            written.extend(raw, lengths.astype(np.int64) * kind.itemsize)
        data, bounds = written.mapped()
    finally:
        written.close()
    starts = zeros(len(bounds), np.int64)
    for one in spans(len(bounds)):
        starts[one] = bounds[one] // kind.itemsize
    return np.frombuffer(data, kind), starts


class Rows(Sequence[tuple[Array, ...]]):
    """Rows of several arrays of tokens each, in a file.

    Args:
        rows: their arrays, all of `dtype`.

    Example:
        >>> found = Rows([(np.array([1, 2]), np.array([3]))], np.dtype(np.uint16))
        >>> [part.tolist() for part in found[0]], found.lengths.tolist()
        ([[1, 2], [3]], [[2, 1]])
    """

    def __init__(self, rows: Iterable[tuple[Any, ...]], dtype: np.dtype[Any]) -> None:
        written, self._parts = _Written(), 0
        try:
            for row in rows:
                self._parts = len(row)
                for part in row:
                    written.append(np.asarray(part, dtype).tobytes())
            data, bounds = written.mapped()
        finally:
            written.close()
        self._tokens, self._size = np.frombuffer(data, dtype), dtype.itemsize
        shape = (-1, max(1, self._parts))
        self._starts = bounds[:-1].reshape(shape)
        counts = zeros(len(bounds) - 1, np.int32)
        for one in spans(len(counts)):
            counts[one] = (bounds[1:][one] - bounds[:-1][one]) // self._size
        self.lengths = counts.reshape(shape)
        """Of each array of each row: (N, parts)."""

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, k: int) -> tuple[Array, ...]: ...

    @overload
    def __getitem__(self, k: slice) -> list[tuple[Array, ...]]: ...

    def __getitem__(self, k: int | slice) -> Any:
        """The arrays of a row, or of several."""
        if isinstance(k, slice):
            return [self[at] for at in range(*k.indices(len(self)))]
        starts = (self._starts[k] // self._size).tolist()
        both = zip(starts, self.lengths[k].tolist(), strict=True)
        return tuple(self._tokens[start : start + count] for start, count in both)

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        return (self[k] for k in range(len(self)))
