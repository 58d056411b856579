"""A table and where its rows came from, so that an error can name the line."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.errors import DataError, refusal

if TYPE_CHECKING:
    import polars as pl

BLOCK = 1 << 22
"""Characters of a block of rows, about."""


@dataclass(frozen=True)
class Table:
    """Columns, and the words for a row of them.

    - `name`: the file's name, or "the table" for one that was given in Python.
    - `frame`: the columns; text only where they come from a CSV file.
    - `lines`: line of the file for each row; None where rows are counted, from `first`.
    - `path`: the file; None for a table that was given in Python.
    - `sha256`: hex digest of the file's bytes; empty for a table that was given in Python.
    - `notes`: what had to be said about the file, one sentence each.
    - `library`: of the table that was given; "polars" for a file.
    """

    name: str
    frame: "pl.DataFrame"
    lines: "np.ndarray[Any, np.dtype[np.int64]] | None" = None
    path: Path | None = None
    sha256: str = ""
    notes: tuple[str, ...] = ()
    library: str = "polars"
    first: int = 0

    def place(self, row: int) -> str:
        """The words for row `row` (0-based) of `frame`."""
        return f"row {self.first + row}" if self.lines is None else f"line {self.lines[row]}"

    def flag(self, name: str, value: str = "NAME") -> str:
        """How a user names a setting: a flag for a file, an argument in Python."""
        if self.path is None:
            return f"{name}={'...' if value == 'NAME' else repr(value)}"
        return f"--{name.replace('_', '-')} {value}"

    def refuse(self, place: str, rule: str, came: str, repair: str) -> DataError:
        """The error to raise about this table."""
        return refusal(self.name, place, rule, came, repair)


def as_table(data: Any, name: str = "the table") -> Table:
    """A table from a path, a DataFrame of any library that narwhals knows, or a dict of columns.

    Args:
        name: what errors call a table that has no file.

    Raises:
        DataError: the file or the table breaks a rule, or has no rows.
        TypeError: it is none of these.
    """
    from elman.data.dataframes import from_native
    from elman.data.files_in import read_file

    if isinstance(data, Table):
        return data
    table = read_file(data) if isinstance(data, str | Path) else from_native(data, name)
    check_rows(table)
    return table


def check_rows(table: Table) -> None:
    """Raises DataError where it has none."""
    if table.frame.height == 0:
        repair = "give a table with rows"
        raise table.refuse("rows", "at least one row is needed", "none", repair)


def joined(tables: Iterable[Table]) -> Table:
    """Blocks of rows as one table; there is one at least."""
    import polars as pl

    found = list(tables)
    frame = pl.concat([one.frame for one in found])
    lines = [one.lines for one in found if one.lines is not None]
    return replace(found[0], frame=frame, lines=np.concatenate(lines) if lines else None)


def in_blocks(
    rows: Iterable[tuple[int, Any]], size: Callable[[Any], int]
) -> Iterator[tuple[list[int], list[Any]]]:
    """Numbered rows in lists of about `BLOCK` characters together, and their numbers.

    Args:
        size: how many characters a row has.
    """
    numbers: list[int] = []
    some: list[Any] = []
    held = 0
    for number, row in rows:
        numbers.append(number)
        some.append(row)
        held += size(row)
        if held >= BLOCK:
            yield numbers, some
            numbers, some, held = [], [], 0
    if some:
        yield numbers, some
