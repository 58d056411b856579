"""Many short texts, or rows of tokens, in a file that goes away with the process.

A Python string or array for each would take several times the room that its content takes; here
content and where each piece of it ends lie in the file, and what is read is mapped.
"""

import hashlib
import mmap
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
_HELD = 1 << 16  # numbers that are held before they are written


class Numbers:
    """Whole numbers that are appended, int64: few stay in memory, many go to a temporary file.

    Example:
        >>> found = Numbers()
        >>> found.append(3), found.extend(np.arange(2))
        (None, None)
        >>> found.mapped().tolist()
        [3, 0, 1]
    """

    def __init__(self) -> None:
        self._held = array("q")
        self._file: Any = None

    def append(self, number: int) -> None:
        """One more."""
        self._held.append(number)
        if len(self._held) >= _HELD:
            self._write()

    def extend(self, numbers: Array) -> None:
        """Several more: (N,)."""
        self._held.frombytes(np.ascontiguousarray(numbers, np.int64).tobytes())
        if len(self._held) >= _HELD:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            # What is mapped stays when it is closed.
            self._file = tempfile.TemporaryFile(prefix="elman-")  # noqa: SIM115
        self._file.write(self._held.tobytes())
        self._held = array("q")

    def mapped(self) -> Array:
        """All of them; no more can be appended. Raises OSError where there is no room for it."""
        if self._file is None:
            return np.frombuffer(self._held, np.int64)
        self._write()
        return np.frombuffer(_mapped(self._file), np.int64)

    def close(self) -> None:
        """Let the file go; what is mapped stays."""
        if self._file is not None:
            self._file.close()


def _mapped(file: Any, access: int = mmap.ACCESS_READ) -> mmap.mmap:
    file.flush()
    return mmap.mmap(file.fileno(), file.tell(), access=access)


def filed(values: Array) -> Array:
    """The same values, mapped from a file: writable, but what is written is seen by no one else."""
    if not values.size:
        return values
    with tempfile.TemporaryFile(prefix="elman-") as file:
        file.write(np.ascontiguousarray(values).data)
        found = np.frombuffer(_mapped(file, mmap.ACCESS_COPY), values.dtype)
        return found.reshape(values.shape)


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

    def close(self) -> None:
        self._file.close()
        self._bounds.close()

    def mapped(self) -> tuple[Any, Array]:
        """The bytes, and where each piece begins, with the end of the last."""
        bounds = self._bounds.mapped()
        return (_mapped(self._file) if self._size else b""), bounds


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

    def pick(self, rows: Any) -> "Lines":
        """A view of some, by number."""
        index = rows if isinstance(rows, np.ndarray) else np.asarray(rows, np.int64)
        own = index if self._rows is None else self._rows[index]
        return Lines(self._data, self._bounds, own)

    def digests(self) -> Array:
        """64 bits of each text that tell it from others: (N,), the same in every process."""
        return digests(self.raw(k) for k in range(len(self)))

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
    found = (hashlib.blake2b(one, digest_size=8).digest() for one in raw)
    return np.fromiter((int.from_bytes(one, "little") for one in found), np.uint64)


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
        counts = np.empty(len(bounds) - 1, np.int32)
        np.subtract(bounds[1:], bounds[:-1], out=counts, casting="unsafe")
        counts //= self._size
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
