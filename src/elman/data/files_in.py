"""A file's bytes, and which reader they are for."""

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from elman.data.csv_file import read_csv
from elman.data.errors import refusal
from elman.data.table import Table, check_rows

if TYPE_CHECKING:
    import polars as pl

_FIRST_ROWS = 1024  # which say how many make a block
_PARQUET_BLOCK = 1 << 24  # bytes: of what a file holds together a part is unpacked for each block
_UTF8 = "save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
_UNPACK = "unpack it, or pack it with gzip"
# What a file of another kind begins with, what it is, and what to do about it.
_OTHER_KINDS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"\xff\xfe", "UTF-16 text", _UTF8),
    (b"\xfe\xff", "UTF-16 text", _UTF8),
    (b"%PDF", "a PDF", "export the table as CSV"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"BZh", "a bzip2 file", _UNPACK),
    (b"\xfd7zXZ", "an xz file", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd file", _UNPACK),
    (b"\x93NUMPY", "a NumPy array", "write a table with a column of times"),
    (b"\x80\x04\x95", "a pickle", "write the table with to_parquet or to_csv"),
    (b"\x80\x05\x95", "a pickle", "write the table with to_parquet or to_csv"),
    (b"ARROW1", "an Arrow file", "write it as Parquet (polars.read_ipc, then write_parquet)"),
)


def read_file(path: str | os.PathLike[str]) -> Table:
    """Read a CSV file, plain or gzip, or a Parquet file; which one, the content says.

    Raises:
        DataError: it is missing, damaged, of another kind, or breaks a rule of its reader.
    """
    file = Path(path)
    stored = _bytes_of(file)
    data = _decompressed(file, stored)
    check_kind(file, data)
    if data.startswith(b"PAR1"):
        table = Table(file.name, _parquet(file, data), path=file)
    else:
        table = read_csv(file, data)
    return replace(table, sha256=hashlib.sha256(stored).hexdigest())


def check_kind(file: Path, data: bytes) -> None:
    """Raises DataError where a file begins as one does that is no table."""
    for start, kind, repair in _OTHER_KINDS:
        if data.startswith(start):
            raise refusal(file.name, "start", "a CSV or Parquet file is needed", kind, repair)


def _bytes_of(file: Path) -> bytes:
    try:
        if file.exists() and not file.is_file():
            rule = "a CSV or Parquet file is needed"
            raise refusal(str(file), "path", rule, "a folder or device", "name a file in it")
        return file.read_bytes()
    except FileNotFoundError:
        rule = "the file must exist"
        raise refusal(str(file), "path", rule, "no such file", "check the name") from None
    except (OSError, ValueError) as error:
        rule = "the file must be readable"
        came = getattr(error, "strerror", None) or str(error)
        raise refusal(str(file), "path", rule, came, "check its name and permissions") from None


def _decompressed(file: Path, data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        rule, repair = "a gzip file must be whole", "copy or download it again"
        raise refusal(file.name, "compressed data", rule, str(error), repair) from None


def _parquet(file: Path, data: bytes) -> "pl.DataFrame":
    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _not_whole(file, error) from None


def _not_whole(file: Path, error: Exception) -> Exception:
    came = str(error).split("\n")[0][:120]
    rule, repair = "a Parquet file must be whole", "write, copy or download it again"
    return refusal(file.name, "file", rule, came, repair)


def parquet_tables(file: Path) -> Iterator[Table]:
    """The rows of a Parquet file that is not packed, a block after another.

    Raises:
        DataError: it is damaged, or has no rows.
    """
    import polars as pl

    start, height, rows = 0, 1, _FIRST_ROWS
    try:
        lazy = pl.scan_parquet(file, hive_partitioning=False, glob=False)
        while start < height:
            frame = lazy.slice(start, rows).collect()
            height = height if start else int(lazy.select(pl.len()).collect().item())
            table = Table(file.name, frame, path=file, first=start)
            check_rows(table)
            yield table
            start += frame.height
            rows = max(1, _PARQUET_BLOCK * frame.height // max(1, int(frame.estimated_size())))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _not_whole(file, error) from None
