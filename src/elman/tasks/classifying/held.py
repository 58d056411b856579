"""What is known of each of many examples, in a few bytes: places, labels, tokens."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from elman.data.lines import Array, Lines, Numbers, Rows

LabelSet = tuple[str, ...]

Encoded = Sequence[Any]
"""Of each example, tokens (T,) or inputs (T, W)."""


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
        own = rows if self._rows is None else self._rows[rows]
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
        found = self._codes if self._rows is None else self._codes[self._rows]
        return found.astype(np.min_scalar_type(max(1, len(self.sets))))

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
        return Labels(self.sets, self._codes, rows if self._rows is None else self._rows[rows])

    def of_sets(self, values: Sequence[Any], dtype: Any) -> Array:
        """What each example has, (N,), from what each set has."""
        return np.asarray(values, dtype)[self.codes]

    def counts(self) -> dict[str, int]:
        """How many examples have each label; those of none are left out."""
        found: dict[str, int] = {}
        counts = np.bincount(self.codes, minlength=len(self.sets)).tolist()
        for own, count in zip(self.sets, counts, strict=True):
            for label in own if count else ():
                found[label] = found.get(label, 0) + count
        return found


class LabelsWriter:
    """Labels of examples that come one after another."""

    def __init__(self) -> None:
        self._known: dict[LabelSet, int] = {}
        self._codes = Numbers()

    def extend(self, rows: Iterable[LabelSet]) -> None:
        """Those of more examples."""
        for own in rows:
            self._codes.append(self._known.setdefault(own, len(self._known)))

    def finished(self) -> Labels:
        """All of them."""
        found = Labels(tuple(self._known), self._codes.mapped())
        self.close()
        return found

    def close(self) -> None:
        """Let the file go; what is mapped stays."""
        self._codes.close()


def picked(values: Any, rows: Array) -> Any:
    """Some of a sequence by number: a view where it has one, else a tuple."""
    if isinstance(values, Lines | Numbered | Labels):
        return values.pick(rows)
    return tuple(values[k] for k in rows.tolist())


class Tokens(Sequence[Array]):
    """The tokens of each text, (T,) or (T, W), in a file; read as int64.

    Args:
        texts: of each, as they come.
        size: how many tokens there are: their numbers are below.
        width: W; 0 for one number a token.

    Example:
        >>> found = Tokens([np.array([1, 2]), np.array([], int)], 300)
        >>> found.lengths.tolist(), found[0].tolist()
        ([2, 0], [1, 2])
    """

    def __init__(self, texts: Iterable[Array], size: int, width: int = 0) -> None:
        self._rows = Rows(((one,) for one in texts), np.min_scalar_type(size))
        self._shape = (-1, width) if width else (-1,)
        lengths = self._rows.lengths[:, 0]
        self.lengths = lengths // width if width else lengths
        """Of each, (N,)."""

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
        return self._rows[k][0].reshape(self._shape).astype(np.int64)

    def __iter__(self) -> Iterator[Array]:
        return (self[k] for k in range(len(self)))


def lengths_of(encoded: Encoded) -> Array:
    """How many steps each example has: (N,)."""
    if isinstance(encoded, Tokens):
        return encoded.lengths
    return np.asarray([len(one) for one in encoded], np.int64)
