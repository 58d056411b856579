"""What is known of each of many examples, in a few bytes: places, labels, tokens."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from elman.data.lines import Lines, joined_tokens
from elman.data.mapped import Array, Numbers, counts_of, spans, taken, zeros

LabelSet = tuple[str, ...]

Encoded = Sequence[Any]
"""Of each example, tokens (T,) or inputs (T, W)."""

_RUN = 1 << 18  # tokens that are looked at together


class Numbered(Sequence[str]):
    """A word and a number for each example: "line 7".

    Args:
        word: with a space after it; "" for the number alone.
        numbers: of all, (M,).
        rows: which of them these are, (N,); None: all.

    Example:
        >>> found = Numbered("line ", np.array([2, 5, 9]))
        >>> found[1], list(found.pick(np.array([2, 0])))
        ('line 5', ['line 9', 'line 2'])
    """

    def __init__(self, word: str, numbers: Array, rows: Array | None = None) -> None:
        self._word, self._numbers, self._rows = word, numbers, rows

    def __len__(self) -> int:
        return len(self._numbers if self._rows is None else self._rows)

    @overload
    def __getitem__(self, k: int) -> str: ...

    @overload
    def __getitem__(self, k: slice) -> "Numbered": ...

    def __getitem__(self, k: int | slice) -> "str | Numbered":
        """The words of an example, or a view of several."""
        if isinstance(k, slice):
            return self.pick(np.arange(*k.indices(len(self))))
        return f"{self._word}{self._numbers[k if self._rows is None else self._rows[k]]}"

    def pick(self, rows: Array) -> "Numbered":
        """A view of some, by number."""
        own = rows if self._rows is None else taken(self._rows, rows)
        return Numbered(self._word, self._numbers, own)


class Labels(Sequence[LabelSet]):
    """The labels of each example, sorted: a number of one of the sets that occur.

    Args:
        sets: each once.
        codes: which of them each of all examples has, (M,).
        rows: which examples these are, (N,); None: all.

    Example:
        >>> found = Labels.of([("good",), (), ("good",)])
        >>> found.sets, found.codes.tolist(), found[1]
        ((('good',), ()), [0, 1, 0], ())
    """

    def __init__(self, sets: tuple[LabelSet, ...], codes: Array, rows: Array | None = None) -> None:
        self.sets, self._codes, self._rows = sets, codes, rows

    @property
    def codes(self) -> Array:
        """Which of the sets each example has, (N,)."""
        return self._codes if self._rows is None else taken(self._codes, self._rows)

    @staticmethod
    def of(rows: Iterable[LabelSet]) -> "Labels":
        """Those of each example."""
        made = LabelsWriter()
        made.extend(rows)
        return made.finished()

    def __len__(self) -> int:
        return len(self._codes if self._rows is None else self._rows)

    @overload
    def __getitem__(self, k: int) -> LabelSet: ...

    @overload
    def __getitem__(self, k: slice) -> "Labels": ...

    def __getitem__(self, k: int | slice) -> "LabelSet | Labels":
        """The labels of an example, or a view of several."""
        if isinstance(k, slice):
            return self.pick(np.arange(*k.indices(len(self))))
        return self.sets[self._codes[k if self._rows is None else self._rows[k]]]

    def pick(self, rows: Array) -> "Labels":
        """A view of those of some examples, by number."""
        own = rows if self._rows is None else taken(self._rows, rows)
        return Labels(self.sets, self._codes, own)

    def of_sets(self, values: Sequence[Any], dtype: Any) -> Array:
        """What each example has, (N,), from what each set has."""
        return taken(np.asarray(values, dtype), self.codes)

    def counts(self) -> dict[str, int]:
        """How many examples have each label; those of none are left out."""
        found: dict[str, int] = {}
        codes = self.codes
        counts = counts_of((codes[one] for one in spans(len(codes))), len(self.sets))
        for own, count in zip(self.sets, counts.tolist(), strict=True):
            for label in own if count else ():
                found[label] = found.get(label, 0) + count
        return found


class LabelsWriter:
    """Labels of examples that come one after another."""

    def __init__(self) -> None:
        self._known: dict[LabelSet, int] = {}
        self._codes = Numbers()

    def number(self, own: LabelSet) -> int:
        """Of a set of labels, which may be a new one."""
        return self._known.setdefault(own, len(self._known))

    def extend(self, rows: Iterable[LabelSet]) -> None:
        """Those of more examples."""
        for own in rows:
            self._codes.append(self.number(own))

    def extend_by_number(self, numbers: Array) -> None:
        """Those of more examples, each by its number: (N,)."""
        self._codes.extend(numbers)

    def finished(self) -> Labels:
        """All of them."""
        codes = self._codes.mapped()
        narrow = zeros(len(codes), np.min_scalar_type(max(1, len(self._known))))
        for one in spans(len(codes)):
            narrow[one] = codes[one]
        self.close()
        return Labels(tuple(self._known), narrow)

    def close(self) -> None:
        """Let the file go; what is mapped stays."""
        self._codes.close()


def picked(values: Any, rows: Array) -> Any:
    """Some of a sequence by number: a view where it has one, else a tuple."""
    if isinstance(values, Lines | Numbered | Labels):
        return values.pick(rows)
    return tuple(values[k] for k in rows.tolist())


class Flags:
    """Which classes each example has: what an array (N, C) of bool is, made where it is asked for.

    Args:
        table: of each set of labels: (S, C), bool.
        codes: which set each example has: (N,).

    Example:
        >>> found = Flags(np.array([[True, False], [True, True]]), np.array([1, 0, 0]))
        >>> found.shape, found[1:].tolist(), found.sum(0).tolist()
        ((3, 2), [[True, False], [True, False]], [3, 1])
    """

    def __init__(self, table: Array, codes: Array) -> None:
        self._table, self._codes = table, codes
        self._counts = counts_of((codes[one] for one in spans(len(codes))), len(table))

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, C)."""
        return len(self), self._table.shape[1]

    def __getitem__(self, index: Any) -> Array:
        """Those of one example, (C,), or of several, (n, C)."""
        found: Array = self._table[self._codes[index]]
        return found

    def whole(self) -> Array:
        """All of them as an array, (N, C), in a file where it is large."""
        return taken(self._table, self._codes)

    def sum(self, axis: int) -> Array:
        """How many examples have each class: (C,), of axis 0."""
        assert axis == 0
        found: Array = self._counts @ self._table.astype(np.int64)
        return found

    def mean(self, axis: int) -> Array:
        """The share of the examples that have each class: (C,), of axis 0."""
        return self.sum(axis) / len(self)


class Tokens(Sequence[Array]):
    """The tokens of each text, (T,) or (T, W), in a file; read as int64.

    Args:
        blocks: tokens of some texts one after another, and how many each has, (N,).
        size: how many tokens there are: their numbers are below.
        width: W; 0 for one number a token.

    Example:
        >>> found = Tokens(in_runs([np.array([1, 2]), np.array([], int)]), 300)
        >>> found.lengths.tolist(), found[0].tolist()
        ([2, 0], [1, 2])
    """

    def __init__(self, blocks: Iterable[tuple[Array, Array]], size: int, width: int = 0) -> None:
        each = ((tokens.ravel(), lengths * max(1, width)) for tokens, lengths in blocks)
        self._tokens, self._starts = joined_tokens(each, np.min_scalar_type(size))
        self._shape = (-1, width) if width else (-1,)
        self.lengths = zeros(len(self._starts) - 1, np.int32)
        """Of each, (N,)."""
        for one in spans(len(self)):
            sizes = self._starts[1:][one] - self._starts[:-1][one]
            self.lengths[one] = sizes // max(1, width)

    def __len__(self) -> int:
        return len(self.lengths)

    @overload
    def __getitem__(self, k: int) -> Array: ...

    @overload
    def __getitem__(self, k: slice) -> list[Array]: ...

    def __getitem__(self, k: int | slice) -> Any:
        """The tokens of a text, or of several."""
        if isinstance(k, slice):
            return [self[at] for at in range(*k.indices(len(self)))]
        start, stop = int(self._starts[:-1][k]), int(self._starts[1:][k])
        return self._tokens[start:stop].reshape(self._shape).astype(np.int64)

    def __iter__(self) -> Iterator[Array]:
        return (self[k] for k in range(len(self)))

    def runs(self) -> Iterator[tuple[Array, Array]]:
        """As `in_runs`."""
        at, end = 0, len(self)
        while at < end:
            most = int(self._starts[at]) + _RUN * max(1, self._shape[-1])
            stop = int(np.searchsorted(self._starts[at + 1 : at + 1 + _RUN], most, "right")) + at
            stop = min(end, stop + 1)
            tokens = self._tokens[int(self._starts[at]) : int(self._starts[stop])]
            yield tokens.reshape(self._shape).astype(np.int64), self.lengths[at:stop]
            at = stop


def in_runs(encoded: Iterable[Array]) -> Iterator[tuple[Array, Array]]:
    """Tokens of some texts one after another, and how many each has, (N,); then of the next."""
    if isinstance(encoded, Tokens):
        yield from encoded.runs()
        return
    some: list[Array] = []
    held = 0
    for one in encoded:
        some.append(one)
        held += len(one) + 1
        if held > _RUN:
            yield np.concatenate(some), lengths_of(some)
            some, held = [], 0
    if some:
        yield np.concatenate(some), lengths_of(some)


def lengths_of(encoded: Encoded) -> Array:
    """How many steps each example has: (N,)."""
    if isinstance(encoded, Tokens):
        return encoded.lengths
    return np.asarray([len(one) for one in encoded], np.int64)
