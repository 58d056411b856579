"""Values as text to numbers; missing ones to NaN."""

from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.errors import shown
from elman.data.table import Table

if TYPE_CHECKING:
    import polars as pl

Values = np.ndarray[Any, np.dtype[np.float64]]

MISSING = ("", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", "missing", "#n/a", ".")
_DECIMAL_COMMA = r"^[+-]?\d+,\d+$"
# A comma before three digits may mark thousands as well; 0,125 and 1234,567 may not.
_EITHER = r"^[+-]?[1-9]\d{0,2},\d{3}$"


def is_number_like(column: "pl.Series") -> bool:
    """Whether most cells that are not missing are numbers."""
    import polars as pl

    if column.dtype.is_numeric():
        return True
    if column.dtype != pl.String:
        return False
    sample = column.head(1000).fill_null("")
    present = sample.filter(~sample.str.to_lowercase().is_in(MISSING))
    if not present.len():
        return False
    numbers = present.cast(pl.Float64, strict=False).is_not_null() | present.str.contains(
        _DECIMAL_COMMA
    )
    return numbers.sum() > present.len() / 2


def parse_numbers(table: Table, name: str, flag: str = "target_col") -> Values:
    """The column `name` as float64, NaN where it says that a value is missing.

    Args:
        flag: the setting that named the column, for errors.

    Raises:
        DataError: a cell is neither a number nor missing, or infinite; all are missing.
    """
    import polars as pl

    column = table.frame[name]
    if column.dtype == pl.String:
        numbers = _from_text(table, column)
    elif column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        numbers = column.cast(pl.Float64)
    else:
        rule, repair = "values must be numbers", f"name another with {table.flag(flag)}"
        raise table.refuse(f"column {name!r}", rule, str(column.dtype), repair)
    values = numbers.fill_null(float("nan")).to_numpy().astype(np.float64)
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        rule, repair = "values are finite", "leave the cell empty to have it filled"
        raise table.refuse(f"{table.place(row)}, column {name!r}", rule, shown(column[row]), repair)
    if np.isnan(values).all():
        rule, repair = "values are needed", f"name another with {table.flag(flag)}"
        raise table.refuse(f"column {name!r}", rule, "missing ones alone", repair)
    return values


def _from_text(table: Table, column: "pl.Series") -> "pl.Series":
    import polars as pl

    numbers = column.cast(pl.Float64, strict=False)
    unread = numbers.is_null()
    rest = column.filter(unread).fill_null("")
    if rest.str.to_lowercase().is_in(MISSING).all():
        return numbers
    return _with_commas(table, column.fill_null(""))


def _with_commas(table: Table, column: "pl.Series") -> "pl.Series":
    import polars as pl

    missing = column.str.to_lowercase().is_in(MISSING)
    commas = column.str.contains(_DECIMAL_COMMA)
    # A comma is decimal only where no cell needs it otherwise.
    decimal = (commas | missing | column.str.contains(r"^[+-]?\d+$")).all()
    if decimal and commas.any() and column.filter(commas).str.contains(_EITHER).all():
        raise _comma_of_either_kind(table, column, int(commas.arg_max() or 0))
    text = column.str.replace(",", ".") if decimal else column
    numbers = text.cast(pl.Float64, strict=False)
    wrong = numbers.is_null() & ~missing
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        rule = "a value is a number (12.5, -3e4) or missing (empty, NA)"
        repair = f"mend the cell, or empty it to have it filled{_more(int(wrong.sum()))}"
        place = f"{table.place(row)}, column {column.name!r}"
        raise table.refuse(place, rule, shown(column[row]), repair)
    return numbers


def _comma_of_either_kind(table: Table, column: "pl.Series", row: int) -> Exception:
    place = f"{table.place(row)}, column {column.name!r}"
    rule = "it must be clear whether a comma marks decimals or thousands"
    repair = "write decimals with a point and thousands without a mark"
    return table.refuse(place, rule, shown(column[row]), repair)


def _more(count: int) -> str:
    return f" ({count - 1} more like it)" if count > 1 else ""
