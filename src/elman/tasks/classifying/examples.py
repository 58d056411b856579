"""What is judged: texts or sequences of numbers, their labels, and where each came from."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.errors import refusal, shown
from elman.data.lines import in_columns
from elman.data.mapped import Numbers, where
from elman.data.numbers import MISSING
from elman.data.table import Table
from elman.tasks.classifying.held import Labels, LabelsWriter, Numbered, picked
from elman.tasks.classifying.settings import ClassifySettings
from elman.tasks.classifying.tables import (
    FILE,
    Blocks,
    label_column,
    read_blocks,
    read_table,
    text_column,
)

if TYPE_CHECKING:
    import polars as pl

Floats = np.ndarray[Any, np.dtype[np.float64]]
MOST_CLASSES = 1_000


@dataclass(frozen=True)
class Examples:
    """Texts, or sequences of numbers, in the order of the file.

    Texts that are read lie in a temporary file, and only what is looked at is in memory.

    - `name`: of the file or table.
    - `inputs`: a str each; or an array (T, D) of the `columns`, NaN where a value is missing.
    - `gaps`: time before each step, (T,); () for texts.
    - `labels`: of each, sorted; None where they are not asked for.
    - `places`: where each stands, for messages; `names`: what each is called in results.
    - `columns`: of numbers; () for texts.
    - `understood`: pairs of a name and words; `notes`: what has to be known, a sentence each.
    - `sha256`: of the file.
    """

    name: str
    inputs: Sequence[Any]
    gaps: tuple[Floats, ...]
    labels: Labels | None
    places: Sequence[str]
    names: Sequence[str]
    columns: tuple[str, ...] = ()
    understood: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    sha256: str = ""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.inputs)

    def subset(self, rows: Any) -> "Examples":
        """Those at `rows`, an array (M,), in that order."""
        return replace(
            self,
            inputs=picked(self.inputs, rows),
            gaps=picked(self.gaps, rows) if self.gaps else (),
            labels=None if self.labels is None else self.labels.pick(rows),
            places=picked(self.places, rows),
            names=picked(self.names, rows),
        )

    def classes(self) -> tuple[str, ...]:
        """Every label that occurs; numbers in their own order, others by the alphabet."""
        found = self.labels.counts() if self.labels is not None else ()
        try:
            return tuple(sorted(found, key=float))
        except ValueError:
            return tuple(sorted(found))


def read_examples(data: Any, settings: ClassifySettings, labelled: bool = True) -> Examples:
    """Examples from a file, a table, or a list of texts.

    Args:
        data: as `read_table` takes it; without labels also a list of texts.
        labelled: whether labels are needed; rows without one are left out, and counted in a note.

    Raises:
        DataError: it cannot be used; says the file, the row and the repair.
    """
    from elman.tasks.classifying import sequences

    if isinstance(data, Examples):
        return data
    if not labelled and isinstance(data, list | tuple):
        return _given(data, settings)
    found = sequences.from_series_file(data, settings)
    if found is None:
        given = data, settings.encoding, settings.label_separator
        if settings.id:
            found = sequences.from_table(read_table(*given), settings, labelled)
        else:
            found = _texts(read_blocks(*given), settings, labelled)
    return _with_labels(found, settings) if labelled else found


def _given(data: Sequence[Any], settings: ClassifySettings) -> Examples:
    """Texts that are given as they are."""
    wrong = next((k for k, one in enumerate(data) if not isinstance(one, str)), None)
    if settings.id or wrong is not None:
        what = type(data[wrong]).__name__ if wrong is not None else "texts"
        rule = "sequences of numbers come in a table" if settings.id else "texts are str"
        repair = "give a table or a file" if settings.id else "convert it"
        raise refusal("the list", f"item {wrong or 0}", rule, what, repair)
    numbers = np.arange(len(data))
    places, names = Numbered("item ", numbers), Numbered("", numbers)
    return Examples("the list", tuple(data), (), None, places, names)


@dataclass
class _Gathered:
    """What is kept of blocks of rows beside their texts, as they are read.

    - `table`: the first block, which has the names; `empty`: how many texts are.
    - `column`, `label`: the columns taken; `label` is "" where labels are not asked for.
    - `known`: the number of the labels that each cell stands for.
    """

    settings: ClassifySettings
    labelled: bool
    table: Table | None = None
    column: str = ""
    label: str = ""
    empty: int = 0
    numbers: Numbers = field(default_factory=Numbers)
    labels: LabelsWriter = field(default_factory=LabelsWriter)
    known: dict[str, int] = field(default_factory=dict)

    def columns(self, blocks: Blocks) -> Iterator[tuple[list[str], ...]]:
        """Of some rows their texts, and the files' names where they were those of a folder."""
        import polars as pl

        for table in blocks:
            if self.table is None:
                self._choose(table)
            if self.labelled:
                self._number(table)
            texts = table.frame[self.column].cast(pl.String).fill_null("").to_list()
            self.empty += texts.count("") + sum(map(str.isspace, texts))
            if self.in_folder:
                yield texts, table.frame[FILE].to_list()
                continue
            counted = np.arange(table.first, table.first + len(texts))
            self.numbers.extend(counted if table.lines is None else table.lines)
            yield (texts,)

    def _number(self, table: Table) -> None:
        """The labels of some rows."""
        words, separator = label_words(table, self.label), self.settings.label_separator
        for word in dict.fromkeys(words):
            if word not in self.known:
                self.known[word] = self.labels.number(cell_labels(word, separator))
        numbers = np.fromiter(map(self.known.__getitem__, words), np.int64, len(words))
        self.labels.extend_by_number(numbers)

    def _choose(self, table: Table) -> None:
        self.table, s = table, self.settings
        self.column = text_column(table, s.text)
        if self.labelled:
            self.label = label_column(table, s.label, [self.column, FILE])
        if self.label == self.column:
            rule, repair = "text and label are columns of their own", f"give {table.flag('label')}"
            raise table.refuse("columns", rule, self.label, repair)

    @property
    def in_folder(self) -> bool:
        """Whether each text is a file of a folder."""
        path = None if self.table is None else self.table.path
        return path is not None and path.is_dir()

    def understood(self) -> tuple[tuple[str, str], ...]:
        """What was understood of the columns, in words."""
        found = [("text", f"column {self.column!r}")]
        if self.labelled:
            assert self.table is not None
            found.append(("label", f"column {self.label!r}"))
            taken = (self.column, self.label, FILE)
            ignored = [name for name in self.table.frame.columns if name not in taken]
            found += [("ignored", ", ".join(ignored))] if ignored else []
        return tuple(found)


def _texts(blocks: Blocks, settings: ClassifySettings, labelled: bool) -> Examples:
    gathered = _Gathered(settings, labelled)
    try:
        texts, *files = in_columns(gathered.columns(blocks))
        numbers, labels = gathered.numbers.mapped(), gathered.labels.finished()
    finally:
        gathered.numbers.close()
        gathered.labels.close()
    table = gathered.table
    assert table is not None
    word = "row " if table.lines is None else "line "
    places = files[0] if files else Numbered(word, numbers)
    names = files[0] if files else Numbered("", numbers)
    notes = [*table.notes, *([f"{gathered.empty:,} texts are empty"] if gathered.empty else [])]
    found = Examples(table.name, texts, (), labels if labelled else None, places, names)
    understood = gathered.understood()
    return replace(found, understood=understood, notes=tuple(notes), sha256=blocks.sha256)


def row_labels(table: Table, column: str, separator: str) -> tuple[tuple[str, ...], ...]:
    """The labels of each row, sorted; none where the cell is empty."""
    return tuple(cell_labels(word, separator) for word in label_words(table, column))


def cell_labels(word: str, separator: str) -> tuple[str, ...]:
    """The labels of a cell, sorted."""
    if not separator:
        return (word,) if word else ()
    return tuple(sorted({one.strip() for one in word.split(separator)} - {""}))


def label_words(table: Table, column: str) -> list[str]:
    """Labels as words: whole numbers without a point, what says it is missing as "".

    Raises:
        DataError: they are numbers with fractions, or nested.
    """
    import polars as pl

    values = table.frame[column]
    if values.dtype.is_float():
        values = _whole(table, values)
    if values.dtype.is_nested():
        rule, repair = "labels are words", "join several labels to one text, with a separator"
        raise table.refuse(f"column {column!r}", rule, str(values.dtype), repair)
    words = values.cast(pl.String).fill_null("").str.strip_chars().to_list()
    missing = {word for word in set(words) if word.lower() in MISSING_LABELS}
    return ["" if word in missing else word for word in words] if missing else words


MISSING_LABELS = tuple(word for word in MISSING if word not in ("none", "nil", "-", "."))


def _whole(table: Table, values: "pl.Series") -> "pl.Series":
    import polars as pl

    present = values.fill_nan(None)
    odd = (present != present.round()).fill_null(False)
    if odd.any():
        row = int(odd.arg_max() or 0)
        rule = "labels are words or whole numbers: classes, not quantities"
        repair = "name another column, or write a word for each range of values"
        place = f"{table.place(row)}, column {values.name!r}"
        raise table.refuse(place, rule, shown(values[row]), repair)
    return present.cast(pl.Int64)


def _with_labels(found: Examples, settings: ClassifySettings) -> Examples:
    """Without the examples that have no label, where each needs one; checked."""
    assert found.labels is not None
    notes = list(found.notes)
    has = found.labels.of_sets([bool(own) for own in found.labels.sets], bool)
    none = int(len(found) - has.sum())
    if none and not settings.several:
        first = found.places[int(has.argmin())]
        notes.append(f"{none:,} without a label are left out, the first on {first}")
        found = found.subset(where(has, True))
    if none and settings.several:
        notes.append(f"{none:,} have no label at all, which is taken as it is: none applies")
    _check_classes(found, settings)
    return replace(found, notes=tuple(notes))


def _check_classes(found: Examples, settings: ClassifySettings) -> None:
    classes = found.classes()
    if not classes:
        rule, repair = "labels are needed", "name the column that has them"
        raise refusal(found.name, "labels", rule, "none", repair)
    if len(classes) > min(MOST_CLASSES, max(20, len(found) // 2)):
        rule = "a class has several examples"
        repair = "name the column of the classes (--label NAME, label=...)"
        came = f"{len(classes):,} of {len(found):,} examples, such as {shown(classes[0])}"
        if not settings.several and any("," in one or ";" in one for one in classes[:50]):
            repair += "; where a row has several labels, say what stands between (label_separator)"
        raise refusal(found.name, "labels", rule, came, repair)


def check_trainable(found: Examples, several: bool) -> None:
    """Raises DataError unless at least two classes (one, where there may be none) can be learnt."""
    counts = class_counts(found)
    enough = [name for name, count in counts.items() if count >= 3]
    if several and enough:
        return
    if len(counts) < 2:
        only = next(iter(counts), "")
        rule, repair = "at least two classes are needed", "add examples of another class"
        raise refusal(found.name, "labels", rule, f"{shown(only)} alone", repair)
    if len(enough) < 2:
        rule = "two classes need three examples each: to train, to choose by, to report on"
        came = ", ".join(f"{count} of {shown(name)}" for name, count in list(counts.items())[:5])
        raise refusal(found.name, "labels", rule, came, "add examples")


def class_counts(found: Examples) -> dict[str, int]:
    """How many examples each class has, in the order of the classes."""
    counts = found.labels.counts() if found.labels is not None else {}
    return {name: counts[name] for name in found.classes()}


def classes_stored(classes: Sequence[str]) -> bytes:
    """Class names as bytes, for metadata is bounded."""
    return json.dumps(list(classes)).encode()
