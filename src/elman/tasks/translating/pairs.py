"""Pairs of sentences: from two aligned files, a table with tabs, or lists; or a refusal."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from elman.data.errors import refusal, shown
from elman.data.lines import Lines, columns, lines
from elman.data.mapped import spans, where, zeros
from elman.data.text import Source, as_sources
from elman.tasks.translating.decoding import tidy

Digests = np.ndarray[Any, np.dtype[np.uint64]]
_LEAST = 20  # pairs for training
_HELD_MOST = 1000  # pairs held out for each of validation and test


@dataclass(frozen=True)
class Pairs:
    """Sentences and their translations, as many of both, tidy and none empty.

    Those that are read lie in a temporary file, and only what is looked at is in memory.

    - `name`: of where they came from.
    - `notes`: what had to be done, a sentence each.
    """

    source: Sequence[str]
    target: Sequence[str]
    name: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.source)

    def pick(self, rows: Any) -> "Pairs":
        """Some of the pairs, by number, without the notes."""
        rows = rows if isinstance(rows, np.ndarray) else np.asarray(rows, np.int64)  # for both
        source, target = (_as_lines(side).pick(rows) for side in (self.source, self.target))
        return Pairs(source, target, self.name)


def _as_lines(side: Sequence[str]) -> Lines:
    return side if isinstance(side, Lines) else lines(side)


NONE = Pairs((), ())


@dataclass(frozen=True)
class Parallel:
    """Pairs in three parts; the test may be empty.

    - `notes`: what had to be done or has to be known, a sentence each.
    """

    train: Pairs
    validation: Pairs
    test: Pairs
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Of all pairs in order."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            for both in zip(part.source, part.target, strict=True):
                digest.update("\t".join(both).encode() + b"\n")
            digest.update(b"\0")
        return digest.hexdigest()

    def understood(self) -> list[tuple[str, str]]:
        """What was understood of the pairs, as pairs of a name and words."""
        found = [("pairs", self.train.name), ("train", _counted(self.train))]
        found.append(("validation", _from(self.validation, self.train)))
        found.append(("test", _from(self.test, self.train) if len(self.test) else "none given"))
        first = (beginning(side[0]) for side in (self.train.source, self.train.target))
        return [*found, ("first pair", " → ".join(first))]


def beginning(line: str, longest: int = 60) -> str:
    """A line, cut where it is longer than so many characters."""
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _counted(part: Pairs) -> str:
    words = [sum(len(line.split()) for line in side) for side in (part.source, part.target)]
    return f"{len(part):,} pairs, {words[0]:,} → {words[1]:,} words"


def _from(part: Pairs, train: Pairs) -> str:
    where = "held out" if part.name == train.name else f"from {part.name}"
    return f"{len(part):,} pairs, {where}"


def read_parallel(
    train: Pairs, validation: Pairs | None, test: Pairs | None, held_out: float, seed: int
) -> Parallel:
    """The three parts; what is not given is held out, pairs of one source always together.

    Raises:
        DataError: too few pairs are left to train on, or none to choose by.
    """
    notes = [
        *train.notes,
        *(validation.notes if validation else ()),
        *(test.notes if test else ()),
    ]
    train = replace(train, notes=())
    if validation is None:
        shares = 1 if test else 2
        train, *held = _hold_out(train, held_out, shares, seed)
        validation, test = held[0], (held[1] if shares == 2 else test)
    if len(train) < _LEAST:
        came = f"{len(train):,} besides what is held out"
        rule, repair = f"training needs at least {_LEAST} pairs", "give more"
        raise refusal(train.name or "pairs", "length", rule, came, repair)
    if not len(validation):
        rule, repair = "validation needs at least one pair", "give more, or raise held_out"
        raise refusal(validation.name or "pairs", "length", rule, "none", repair)
    for name, part in (("validation", validation), ("test", test or NONE)):
        seen = _seen(part, train)
        if seen:
            notes.append(f"{seen:,} of {len(part):,} sources of {name} are in training too")
    return Parallel(train, validation, test or NONE, tuple(notes))


def _hold_out(pairs: Pairs, share: float, parts: int, seed: int) -> list[Pairs]:
    """What is left, and `parts` parts of that share, drawn by source."""
    each = min(_HELD_MOST, max(1, round(share * len(pairs))))
    flip, factor = np.random.Generator(np.random.Philox(key=[seed, 3])).integers(
        0, 1 << 64, 2, np.uint64
    )

    def drawn(digests: Digests) -> Digests:
        """For each source a number of its own: the least of them are held out."""
        found: Digests = (digests ^ flip) * (factor | np.uint64(1))
        return found

    digests = _as_lines(pairs.source).digests()
    least = np.zeros(0, np.uint64)
    for one in spans(len(digests)):
        least = np.unique(np.concatenate([least, drawn(digests[one])]))[: parts * each]
    part = zeros(len(digests), np.uint8)
    for one in spans(len(digests)):
        place, found = _places(drawn(digests[one]), least)
        part[one] = np.where(found, place // each, parts)
    return [pairs.pick(where(part, k)) for k in (parts, *range(parts))]


def _seen(part: Pairs, train: Pairs) -> int:
    """How many pairs of a part have a source that is in training too."""
    own = _as_lines(part.source).digests()
    sources, count = np.unique(own, return_counts=True)
    met = np.zeros(len(sources), bool)
    known = _as_lines(train.source).digests()
    for one in spans(len(known)):
        place, found = _places(known[one], sources)
        met[place[found]] = True
    return int(count[met].sum())


def _places(values: Digests, among: Digests) -> tuple[Any, Any]:
    """Where each value stands among others that are sorted, and whether it does."""
    place = np.searchsorted(among, values)
    place[place == len(among)] = 0
    return place, (among[place] == values) if len(among) else np.zeros(len(values), bool)


def read_pairs(source: Any, target: Any = None, encoding: str = "utf-8") -> Pairs:
    """Pairs from what a caller gives.

    Args:
        source: a `pathlib.Path` or a list of str; without `target`, the path of a table: a line
            for each pair, source and target with a tab between. Where every line has the same
            number of further fields, they are left out.
        target: the same for the translations, as many lines.

    Raises:
        DataError: a file cannot be used; says where and how to repair it.
        TypeError: something else was given.
    """
    if target is None:
        found, name = _table(source, encoding)
    else:
        sides = [
            _lines(one, word, encoding) for one, word in ((source, "source"), (target, "target"))
        ]
        name = " and ".join(side[1] for side in sides)
        found = _aligned(sides)
    return _cleaned(found, name)


def one_or_two(given: Any) -> tuple[Any, Any]:
    """Source and target of what is given for a part: a pair of them, or one table."""
    if isinstance(given, tuple | list) and len(given) == 2:
        return given[0], given[1]
    return given, None


Rows = Iterator[tuple[str, str]]


def _aligned(sides: Sequence[tuple[Iterator[str], str]]) -> Rows:
    (left, first), (right, second) = sides
    for k, (a, b) in enumerate(zip_longest(left, right)):
        if a is None or b is None:
            more = k + 1 + sum(1 for _ in (left if b is None else right))
            place = f"line {k + 1:,}"
            rule = f"line k of {first} is translated by line k of {second}"
            came = f"{more:,} lines and {k:,}" if b is None else f"{k:,} lines and {more:,}"
            repair = "look for a line too many or too few, and give aligned files"
            raise refusal(f"{first} and {second}", place, rule, came, repair)
        yield a, b


def _lines(given: Any, word: str, encoding: str) -> tuple[Iterator[str], str]:
    """The lines of a file or list, and its name."""
    if isinstance(given, Path):
        (only,) = as_sources(given)
        return only.lines(encoding), only.name
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(
            f"{word} must be a pathlib.Path or a list of str, a sentence each; got "
            f"{type(given).__name__}; wrap a file's name in Path(...), a sentence in a list"
        )
    listed = list(given)
    for k, line in enumerate(listed):
        if not isinstance(line, str):
            raise TypeError(
                f"{word} must be a list of str; got {type(line).__name__} at {k}; convert it"
            )
        _check_whole(line, word, k + 1)
    return iter(listed), f"{word} sentences" if word else "sentences"


def _check_whole(line: str, name: str, number: int) -> None:
    try:
        line.encode()
    except UnicodeEncodeError as error:
        rule, came = "text is Unicode", f"half a character, {shown(line[error.start])}"
        repair = 'mend it: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")'
        raise refusal(name, f"line {number:,}", rule, came, repair) from None


def _table(given: Any, encoding: str) -> tuple[Rows, str]:
    if not isinstance(given, Path):
        raise TypeError(
            f"source must be the pathlib.Path of a table where target is not given; got "
            f"{type(given).__name__}; give both, or a file with a tab in each line"
        )
    (only,) = as_sources(given)
    return _rows(only, encoding), only.name


def _rows(source: Source, encoding: str) -> Rows:
    width = 0
    for number, line in enumerate(source.lines(encoding), 1):
        if not line.strip():
            yield "", ""
            continue
        fields = line.split("\t")
        width = width or len(fields)
        if len(fields) != width or width < 2:
            raise _not_a_pair(source.name, number, len(fields), max(2, width))
        yield fields[0], fields[1]


def _not_a_pair(name: str, number: int, fields: int, width: int) -> Exception:
    rule = "a pair is a source, a tab and its translation"
    if width > 2:
        rule += f", and further fields in every line alike, {width} as in the first"
    came = f"{fields} field{'s' * (fields != 1)}"
    repair = "mend the line (a tab in the text?), or give two aligned files"
    return refusal(name, f"line {number:,}", rule, came, repair)


def _cleaned(rows: Rows, name: str) -> Pairs:
    """Tidy pairs; those with an empty side are left out and counted."""
    left_out = Left()
    both = columns(_whole(rows, left_out))
    if not both:
        rule, came = "there must be pairs with text on both sides", f"{left_out.count:,} lines"
        came += ", no pair"
        raise refusal(name, "length", rule, came, "give sentences and their translations")
    notes: tuple[str, ...] = ()
    if left_out.count:
        counted = f"{name}: {left_out.count:,} lines without text on both sides"
        notes = (f"{counted} are left out, from {left_out.first:,}",)
    return Pairs(both[0], both[1], name, notes)


@dataclass
class Left:
    """How many lines were left out, and the number of the first."""

    count: int = 0
    first: int = 0


def _whole(rows: Rows, left_out: Left) -> Rows:
    for number, (a, b) in enumerate(rows, 1):
        pair = tidy(a), tidy(b)
        if all(pair):
            yield pair
            continue
        left_out.count += 1
        left_out.first = left_out.first or number
