"""CSV files as text columns; every refusal names the line and the repair.

What is plainly regular is read by polars. Everything else goes through Python's own reader, which
knows the line of each row: what someone with a broken file needs. Both give the same table.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from elman.data import csv_fast, csv_rows
from elman.data.errors import refusal
from elman.data.table import Table

if TYPE_CHECKING:
    import polars as pl

_DELIMITERS = ",;\t|"


def read_csv(file: Path, data: bytes, *, fast: bool = True) -> Table:
    """Read CSV (UTF-8; comma, semicolon, tab or bar) as text columns.

    Args:
        fast: False reads line by line, whatever the content: for tests.

    Raises:
        DataError: it is empty, of another kind, wrongly encoded or ragged.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    text = _text(file, data)
    delimiter = _delimiter(text)
    frame = csv_fast.read(file, data, delimiter) if fast else None
    if frame is None:
        frame, lines = csv_rows.read(file, text, delimiter)
    else:
        lines = np.arange(2, frame.height + 2)
    unnamed = [name for name in frame.columns if name.startswith("\0")]
    notes = tuple(f"column {name[1:]} has no name and is ignored" for name in unnamed)
    return Table(file.name, _stripped(frame.drop(unnamed)), lines, file, notes=notes)


def _stripped(frame: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    return frame.with_columns(pl.all().str.strip_chars())


def _text(file: Path, data: bytes) -> str:
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        repair = "copy the file again, or remove the byte (tr -d '\\000')"
        raise refusal(file.name, f"line {line}", "CSV is text", "a NUL byte", repair)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        came = f"the byte 0x{data[error.start]:02x}"
        repair = "save it as UTF-8 (iconv -f LATIN1 -t UTF-8 if it is Western European)"
        raise refusal(file.name, f"line {line}", "the text must be UTF-8", came, repair) from None
    start = text[:4096].lstrip() or text.lstrip()[:4096]
    if not start:
        repair = "check the export"
        raise refusal(file.name, "file", "a header and rows are needed", "nothing", repair)
    if start[0] in "<{[":
        kind = "HTML or XML" if start[0] == "<" else "JSON"
        repair = "download the file itself, not the page about it"
        if kind == "JSON":
            repair = "write it as CSV (polars.read_json, then write_csv)"
        raise refusal(file.name, "line 1", "a CSV file is needed", kind, repair)
    return text


def _delimiter(text: str) -> str:
    """The separator that occurs most often in the header, comma first."""
    header = text.lstrip("\r\n").split("\n", 1)[0]
    return max(_DELIMITERS, key=header.count)
