"""CSV by polars, where it can be seen beforehand that both readers give the same."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.csv_rows import header

if TYPE_CHECKING:
    import polars as pl

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Places = np.ndarray[Any, np.dtype[np.int64]]
_QUOTE, _NEWLINE, _RETURN = (ord(c) for c in '"\n\r')
# Python's reader refuses longer cells; a file that may have one is left to it.
_LONGEST_CELL = 131_072


def read(
    file: Path, data: bytes, delimiter: str, names: "list[str] | None" = None
) -> "pl.DataFrame | None":
    """The columns as text, or None where the file has to be read line by line.

    Each line must have as many cells as the header, no cell a line break or a quote in it, and no
    line between rows may be empty, so that row k of the table is line k + 2.

    Args:
        data: whole lines.
        names: of the columns; without them the first line is the header.

    Raises:
        DataError: the header breaks a rule.
    """
    import polars as pl

    data = data.rstrip(b"\r\n") + b"\n"
    known = 0 if names is None else len(names)
    if not _regular(np.frombuffer(data, np.uint8), ord(delimiter), known):
        return None
    if names is None:
        first = data[: data.index(b"\n")].decode().rstrip("\r")
        row = next(csv.reader([first], delimiter=delimiter))
        if not any(cell.strip() for cell in row):
            return None
        names = header(file, row)
    frame = pl.read_csv(
        data,
        separator=delimiter,
        has_header=False,
        skip_rows=0 if known else 1,
        schema=dict.fromkeys(names, pl.String),
    ).with_columns(pl.all().fill_null(""))
    return None if _has_empty_rows(frame) else frame


def _has_empty_rows(frame: "pl.DataFrame") -> bool:
    import polars as pl

    rows = frame
    for name in frame.columns:
        rows = rows.filter(pl.col(name).str.strip_chars() == "")
    return rows.height > 0


def _regular(data: Bytes, delimiter: int, width: int) -> bool:
    """Whether every line has as many cells as the first, and quotes only round whole cells.

    Args:
        width: how many cells a row has; 0 where the first line is the header, which says it.
    """
    quotes = np.flatnonzero(data == _QUOTE)
    ends = np.flatnonzero(data == _NEWLINE)
    separators = np.flatnonzero(data == delimiter)
    if ends.size < (1 if width else 2) or not _returns_end_lines(data):
        return False
    if quotes.size:
        if not _quotes_enclose_cells(data, quotes, delimiter) or _inside(ends, quotes).any():
            return False
        separators = separators[~_inside(separators, quotes)]
    counts = np.diff(np.searchsorted(separators, ends), prepend=0)
    longest = np.diff(ends, prepend=-1).max()
    wanted = width - 1 if width else counts[0]
    return bool((counts == wanted).all() and wanted and longest < _LONGEST_CELL)


def _returns_end_lines(data: Bytes) -> bool:
    returns = np.flatnonzero(data == _RETURN)
    return bool((data[returns + 1] == _NEWLINE).all())


def _quotes_enclose_cells(data: Bytes, quotes: Places, delimiter: int) -> bool:
    if quotes.size % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = data[opening[opening > 0] - 1]
    after = data[closing + 1]
    starts = np.isin(before, [delimiter, _NEWLINE]).all()
    return bool(starts and np.isin(after, [delimiter, _NEWLINE, _RETURN]).all())


def _inside(places: Places, quotes: Places) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Which places lie between an opening quote and its closing one."""
    return np.asarray(np.searchsorted(quotes, places) % 2 == 1)
