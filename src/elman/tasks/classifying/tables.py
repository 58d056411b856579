"""Files of examples to tables: CSV, Parquet, JSON lines, plain lines, folders of texts by class.

They are read as a stream, in blocks of rows: no file is ever whole in memory.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from elman.data import csv_rows
from elman.data.csv_file import csv_tables, whole_lines
from elman.data.errors import DataError, refusal, shown
from elman.data.files_in import check_kind, parquet_tables
from elman.data.table import Table, as_table, in_blocks, joined
from elman.data.text import Source, decoded, lines_of

TEXT, LABEL, FILE = "text", "label", "file"
"""Columns of tables that are made from files without columns."""

_JSON_LINES = (".jsonl", ".ndjson", ".json")
_UTF8 = ("utf-8", "utf8", "utf_8", "utf-8-sig")
_BINARY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")
_HEAD = 1 << 20  # characters in which the first line ends, or is long enough to tell
_ROWS = 1 << 14  # of a table in memory that are looked at together


class Blocks(Iterable[Table]):
    """A table in blocks of rows, all with the same columns; to be read once.

    Args:
        tables: the blocks, as they are read.
        digest: takes in the file as it is read.
        sha256: of the file, where it is known.
    """

    def __init__(self, tables: Iterator[Table], digest: Any = None, sha256: str = "") -> None:
        self._tables, self._digest, self._known = tables, digest, sha256

    def __iter__(self) -> Iterator[Table]:
        return self._tables

    @property
    def sha256(self) -> str:
        """Of the file, once all of it was read; "" without one."""
        return self._known if self._digest is None else self._digest.hexdigest()


def read_table(data: Any, encoding: str = "utf-8", separator: str = "") -> Table:
    """What `read_blocks` reads, as one table."""
    blocks = read_blocks(data, encoding, separator)
    table = joined(blocks)
    return replace(table, sha256=blocks.sha256)


def read_blocks(data: Any, encoding: str = "utf-8", separator: str = "") -> Blocks:
    """A table of examples, a row each or a row for each step.

    Args:
        data: a path (str or `pathlib.Path`), a DataFrame or a dict of columns. A folder holds one
            for each class, with a file for each text in it. A `.txt` file has a text on each line.
        encoding: of the file.
        separator: what several labels of a row are joined by, where JSON has a list of them.

    Raises:
        DataError: it cannot be used; says the file, the place and the repair. Some are raised when
            a block is read.
        TypeError: it is none of these.
    """
    if not isinstance(data, str | os.PathLike):
        return _in_memory(as_table(data))
    path, digest = Path(data), hashlib.sha256()
    if path.is_dir():
        return Blocks(_folder(path, encoding, digest), digest)
    raw = Source(path.name, path).raw_blocks()
    first = next(raw, b"")
    if first.startswith(b"PAR1"):
        with path.open("rb") as file:
            if file.read(4) != b"PAR1":  # packed: there is no reading it in parts
                return _in_memory(as_table(path))
        for block in chain((first,), raw):
            digest.update(block)
        return Blocks(parquet_tables(path), digest)
    if first.startswith(_BINARY) or (first[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding in _UTF8):
        check_kind(path, first)
    text = _text(path, chain((first,), raw), encoding, digest)
    return Blocks(_some(path, _from_text(path, text, separator)), digest)


def _in_memory(table: Table) -> Blocks:
    """A table that is in memory already, some rows at a time."""

    def slices() -> Iterator[Table]:
        for first in range(0, table.frame.height, _ROWS):
            lines = None if table.lines is None else table.lines[first : first + _ROWS]
            yield replace(table, frame=table.frame.slice(first, _ROWS), lines=lines, first=first)

    return Blocks(slices(), sha256=table.sha256)


def _some(path: Path, tables: Iterator[Table]) -> Iterator[Table]:
    """The tables with their path; refused where there are none."""
    table = None
    for table in tables:
        yield replace(table, path=path)
    if table is None:
        raise refusal(path.name, "file", "examples are needed", "none", "check the export")


def _text(path: Path, raw: Iterable[bytes], encoding: str, digest: Any) -> Iterator[str]:
    """The characters of a file, and its digest as they are read."""
    start = b""

    def digested() -> Iterator[bytes]:
        nonlocal start
        for block in raw:
            start = start or block[:512]
            digest.update(block)
            yield block

    try:
        yield from decoded(path.name, digested(), encoding)
    except DataError:
        if b"\0" in start:
            check_kind(path, start)  # which says what it is
        raise


def _from_text(path: Path, text: Iterator[str], separator: str) -> Iterator[Table]:
    name, head = path.name.removesuffix(".gz"), ""
    while len(head) < _HEAD and "\n" not in head.lstrip() and (block := next(text, "")):
        head += block
    text = chain((head,), text)
    if name.endswith(_JSON_LINES) or head.lstrip()[:1] == "{":
        return _json_lines(path, text, separator)
    if name.endswith(".txt"):
        return _lines(path, text)
    first = next((line for line in head.split("\n") if line.strip()), "")
    if first.strip() and not any(mark in first for mark in ",;\t|"):
        return _one_column(path, text)
    return csv_tables(path, (block.encode() for block in text))


def _table(path: Path, columns: dict[str, list[str]], lines: list[int]) -> Table:
    import polars as pl

    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return Table(path.name, frame, np.asarray(lines, np.int64))


def _lines(path: Path, text: Iterable[str]) -> Iterator[Table]:
    """A text on each line; an empty line is an empty text."""
    found = ((k, line.removesuffix("\r")) for k, line in enumerate(lines_of(text), 1))
    for lines, rows in in_blocks(found, len):
        yield _table(path, {TEXT: rows}, lines)


def _one_column(path: Path, text: Iterable[str]) -> Iterator[Table]:
    """CSV without a separator in its header: one column."""
    pieces = whole_lines(path, (block.encode() for block in text))
    found = ((line, row) for line, row in csv_rows.cells(path, pieces, ",") if row)
    name = next(found)[1][0].strip()
    for lines, rows in in_blocks(_single(path, found), len):
        yield _table(path, {name: rows}, lines)


def _single(path: Path, rows: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, str]]:
    for line, row in rows:
        if len(row) > 1:
            rule, came = "each row has 1 cell, as the header has", f"{len(row)}"
            repair = "put quotes round a text that contains a comma"
            raise refusal(path.name, f"line {line}", rule, came, repair)
        yield line, row[0].strip()


def _json_lines(path: Path, text: Iterable[str], separator: str) -> Iterator[Table]:
    """A JSON object on each line; all have the same keys."""
    rows = _json_rows(path, text, separator)
    for lines, some in in_blocks(rows, lambda row: sum(map(len, row.values()))):
        yield _table(path, {key: [row[key] for row in some] for key in some[0]}, lines)


def _json_rows(
    path: Path, text: Iterable[str], separator: str
) -> Iterator[tuple[int, dict[str, str]]]:
    keys: list[str] | None = None
    for number, line in enumerate(lines_of(text), 1):
        if not line.strip():
            continue
        found = _json_object(path, number, line)
        keys = list(found) if keys is None else keys
        if found.keys() != set(keys):
            odd = min(found.keys() ^ set(keys))
            rule, repair = "each line has the same keys", "write null for what is missing"
            came = f"{odd!r} on some lines alone"
            raise refusal(path.name, f"line {number}", rule, came, repair)
        yield number, {key: _cell(path, number, key, found[key], separator) for key in keys}


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


def _folder(path: Path, encoding: str, digest: Any) -> Iterator[Table]:
    """A folder for each class, a text file for each example; hidden ones are left out."""
    inner = sorted(one for one in path.iterdir() if one.is_dir() and one.name[0] != ".")
    if len(inner) < 2:
        rule, repair = "a folder holds a folder for each class", "make class/one.txt, other/two.txt"
        raise refusal(str(path), "path", rule, f"{len(inner)} of them", repair)
    rows = enumerate(_texts_in(inner, encoding, digest))
    first = None
    for first, some in in_blocks(rows, lambda row: len(row[0])):
        columns = dict(zip((TEXT, LABEL, FILE), map(list, zip(*some, strict=True)), strict=True))
        yield replace(_table(path, columns, first), lines=None, path=path, first=first[0])
    if first is None:
        raise refusal(str(path), "path", "texts are needed", "empty folders", "check the name")


def _texts_in(
    folders: Iterable[Path], encoding: str, digest: Any
) -> Iterator[tuple[str, str, str]]:
    """Text, class and name of each file."""
    for folder in folders:
        with os.scandir(folder) as found:
            files = sorted(one.name for one in found if one.is_file() and one.name[0] != ".")
        for file in files:
            name = f"{folder.name}/{file}"
            text = _file_text(folder / file, name, encoding)
            digest.update(f"{name}\0{text}\0".encode("utf-8", "surrogatepass"))
            yield text, folder.name, name


def _file_text(file: Path, name: str, encoding: str) -> str:
    raw = b"".join(Source(name, file).raw_blocks())
    if b"\0" in raw and encoding in _UTF8:
        rule, came = "a text file is needed", "a NUL byte: it is no text, or in another encoding"
        raise refusal(name, "file", rule, came, "take it out of the folder, or give --encoding")
    return "".join(decoded(name, (raw,), encoding)).strip()


def text_column(table: Table, asked: str) -> str:
    """The column of the texts: as asked for, or by its name.

    Lines of text and folders have no columns of their own: of them `asked` is the texts.

    Raises:
        DataError: there is none of that name, or none that is text.
    """
    import polars as pl

    from elman.data.columns import check_present

    names = table.frame.columns
    if asked not in names and _without_columns(table):
        return TEXT
    if asked:
        check_present(table, "text", asked, _as_in_training(asked))
        if table.frame[asked].dtype not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
            rule, came = "texts are needed", str(table.frame[asked].dtype)
            raise table.refuse(f"column {asked!r}", rule, came, "name the column of the texts")
        return asked
    return _by_name(table, _TEXT_NAMES, "text", names)


def label_column(table: Table, asked: str, taken: Iterable[str]) -> str:
    """The column of the labels: as asked for, or by its name; of a folder, the classes.

    Raises:
        DataError: there is none of that name, or none with a usual name.
    """
    from elman.data.columns import check_present

    if (
        asked not in table.frame.columns
        and LABEL in table.frame.columns
        and _without_columns(table)
    ):
        return LABEL
    if asked:
        check_present(table, "label", asked, _as_in_training(asked))
        return asked
    rest = [name for name in table.frame.columns if name not in set(taken)]
    if len(rest) == 1:
        return rest[0]
    return _by_name(table, _LABEL_NAMES, "label", rest)


def _as_in_training(asked: str) -> str:
    """What mends a file that a trained model is given."""
    return f"; for a model that is trained, call the column {asked!r} as in training"


def _without_columns(table: Table) -> bool:
    """Whether its columns were made here, of lines of text or of a folder."""
    names = table.frame.columns
    if table.path is None:
        return False
    return names == [TEXT, LABEL, FILE] if table.path.is_dir() else names == [TEXT]


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


__all__ = [
    "FILE",
    "LABEL",
    "TEXT",
    "Blocks",
    "label_column",
    "read_blocks",
    "read_table",
    "text_column",
]
