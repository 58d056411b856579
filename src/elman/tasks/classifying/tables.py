"""Files of examples to tables: CSV, Parquet, JSON lines, plain lines, folders of texts by class."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from elman.data.csv_file import read_csv
from elman.data.errors import DataError, refusal, shown
from elman.data.table import Table, as_table
from elman.data.text import Source

TEXT, LABEL, FILE = "text", "label", "file"
"""Columns of tables that are made from files without columns."""

_JSON_LINES = (".jsonl", ".ndjson", ".json")
_UTF8 = ("utf-8", "utf8", "utf_8", "utf-8-sig")


def read_table(data: Any, encoding: str = "utf-8", separator: str = "") -> Table:
    """A table of examples, a row each or a row for each step.

    Args:
        data: a path (str or `pathlib.Path`), a DataFrame or a dict of columns. A folder holds one
            for each class, with a file for each text in it. A `.txt` file has a text on each line.
        encoding: of the file.
        separator: what several labels of a row are joined by, where JSON has a list of them.

    Raises:
        DataError: it cannot be used; says the file, the place and the repair.
        TypeError: it is none of these.
    """
    if not isinstance(data, str | os.PathLike):
        return as_table(data)
    path = Path(data)
    if path.is_dir():
        return _folder(path, encoding)
    raw = b"".join(Source(path.name, path).raw_blocks())
    if raw.startswith(b"PAR1") or (raw[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding in _UTF8):
        return as_table(path)
    table = _from_text(path, raw, _decoded(path, path.name, raw, encoding), separator)
    if not table.frame.height:
        raise refusal(path.name, "file", "examples are needed", "none", "check the export")
    return replace(table, path=path, sha256=hashlib.sha256(raw).hexdigest())


def _from_text(path: Path, raw: bytes, text: str, separator: str) -> Table:
    name = path.name.removesuffix(".gz")
    if name.endswith(_JSON_LINES) or text.lstrip()[:1] == "{":
        return _json_lines(path, text, separator)
    if name.endswith(".txt"):
        return _lines(path, text)
    first = next((line for line in text.split("\n") if line.strip()), "")
    if first.strip() and not any(mark in first for mark in ",;\t|"):
        return _one_column(path, text)
    if raw[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF"):
        return as_table(path)
    return read_csv(path, text.encode())


def _decoded(path: Path, name: str, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode("utf-8-sig" if encoding in _UTF8 else encoding)
    except UnicodeDecodeError as error:
        if raw[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF") or b"\0" in raw[:512]:
            as_table(path)  # which says what it is
        line = raw.count(b"\n", 0, error.start) + 1
        rule, came = f"the text must be {encoding.upper()}", f"the byte 0x{raw[error.start]:02x}"
        repair = (
            "give its own encoding (--encoding latin-1 if it is Western European), or save it as "
            "UTF-8"
        )
        raise refusal(name, f"line {line}", rule, came, repair) from None


def _lines(path: Path, text: str) -> Table:
    """A text on each line; an empty line is an empty text."""
    import polars as pl

    rows = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    lines = np.arange(1, len(rows) + 1)
    return Table(path.name, pl.DataFrame({TEXT: rows}, schema={TEXT: pl.String}), lines, path)


def _one_column(path: Path, text: str) -> Table:
    """CSV without a separator in its header: one column."""
    import polars as pl

    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        place = f"line {reader.line_num}"
        rule, repair = "cells must be well formed", "mend the quotes of this row"
        raise refusal(path.name, place, rule, str(error), repair) from None
    wrong = next((k for k, row in enumerate(rows) if len(row) > 1), None)
    if wrong is not None:
        rule, came = "each row has 1 cell, as the header has", f"{len(rows[wrong])}"
        repair = "put quotes round a text that contains a comma"
        raise refusal(path.name, f"line {lines[wrong]}", rule, came, repair)
    name = rows[0][0].strip()
    frame = pl.DataFrame({name: [row[0].strip() for row in rows[1:]]}, schema={name: pl.String})
    return Table(path.name, frame, np.asarray(lines[1:], np.int64), path)


def _json_lines(path: Path, text: str, separator: str) -> Table:
    """A JSON object on each line; all have the same keys."""
    import polars as pl

    columns: dict[str, list[str]] = {}
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        found = _json_object(path, number, line)
        if lines and found.keys() != columns.keys():
            odd = min(found.keys() ^ columns.keys())
            rule, repair = "each line has the same keys", "write null for what is missing"
            came = f"{odd!r} on some lines alone"
            raise refusal(path.name, f"line {number}", rule, came, repair)
        for key, value in found.items():
            columns.setdefault(key, []).append(_cell(path, number, key, value, separator))
        lines.append(number)
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return Table(path.name, frame, np.asarray(lines, np.int64), path)


def _json_object(path: Path, number: int, line: str) -> dict[str, Any]:
    rule, repair = "each line is a JSON object", 'write {"text": "...", "label": "..."} on a line'
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        came = str(error) or "what is nested too deeply"
        raise refusal(path.name, f"line {number}", rule, came, repair) from None
    if not isinstance(found, dict):
        raise refusal(path.name, f"line {number}", rule, shown(found), repair)
    return found


def _cell(path: Path, number: int, key: str, value: Any, separator: str) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    place = f"line {number}, key {key!r}"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        if separator and not any(separator in one for one in value):
            return separator.join(value)
        rule = "a list of labels needs a separator that is in none of them"
        repair = "give --label-separator ';' (label_separator=';'), or one text"
        raise refusal(path.name, place, rule, shown(value), repair)
    rule, repair = "a value is text, a number or null", "take the value out of its object"
    raise refusal(path.name, place, rule, shown(value), repair)


def _folder(path: Path, encoding: str) -> Table:
    """A folder for each class, a text file for each example; hidden ones are left out."""
    import polars as pl

    inner = sorted(one for one in path.iterdir() if one.is_dir() and one.name[0] != ".")
    if len(inner) < 2:
        rule, repair = "a folder holds a folder for each class", "make class/one.txt, other/two.txt"
        raise refusal(str(path), "path", rule, f"{len(inner)} of them", repair)
    rows: list[tuple[str, str, str]] = []
    digest = hashlib.sha256()
    for folder in inner:
        for file in sorted(one for one in folder.iterdir() if one.is_file()):
            if file.name[0] == ".":
                continue
            name = f"{folder.name}/{file.name}"
            text = _file_text(file, name, encoding)
            digest.update(f"{name}\0{text}\0".encode("utf-8", "surrogatepass"))
            rows.append((text, folder.name, name))
    if not rows:
        raise refusal(str(path), "path", "texts are needed", "empty folders", "check the name")
    frame = pl.DataFrame(rows, schema=dict.fromkeys((TEXT, LABEL, FILE), pl.String), orient="row")
    return Table(path.name, frame, path=path, sha256=digest.hexdigest())


def _file_text(file: Path, name: str, encoding: str) -> str:
    raw = b"".join(Source(name, file).raw_blocks())
    if b"\0" in raw and encoding in _UTF8:
        rule, came = "a text file is needed", "a NUL byte: it is no text, or in another encoding"
        raise refusal(name, "file", rule, came, "take it out of the folder, or give --encoding")
    return _decoded(file, name, raw, encoding).strip()


def text_column(table: Table, asked: str) -> str:
    """The column of the texts: as asked for, or by its name, or the one of longest texts.

    Raises:
        DataError: there is none of that name, or none that is text.
    """
    import polars as pl

    from elman.data.columns import check_present

    names = table.frame.columns
    if asked:
        check_present(table, "text", asked)
        if table.frame[asked].dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
            rule, came = "texts are needed", str(table.frame[asked].dtype)
            raise table.refuse(f"column {asked!r}", rule, came, "name the column of the texts")
        return asked
    return _by_name(table, _TEXT_NAMES, "text", names)


def label_column(table: Table, asked: str, taken: Iterable[str]) -> str:
    """The column of the labels: as asked for, or by its name.

    Raises:
        DataError: there is none of that name, or none with a usual name.
    """
    from elman.data.columns import check_present

    if asked:
        check_present(table, "label", asked)
        return asked
    rest = [name for name in table.frame.columns if name not in set(taken)]
    if len(rest) == 1:
        return rest[0]
    return _by_name(table, _LABEL_NAMES, "label", rest)


_TEXT_NAMES = ("text", "review", "sentence", "content", "body", "comment", "tweet", "message")
_LABEL_NAMES = ("label", "labels", "class", "sentiment", "category", "target", "y", "tag", "tags")


def _by_name(table: Table, known: tuple[str, ...], what: str, names: list[str]) -> str:
    lower = {name.lower(): name for name in reversed(names)}
    for name in known:
        if name in lower:
            return lower[name]
    listed = ", ".join(names[:20]) or "none"
    raise table.refuse(
        "columns", f"a column of {what}s is needed", listed, f"name it with {table.flag(what)}"
    )


__all__ = ["FILE", "LABEL", "TEXT", "DataError", "label_column", "read_table", "text_column"]
