"""A table and where its rows came from, so that an error can name the line."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.errors import DataError, refusal

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Table:
    """Columns, and the words for a row of them.

    - `name`: the file's name, or "the table" for one that was given in Python.
    - `frame`: the columns; text only where they come from a CSV file.
    - `lines`: line of the file for each row; None for a table that was given in Python.
    - `path`: the file; None for a table that was given in Python.
    - `sha256`: hex digest of the file's bytes; empty for a table that was given in Python.
    - `notes`: what had to be said about the file, one sentence each.
    """

    name: str
    frame: "pl.DataFrame"
    lines: "np.ndarray[Any, np.dtype[np.int64]] | None" = None
    path: Path | None = None
    sha256: str = ""
    notes: tuple[str, ...] = ()

    def place(self, row: int) -> str:
        """The words for row `row` (0-based) of `frame`."""
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"

    def flag(self, name: str) -> str:
        """How a user names a setting: a flag for a file, an argument in Python."""
        return f"{name}=..." if self.path is None else f"--{name.replace('_', '-')} NAME"

    def refuse(self, place: str, rule: str, came: str, repair: str) -> DataError:
        """The error to raise about this table."""
        return refusal(self.name, place, rule, came, repair)


def as_table(data: Any) -> Table:
    """A table from a path, a polars or pandas frame, or a mapping of columns.

    Raises:
        DataError: the file breaks a rule of `elman.data.csv_file`, or the table is empty.
        TypeError: it is none of these.
    """
    import polars as pl

    from elman.data.csv_file import read_csv

    if isinstance(data, Table):
        return data
    if isinstance(data, str | Path):
        return read_csv(data)
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    frame = data if isinstance(data, pl.DataFrame) else _from_columns(data)
    table = Table("the table", frame)
    if frame.height == 0:
        raise table.refuse("rows", "at least one row is needed", "none", "give a table with rows")
    return table


def _from_columns(data: Any) -> "pl.DataFrame":
    """From a mapping, or anything with `columns` whose columns turn into NumPy arrays (pandas)."""
    import polars as pl

    if isinstance(data, dict):
        return pl.DataFrame(data)
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        return pl.DataFrame({str(name): _column(data[name]) for name in data.columns})
    raise TypeError(
        "a table is the path of a CSV file, a polars or pandas DataFrame, or a dict of columns; "
        f"got {type(data).__name__}; write the rows to a CSV file or put them into a DataFrame"
    )


def _column(column: Any) -> Any:
    array = np.asarray(column)
    if array.dtype == object:
        return [None if value is None or value != value else value for value in array.tolist()]
    return array
