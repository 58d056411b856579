"""The slow twin: CSV by Python's reader, line by line."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.errors import refusal, shown

if TYPE_CHECKING:
    import polars as pl

Lines = np.ndarray[Any, np.dtype[np.int64]]


def read(file: Path, text: str, delimiter: str) -> tuple["pl.DataFrame", Lines]:
    """The columns as text, and the line on which each row ends.

    A column without a name is called by NUL and its number, from 1.

    Raises:
        DataError: a row has too many cells or too few, quotes do not match, the header breaks a
            rule, or there are no rows.
    """
    import polars as pl

    header, rows, lines = _rows(file, text, delimiter)
    columns = zip(*rows, strict=True)
    frame = dict(zip(header, columns, strict=True))
    return pl.DataFrame(frame, schema=dict.fromkeys(header, pl.String)), np.asarray(lines, np.int64)


def _rows(file: Path, text: str, delimiter: str) -> tuple[list[str], list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    names: list[str] = []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not names:
                names = header(file, row, reader.line_num)
                continue
            if len(row) != len(names):
                raise _ragged(file, row, len(names), reader.line_num, delimiter)
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        place, came, repair = f"line {reader.line_num}", str(error), "mend the quotes of this row"
        if "field limit" in came:
            came, repair = "a cell of more than 131,072 characters", "close the quotes before it"
        raise refusal(file.name, place, "cells must be well formed", came, repair) from None
    if not rows:
        rule, came = "rows are needed below the header", "the header alone"
        raise refusal(file.name, "file", rule, came, "check the export")
    return names, rows, lines


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
