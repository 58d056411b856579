"""Arrays in temporary files that go away with the process: what grows with the data lies there.

What is mapped from a file the system takes back when it needs the room. Everything here is looked
at a span at a time, so that nothing as long as the data is ever in the process's own memory.
"""

import mmap
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
_HELD = 1 << 16  # numbers that are held before they are written
_SMALL = 1 << 16  # bytes of an array that is worth no file
_SPAN = 1 << 16  # entries that are looked at together
_ALIGNED = 64


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
        return np.frombuffer(mapped(self._file), np.int64)

    def close(self) -> None:
        """Let the file go; what is mapped stays."""
        if self._file is not None:
            self._file.close()


class Arrays:
    """Arrays that are appended to one temporary file, and mapped from it together.

    Example:
        >>> found = Arrays()
        >>> found.append(np.arange(3)), found.append(np.ones((1, 2)))
        (None, None)
        >>> [one.tolist() for one in found.mapped()]
        [[0, 1, 2], [[1.0, 1.0]]]
    """

    def __init__(self) -> None:
        # What is mapped stays when it is closed.
        self._file = tempfile.TemporaryFile(prefix="elman-")  # noqa: SIM115
        self._shapes: list[tuple[int, np.dtype[Any], tuple[int, ...]]] = []

    def append(self, values: Array) -> None:
        """One more."""
        self._shapes.append((self._file.tell(), values.dtype, values.shape))
        self._file.write(np.ascontiguousarray(values).data)
        self._file.write(b"\0" * (-self._file.tell() % _ALIGNED))

    def mapped(self) -> list[Array]:
        """All of them: writable, but what is written is seen by no one else; no more come.

        Raises OSError where there is no room for them.
        """
        whole = mapped(self._file, mmap.ACCESS_COPY) if self._file.tell() else b""
        self._file.close()
        return [
            np.frombuffer(whole, kind, int(np.prod(shape)), start).reshape(shape)
            if np.prod(shape)
            else np.zeros(shape, kind)
            for start, kind, shape in self._shapes
        ]


def mapped(file: Any, access: int = mmap.ACCESS_READ) -> mmap.mmap:
    """What was written to a file, as bytes."""
    file.flush()
    return mmap.mmap(file.fileno(), file.tell(), access=access)


def zeros(shape: int | tuple[int, ...], dtype: Any) -> Array:
    """An array to write to, in a file unless it is small.

    Raises OSError where there is no room for it.
    """
    kind, left = np.dtype(dtype), int(np.prod(shape)) * np.dtype(dtype).itemsize
    if left <= _SMALL:
        return np.zeros(shape, kind)
    with tempfile.TemporaryFile(prefix="elman-") as file:
        # Written, for a page that a full disk cannot take would end the process when it is used.
        while left:
            left -= file.write(bytes(min(left, 1 << 20)))
        found = np.frombuffer(mapped(file, mmap.ACCESS_WRITE), kind)
        return found.reshape(shape)


def spans(count: int) -> Iterator[slice]:
    """The numbers below `count`, a span at a time."""
    return (slice(k, min(count, k + _SPAN)) for k in range(0, count, _SPAN))


def counted(count: int) -> Iterator[Array]:
    """The same as arrays of numbers."""
    return (np.arange(one.start, one.stop) for one in spans(count))


def taken(values: Array, rows: Array) -> Array:
    """`values[rows]`."""
    found = zeros((len(rows), *values.shape[1:]), values.dtype)
    for one in spans(len(rows)):
        found[one] = values[rows[one]]
    return found


def where(values: Array, value: Any) -> Array:
    """The numbers of those of `values` (N,) that are equal to `value`, in order."""
    many = sum(int(np.count_nonzero(values[one] == value)) for one in spans(len(values)))
    found, at = zeros(many, np.min_scalar_type(len(values))), 0
    for one in spans(len(values)):
        own = np.flatnonzero(values[one] == value) + one.start
        found[at : at + own.size] = own
        at += own.size
    return found


def counts_of(kinds: Iterable[Array], most: int) -> Array:
    """How often each of the numbers below `most` occurs in arrays of them: (most,)."""
    found = np.zeros(most, np.int64)
    for own in kinds:
        found += np.bincount(own, minlength=most)
    return found


def shuffled(count: int, draw: np.random.Generator) -> Array:
    """The numbers below `count` in the order that `draw.permutation(count)` gives."""
    found = zeros(count, np.min_scalar_type(count))
    for one in counted(count):
        found[one[0] : one[-1] + 1] = one
    draw.shuffle(found)
    return found


def by_kind(kinds: Iterable[tuple[Array, Array]], counts: Array, dtype: Any) -> Array:
    """Numbers in the order of their kinds, those of a kind in the order in which they come.

    Args:
        kinds: numbers (n,) and the kind of each (n,), of some at a time.
        counts: how many there are of each kind.

    Example:
        >>> by_kind([(np.arange(4), np.array([1, 0, 1, 0]))], np.array([2, 2]), np.uint8).tolist()
        [1, 3, 0, 2]
    """
    places = np.cumsum(counts) - counts
    found = zeros(int(counts.sum()), dtype)
    for numbers, own in kinds:
        order = np.argsort(own, kind="stable")
        ranked, many = own[order], np.bincount(own, minlength=len(counts))
        within = np.arange(len(own)) - (np.cumsum(many) - many)[ranked]
        found[places[ranked] + within] = numbers[order]
        places += many
    return found
