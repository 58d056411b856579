"""CSV files as text columns; every refusal names the line and the repair.

What is plainly regular is read by polars. Everything else goes through Python's own reader, which
knows the line of each row: what someone with a broken file needs. Both give the same table.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from elman.data import csv_fast, csv_rows
from elman.data.errors import refusal
from elman.data.table import Table, joined

_DELIMITERS = ",;\t|"


def read_csv(file: Path, data: bytes, *, fast: bool = True) -> Table:
    """Read CSV (UTF-8; comma, semicolon, tab or bar) as text columns.

    Args:
        fast: False reads line by line, whatever the content: for tests.

    Raises:
        DataError: it is empty, of another kind, wrongly encoded or ragged.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    _check_nul(file, data, 0)
    _check_encoding(file, data)
    return joined(_tables(file, iter((data,) if data else ()), fast))


def csv_tables(file: Path, chunks: Iterable[bytes]) -> Iterator[Table]:
    """What `read_csv` reads, a block of rows after another.

    Args:
        chunks: the bytes, UTF-8 without a mark of their order, cut anywhere.

    Raises:
        DataError: as `read_csv`, when a block is reached that breaks a rule.
    """
    return _tables(file, whole_lines(file, chunks), True)


def whole_lines(file: Path, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, each piece to the end of a line.

    Raises:
        DataError: there is a NUL among them.
    """
    rest: list[bytes] = []
    lines = 0
    for chunk in chunks:
        _check_nul(file, chunk, lines)
        lines += chunk.count(b"\n")
        cut = max(chunk.rfind(b"\n"), chunk.rfind(b"\r", 0, -1)) + 1
        rest.append(chunk[:cut] if cut else chunk)
        if cut:
            yield b"".join(rest)
            rest = [chunk[cut:]]
    last = b"".join(rest)
    if last:
        yield last


def _tables(file: Path, pieces: Iterator[bytes], fast: bool) -> Iterator[Table]:
    """Blocks by the fast reader as long as it can, and by the other from there on."""
    start = b""
    while not start.strip() and (piece := next(pieces, b"")):
        start += piece
    _check_start(file, start[: 1 << 16].decode(errors="ignore") if start.strip() else "")
    delimiter = _delimiter(start)
    names: list[str] = []
    lines, piece = 0, start
    while fast and piece:
        frame = csv_fast.read(file, piece, delimiter, names or None)
        if frame is None:
            break
        first = lines + (1 if names else 2)
        names = frame.columns
        yield _named(Table(file.name, frame, np.arange(first, first + frame.height), file))
        rows = piece.rstrip(b"\r\n")
        lines += rows.count(b"\n") + len(piece[len(rows) :].splitlines())
        piece = next(pieces, b"")
    if not piece:
        return
    found = csv_rows.tables(file, chain((piece,), pieces), delimiter, names, lines)
    first_table = next(found, None)
    if first_table is None and not names:
        rule, came = "rows are needed below the header", "the header alone"
        raise refusal(file.name, "file", rule, came, "check the export")
    for table in chain((first_table,) if first_table is not None else (), found):
        yield _named(table)


def _named(table: Table) -> Table:
    """Cells without space around them, and no columns without a name."""
    import polars as pl

    unnamed = [name for name in table.frame.columns if name.startswith("\0")]
    notes = tuple(f"column {name[1:]} has no name and is ignored" for name in unnamed)
    frame = table.frame.drop(unnamed).with_columns(pl.all().str.strip_chars())
    return replace(table, frame=frame, notes=notes)


def _check_nul(file: Path, data: bytes, before: int) -> None:
    if b"\0" in data:
        line = before + data[: data.index(b"\0")].count(b"\n") + 1
        repair = "copy the file again, or remove the byte (tr -d '\\000')"
        raise refusal(file.name, f"line {line}", "CSV is text", "a NUL byte", repair)


def _check_encoding(file: Path, data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        came = f"the byte 0x{data[error.start]:02x}"
        repair = "save it as UTF-8 (iconv -f LATIN1 -t UTF-8 if it is Western European)"
        raise refusal(file.name, f"line {line}", "the text must be UTF-8", came, repair) from None


def _check_start(file: Path, text: str) -> None:
    start = text.lstrip()
    if not start:
        repair = "check the export"
        raise refusal(file.name, "file", "a header and rows are needed", "nothing", repair)
    if start[0] in "<{[":
        kind = "HTML or XML" if start[0] == "<" else "JSON"
        repair = "download the file itself, not the page about it"
        if kind == "JSON":
            repair = "write it as CSV (polars.read_json, then write_csv)"
        raise refusal(file.name, "line 1", "a CSV file is needed", kind, repair)


def _delimiter(start: bytes) -> str:
    """The separator that occurs most often in the header, comma first."""
    header = start.lstrip(b"\r\n").split(b"\n", 1)[0].split(b"\r", 1)[0].decode()
    return max(_DELIMITERS, key=header.count)
