"""Sequences of numbers: from a long table, or from files of the UCR and UEA archives."""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from elman.data.columns import check_present
from elman.data.errors import refusal, shown
from elman.data.numbers import is_number_like, parse_numbers
from elman.data.table import Table
from elman.data.text import Source
from elman.data.times import is_integer_like, is_time_like, parse_times
from elman.tasks.classifying.examples import Examples, Floats, row_labels
from elman.tasks.classifying.held import Labels
from elman.tasks.classifying.settings import ClassifySettings
from elman.tasks.classifying.tables import label_column


def from_table(table: Table, settings: ClassifySettings, labelled: bool) -> Examples:
    """A sequence for each id, its steps in the order of time.

    Raises:
        DataError: a column is missing, an id has two labels, a time occurs twice in an id.
    """
    check_present(table, "id", settings.id)
    taken = [settings.id]
    if settings.time:
        check_present(table, "time", settings.time)
        taken.append(settings.time)
    # Without labels the column may be there all the same, and is no input.
    label = label_column(table, settings.label, taken) if labelled else settings.label
    columns = _columns(table, settings, [*taken, label])
    keys, first, group = _grouped(table, settings.id)
    ticks = _times(table, settings.time) if settings.time else np.arange(len(group))
    order = np.lexsort((ticks, group))
    if settings.time:
        _check_times(table, settings, order, group, ticks)
    values = np.stack([parse_numbers(table, name, "columns") for name in columns], 1)[order]
    ends = np.flatnonzero(np.diff(group[order])) + 1
    inputs = tuple(np.split(values, ends))
    steps = np.diff(ticks[order].astype(np.float64), prepend=0.0) if settings.time else None
    gaps = _gaps(inputs, None if steps is None else np.split(steps, ends))
    labels = _one_label_each(table, settings, label, keys, first, group) if labelled else None
    understood = [("id", f"column {settings.id!r}"), ("numbers", ", ".join(columns))]
    if settings.time:
        understood.insert(1, ("time", f"column {settings.time!r}"))
    if labelled:
        understood.append(("label", f"column {label!r}"))
    places = tuple(f"{settings.id} {shown(key)}" for key in keys)
    found = Examples(table.name, inputs, gaps, labels, places, tuple(keys), tuple(columns))
    return replace(found, understood=tuple(understood), notes=table.notes, sha256=table.sha256)


def _times(table: Table, name: str) -> Any:
    """Ticks of dates and of whole numbers; numbers with fractions as they are."""
    column = table.frame[name]
    whole = is_integer_like(column) or is_time_like(column)
    if whole or not is_number_like(column):
        return parse_times(table, name)[0]
    found = parse_numbers(table, name, "time")
    missing = np.isnan(found)
    if missing.any():
        row = int(missing.argmax())
        place, rule = f"{table.place(row)}, column {name!r}", "a time is needed in each row"
        came = shown(column[row]) if column[row] else "an empty cell"
        raise table.refuse(place, rule, came, "mend the cell or remove the row")
    return found


def _columns(table: Table, settings: ClassifySettings, taken: Iterable[str]) -> list[str]:
    if settings.columns:
        for name in settings.columns:
            check_present(table, "columns", name)
        twice = [name for name in settings.columns if name in taken]
        if twice:
            rule, repair = "id, time, label and columns differ", f"leave {twice[0]!r} out"
            raise table.refuse("columns", rule, twice[0], repair)
        return list(settings.columns)
    free = [name for name in table.frame.columns if name not in taken]
    found = [name for name in free if is_number_like(table.frame[name])]
    if not found:
        rule, repair = "a column of numbers is needed", f"name it with {table.flag('columns')}"
        raise table.refuse("columns", rule, ", ".join(free) or "none", repair)
    return found


def _grouped(table: Table, name: str) -> tuple[list[str], Any, Any]:
    """The ids in the order of the file, the first row of each, and the id of each row."""
    import polars as pl

    words = table.frame[name].cast(pl.String).fill_null("").to_list()
    for row, word in enumerate(words):
        if not word.strip():
            rule, repair = "each row has an id", "fill the cell, or remove the row"
            raise table.refuse(f"{table.place(row)}, column {name!r}", rule, "none", repair)
    numbers: dict[str, int] = {}
    group = np.asarray([numbers.setdefault(word, len(numbers)) for word in words], np.int64)
    first = np.full(len(numbers), len(words))
    np.minimum.at(first, group, np.arange(len(words)))
    return list(numbers), first, group


def _check_times(
    table: Table, settings: ClassifySettings, order: Any, group: Any, ticks: Any
) -> None:
    same = (np.diff(group[order]) == 0) & (np.diff(ticks[order]) == 0)
    if same.any():
        row = int(order[int(same.argmax()) + 1])
        id_ = table.frame[settings.id][row]
        rule = f"a time occurs once in each {settings.id}"
        came = f"{shown(table.frame[settings.time][row])} twice in {shown(id_)}"
        repair = "remove or merge one of the rows"
        raise table.refuse(table.place(row), rule, came, repair)


def _gaps(inputs: tuple[Any, ...], steps: "list[Any] | None") -> tuple[Floats, ...]:
    """Time before each step: 1 where times are not told; 0 at the first otherwise."""
    if steps is None:
        return tuple(np.ones(len(one)) for one in inputs)
    for one in steps:
        one[0] = 0.0
    return tuple(steps)


def _one_label_each(
    table: Table, settings: ClassifySettings, label: str, keys: list[str], first: Any, group: Any
) -> Labels:
    """The label of each id, which is the same, or empty, in all of its rows."""
    rows = row_labels(table, label, settings.label_separator)
    found: list[tuple[str, ...]] = [()] * len(keys)
    where = list(first)
    for row, own in enumerate(rows):
        at = group[row]
        if own and found[at] and own != found[at]:
            rule = f"an {settings.id} has one label" if not settings.several else "labels agree"
            came = f"{' and '.join(map(shown, (*found[at], *own)))} for {shown(keys[at])}"
            place = f"{table.place(int(where[at]))} and {table.place(row).split(' ')[-1]}"
            raise table.refuse(place, rule, came, "mend one, or give the parts ids of their own")
        if own and not found[at]:
            found[at], where[at] = own, row
    return Labels.of(found)


def from_series_file(data: Any, settings: ClassifySettings) -> Examples | None:
    """A .ts file, or a .tsv file of numbers without a header; None for anything else.

    Raises:
        DataError: a line of such a file does not parse.
    """
    if not isinstance(data, str | os.PathLike) or settings.text:
        return None
    path = Path(data)
    if not path.is_file() or not path.name.endswith((".ts", ".tsv")):
        return None
    source, archive = Source(path.name, path), path.name.endswith(".ts")
    first = next((line for line in source.lines(settings.encoding) if line.strip()), "")
    if not archive and not (first and all(_is_number(cell) for cell in first.split("\t"))):
        return None
    text = "".join(source.blocks(settings.encoding))
    lines = [(k, line) for k, line in enumerate(text.split("\n"), 1) if line.strip()]
    found = (_ts if archive else _ucr)(path, lines)
    return replace(found, sha256=hashlib.sha256(text.encode()).hexdigest())


def _ts(path: Path, lines: list[tuple[int, str]]) -> Examples:
    start = next((k for k, (_, line) in enumerate(lines) if line.lower().startswith("@data")), None)
    if start is None:
        rule, repair = "a .ts file has a line @data", "copy or download it again"
        raise refusal(path.name, "file", rule, "none", repair)
    rows = []
    for number, line in lines[start + 1 :]:
        *channels, label = line.strip().split(":")
        cells = [channel.split(",") for channel in channels]
        if not channels or len({len(one) for one in cells}) > 1:
            rule, came = "channels of equal lengths and a label", shown(line, 40)
            raise refusal(path.name, f"line {number}", rule, came, "mend the line")
        rows.append((number, np.asarray([_row(path, number, one) for one in cells]).T, label))
    return _series_examples(path, rows)


def _ucr(path: Path, lines: list[tuple[int, str]]) -> Examples:
    rows = []
    for number, line in lines:
        label, *cells = line.strip("\r\n").split("\t")
        while cells and _row(path, number, cells[-1:])[0] != _row(path, number, cells[-1:])[0]:
            cells.pop()  # shorter sequences are padded with NaN
        rows.append((number, np.asarray(_row(path, number, cells))[:, None], _class(label)))
    return _series_examples(path, rows)


def _series_examples(path: Path, rows: list[tuple[int, Any, str]]) -> Examples:
    if not rows:
        raise refusal(path.name, "file", "sequences are needed", "none", "check the export")
    width = rows[0][1].shape[1]
    for number, values, _ in rows:
        if values.shape[1] != width or not len(values):
            rule, came = f"each sequence has {width} channels", str(values.shape[1])
            raise refusal(path.name, f"line {number}", rule, came, "mend the line")
    inputs = tuple(values for _, values, _ in rows)
    labels = Labels.of((label,) if label else () for _, _, label in rows)
    places = tuple(f"line {number}" for number, _, _ in rows)
    names = tuple(str(number) for number, _, _ in rows)
    columns = tuple(f"x{k + 1}" for k in range(width))
    understood = (("sequences", "one on each line"), ("numbers", ", ".join(columns)))
    gaps = _gaps(inputs, None)
    return Examples(path.name, inputs, gaps, labels, places, names, columns, understood)


def _row(path: Path, number: int, cells: list[str]) -> list[float]:
    found = []
    for cell in cells:
        if not _is_number(cell):
            rule, repair = "values are numbers, or ? or NaN where missing", "mend the line"
            raise refusal(path.name, f"line {number}", rule, shown(cell), repair)
        found.append(float("nan") if cell.strip() in ("?", "") else float(cell))
    return found


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip() in ("?", "")
    return True


def _class(label: str) -> str:
    number = float(label)
    return str(int(number)) if number.is_integer() else label
