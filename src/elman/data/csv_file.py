"""CSV files, read strictly: every refusal names the line and the repair.

Read with Python's own reader, as text: it knows the line of each row, which is what someone
with a broken file needs.
"""

import csv
import gzip
import hashlib
import io
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from elman.data.errors import refusal, shown
from elman.data.table import Table

if TYPE_CHECKING:
    import polars as pl

# What a file of another kind begins with, what it is, and what to do about it.
_OTHER_KINDS = (
    (b"PAR1", "a Parquet file", "read it with polars.read_parquet and write_csv"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"),
    (b"%PDF", "a PDF", "export the table as CSV"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
)
_DELIMITERS = ",;\t|"


def read_csv(path: str | os.PathLike[str]) -> Table:
    """Read a CSV file (UTF-8; comma, semicolon, tab or bar; plain or gzip) as text columns.

    Raises:
        DataError: it is missing, empty, of another kind, wrongly encoded or ragged.
    """
    file = Path(path)
    stored = _bytes_of(file)
    data = _decompressed(file, stored)
    text = _text(file, data)
    header, rows, lines = _rows(file, text, _delimiter(text))
    frame, ignored = _frame(header, rows)
    notes = tuple(f"column {k + 1} has no name and is ignored" for k in ignored)
    digest = hashlib.sha256(stored).hexdigest()
    return Table(file.name, frame, np.asarray(lines, np.int64), file, digest, notes)


def _bytes_of(file: Path) -> bytes:
    try:
        if file.exists() and not file.is_file():
            rule = "a CSV file is needed"
            raise refusal(str(file), "path", rule, "a folder or device", "name a file in it")
        return file.read_bytes()
    except FileNotFoundError:
        rule = "the file must exist"
        raise refusal(str(file), "path", rule, "no such file", "check the name") from None
    except OSError as error:
        rule = "the file must be readable"
        came = error.strerror or type(error).__name__
        raise refusal(str(file), "path", rule, came, "check its permissions") from None


def _decompressed(file: Path, data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        rule, repair = "a gzip file must be whole", "copy or download it again"
        raise refusal(file.name, "compressed data", rule, str(error), repair) from None


def _text(file: Path, data: bytes) -> str:
    for start, kind, repair in _OTHER_KINDS:
        if data.startswith(start):
            raise refusal(file.name, "start", "a CSV file is needed", kind, repair)
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        repair = "copy the file again, or remove the byte (tr -d '\\000')"
        raise refusal(file.name, f"line {line}", "CSV is text", "a NUL byte", repair)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        came = f"the byte 0x{data[error.start]:02x}"
        repair = "save it as UTF-8 (iconv -f LATIN1 -t UTF-8 if it is Western European)"
        raise refusal(file.name, f"line {line}", "the text must be UTF-8", came, repair) from None
    if not text.strip():
        raise refusal(
            file.name, "file", "a header and rows are needed", "nothing", "check the export"
        )
    if text.lstrip()[:1] == "<":
        repair = "download the file itself, not the page about it"
        raise refusal(file.name, "line 1", "a CSV file is needed", "HTML or XML", repair)
    return text


def _delimiter(text: str) -> str:
    """The separator that occurs most often in the header, comma first."""
    header = text.lstrip("\r\n").split("\n", 1)[0]
    return max(_DELIMITERS, key=header.count)


def _rows(file: Path, text: str, delimiter: str) -> tuple[list[str], list[list[str]], list[int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    header: list[str] = []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = _header(file, row)
                continue
            if len(row) != len(header):
                rule = f"each row has {len(header)} cells, as the header has"
                repair = "mend the line; put quotes round a cell that contains a separator"
                place, came = f"line {reader.line_num}", f"{len(row)}: {shown(delimiter.join(row))}"
                raise refusal(file.name, place, rule, came, repair)
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        place, repair = f"line {reader.line_num}", "mend the quotes round the cells of this row"
        raise refusal(file.name, place, "cells must be well formed", str(error), repair) from None
    if not rows:
        rule, came = "rows are needed below the header", "the header alone"
        raise refusal(file.name, "file", rule, came, "check the export")
    return header, rows, lines


def _header(file: Path, row: list[str]) -> list[str]:
    names = [name.strip() for name in row]
    if len(names) < 2:
        rule = "a time column and a value column are needed"
        repair = "add a column of times; separate cells by comma, semicolon, tab or bar"
        raise refusal(file.name, "line 1", rule, f"one column, {shown(names[0])}", repair)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        rule, repair = "columns must have different names", "rename one of them"
        raise refusal(file.name, "line 1", rule, f"{shown(twice[0])} twice", repair)
    if all(_is_number(name) for name in names if name):
        rule, repair = "the first line names the columns", "add a header, such as ds,y"
        raise refusal(file.name, "line 1", rule, shown(",".join(names)), repair)
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        # Only what begins as a time does: a name may hold digits too.
        return text[:4].isdigit() and text[4:5] in ("-", "/")
    return True


def _frame(header: list[str], rows: list[list[str]]) -> tuple["pl.DataFrame", list[int]]:
    import polars as pl

    columns = list(zip(*rows, strict=True))
    ignored = [k for k, name in enumerate(header) if not name]
    kept = {name: columns[k] for k, name in enumerate(header) if name}
    schema = dict.fromkeys(kept, pl.String)
    return pl.DataFrame(kept, schema=schema).with_columns(pl.all().str.strip_chars()), ignored
