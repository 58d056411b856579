"""The slow twin: CSV by Python's reader, line by line."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from elman.data.errors import refusal, shown
from elman.data.table import Table, in_blocks

if TYPE_CHECKING:
    import polars as pl

Row = tuple[int, list[str]]


def tables(
    file: Path, pieces: Iterable[bytes], delimiter: str, names: list[str], before: int
) -> Iterator[Table]:
    """Blocks of columns as text, and the line on which each row ends.

    A column without a name is called by NUL and its number, from 1.

    Args:
        pieces: the rest of the file, UTF-8, each to the end of a line.
        names: of the columns; none where the header is among the pieces.
        before: lines that were read before.

    Raises:
        DataError: a row has too many cells or too few, quotes do not match, or the header breaks a
            rule.
    """
    found = _checked(file, cells(file, pieces, delimiter, before), delimiter, names)
    if not names:
        names = next(found, (0, []))[1]
    for lines, rows in in_blocks(found, lambda row: sum(map(len, row))):
        yield Table(file.name, _frame(names, rows), np.asarray(lines, np.int64), file)


def _frame(names: list[str], rows: list[list[str]]) -> "pl.DataFrame":
    import polars as pl

    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))


def cells(file: Path, pieces: Iterable[bytes], delimiter: str, before: int = 0) -> Iterator[Row]:
    """The rows as they are, and the line on which each ends.

    Raises:
        DataError: quotes do not match.
    """
    reader = csv.reader(_lines(pieces), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            yield before + reader.line_num, row
    except csv.Error as error:
        place, came = f"line {before + reader.line_num}", str(error)
        repair = "mend the quotes of this row"
        if "field limit" in came:
            came, repair = "a cell of more than 131,072 characters", "close the quotes before it"
        raise refusal(file.name, place, "cells must be well formed", came, repair) from None


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    for piece in pieces:
        yield from io.StringIO(piece.decode(), newline="")


def _checked(file: Path, rows: Iterable[Row], delimiter: str, names: list[str]) -> Iterator[Row]:
    """Rows that are not blank, the names of columns among them where they are not known."""
    for line, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if not names:
            names = header(file, row, line)
            row = names
        elif len(row) != len(names):
            raise _ragged(file, row, len(names), line, delimiter)
        yield line, row


def _ragged(file: Path, row: list[str], size: int, line: int, delimiter: str) -> Exception:
    rule = f"each row has {size} cells, as the header has"
    repair = "mend the line; put quotes round a cell that contains a separator"
    if delimiter == "," and len(row) > size:
        repair += "; where commas mark decimals or thousands, write a point or no mark"
    came = f"{len(row)}: {shown(delimiter.join(row))}"
    return refusal(file.name, f"line {line}", rule, came, repair)


def header(file: Path, row: list[str], line: int = 1) -> list[str]:
    """Names of the columns.

    Raises:
        DataError: there is one alone, a name occurs twice, or it is a row of values.
    """
    names = [name.strip() or f"\0{k + 1}" for k, name in enumerate(row)]
    place = f"line {line}"
    if len(names) < 2:
        rule = "a time column and a value column are needed"
        repair = "add a column of times; separate cells by comma, semicolon, tab or bar"
        raise refusal(file.name, place, rule, f"one column, {shown(names[0])}", repair)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        rule, repair = "columns must have different names", "rename one of them"
        came = f"{shown(twice[0])} {_times(names.count(twice[0]))}"
        raise refusal(file.name, place, rule, came, repair)
    if all(_is_value(name) for name in names if name[0] != "\0"):
        rule, repair = "the first line names the columns", "add a header, such as ds,y"
        raise refusal(file.name, place, rule, shown(",".join(row)), repair)
    return names


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def _is_value(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        # Only what begins as a time does: a name may hold digits too.
        return text[:4].isdigit() and text[4:5] in ("-", "/")
    return True
