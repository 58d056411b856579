"""What is judged: texts or sequences of numbers, their labels, and where each came from."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.errors import refusal, shown
from elman.data.numbers import MISSING
from elman.data.table import Table
from elman.tasks.classifying.settings import ClassifySettings
from elman.tasks.classifying.tables import FILE, label_column, read_table, text_column

if TYPE_CHECKING:
    import polars as pl

Floats = np.ndarray[Any, np.dtype[np.float64]]
MOST_CLASSES = 1_000


@dataclass(frozen=True)
class Examples:
    """Texts, or sequences of numbers, in the order of the file.

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
    inputs: tuple[Any, ...]
    gaps: tuple[Floats, ...]
    labels: tuple[tuple[str, ...], ...] | None
    places: tuple[str, ...]
    names: tuple[str, ...]
    columns: tuple[str, ...] = ()
    understood: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    sha256: str = ""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.inputs)

    def subset(self, index: Sequence[int]) -> "Examples":
        """Those at `index`, in that order."""
        return replace(
            self,
            inputs=tuple(self.inputs[k] for k in index),
            gaps=tuple(self.gaps[k] for k in index) if self.gaps else (),
            labels=None if self.labels is None else tuple(self.labels[k] for k in index),
            places=tuple(self.places[k] for k in index),
            names=tuple(self.names[k] for k in index),
        )

    def classes(self) -> tuple[str, ...]:
        """Every label that occurs; numbers in their own order, others by the alphabet."""
        found = {one for labels in self.labels or () for one in labels}
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
        table = read_table(data, settings.encoding, settings.label_separator)
        if settings.id:
            found = sequences.from_table(table, settings, labelled)
        else:
            found = _texts(table, settings, labelled)
    return _with_labels(found, settings) if labelled else found


def _given(data: Sequence[Any], settings: ClassifySettings) -> Examples:
    """Texts that are given as they are."""
    wrong = next((k for k, one in enumerate(data) if not isinstance(one, str)), None)
    if settings.id or wrong is not None:
        what = type(data[wrong]).__name__ if wrong is not None else "texts"
        rule = "sequences of numbers come in a table" if settings.id else "texts are str"
        repair = "give a table or a file" if settings.id else "convert it"
        raise refusal("the list", f"item {wrong or 0}", rule, what, repair)
    names = tuple(map(str, range(len(data))))
    places = tuple(f"item {k}" for k in range(len(data)))
    return Examples("the list", tuple(data), (), None, places, names)


def _texts(table: Table, settings: ClassifySettings, labelled: bool) -> Examples:
    column = text_column(table, settings.text)
    label = label_column(table, settings.label, [column, FILE]) if labelled else ""
    if label == column:
        rule, repair = "text and label are columns of their own", f"give {table.flag('label')}"
        raise table.refuse("columns", rule, label, repair)
    import polars as pl

    texts = tuple(table.frame[column].cast(pl.String).fill_null("").to_list())
    rows = table.frame.height
    places = [table.place(k) for k in range(rows)]
    names = [place.split(" ")[-1] for place in places]
    if FILE in table.frame.columns and table.path is not None and table.path.is_dir():
        names = places = table.frame[FILE].to_list()
    labels = None
    if labelled:
        labels = row_labels(table, label, settings.label_separator)
    understood = [("text", f"column {column!r}")]
    understood += [("label", f"column {label!r}")] if labelled else []
    ignored = [name for name in table.frame.columns if name not in (column, label, FILE)]
    understood += [("ignored", ", ".join(ignored))] if ignored and labelled else []
    empty = sum(not text.strip() for text in texts)
    notes = [*table.notes, *([f"{empty:,} texts are empty"] if empty else [])]
    found = Examples(table.name, texts, (), labels, tuple(places), tuple(names))
    return replace(found, understood=tuple(understood), notes=tuple(notes), sha256=table.sha256)


def row_labels(table: Table, column: str, separator: str) -> tuple[tuple[str, ...], ...]:
    """The labels of each row, sorted; none where the cell is empty."""
    words = label_words(table, column)
    if not separator:
        return tuple((word,) if word else () for word in words)
    cells = ({one.strip() for one in word.split(separator)} - {""} for word in words)
    return tuple(tuple(sorted(cell)) for cell in cells)


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
    return ["" if word.lower() in MISSING_LABELS else word for word in words]


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
    labels = found.labels or ()
    kept = [k for k, own in enumerate(labels) if own or settings.several]
    notes = list(found.notes)
    if len(kept) < len(found):
        first = next(k for k, own in enumerate(labels) if not own)
        count = len(found) - len(kept)
        notes.append(f"{count:,} without a label are left out, the first on {found.places[first]}")
        found = found.subset(kept)
    none = sum(not own for own in found.labels or ())
    if settings.several and none:
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
    counts = Counter(one for labels in found.labels or () for one in labels)
    return {name: counts[name] for name in found.classes()}


def classes_stored(classes: Sequence[str]) -> bytes:
    """Class names as bytes, for metadata is bounded."""
    return json.dumps(list(classes)).encode()
