"""DataFrames of other libraries to polars and back, through narwhals."""

from typing import TYPE_CHECKING, Any

import numpy as np

from elman.data.errors import DataError, shown
from elman.data.table import Table

if TYPE_CHECKING:
    import narwhals as nw
    import polars as pl


def from_native(data: Any, name: str) -> Table:
    """A table from a DataFrame of polars, pandas, pyarrow or another library, or from a dict.

    Raises:
        DataError: a column holds values of several kinds, or two columns share a name.
        TypeError: it is no table.
    """
    import polars as pl

    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.DataFrame):
        return Table(name, data)
    if isinstance(data, dict):
        return Table(name, _from_columns(name, data))
    return _by_narwhals(data, name)


def _by_narwhals(data: Any, name: str) -> Table:
    import narwhals as nw
    import polars as pl

    try:
        data, notes = _with_index(data)
        frame = nw.from_native(data)
        frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    except nw.exceptions.DuplicateError as error:
        raise _refusal(name, "columns", str(error).split("\n")[0], "rename one of them") from None
    except TypeError:
        if not hasattr(data, "columns") or not hasattr(data, "__getitem__"):
            raise _no_table(data) from None
        # Not a library's table, but it has named columns that turn into arrays.
        return Table(name, _from_columns(name, {str(c): data[c] for c in data.columns}))
    columns = [_column(name, str(title), frame.get_column(title)) for title in frame.columns]
    return Table(name, pl.DataFrame(columns), notes=notes, library=library_of(frame) or "polars")


def library_of(data: Any) -> str:
    """The library of a DataFrame; "" for what has none of its own: a path, a dict, None."""
    import narwhals as nw

    try:
        found = nw.from_native(data, pass_through=True)
    except nw.exceptions.DuplicateError:
        return ""  # The reader of the table says what is wrong with it.
    eager = isinstance(found, nw.DataFrame)
    known = eager or (isinstance(found, nw.LazyFrame) and found.implementation.is_polars())
    return str(found.implementation.value) if known else ""


def _no_table(data: Any) -> TypeError:
    return TypeError(
        "a table is the path of a CSV or Parquet file, a polars, pandas or pyarrow DataFrame, or a "
        f"dict of columns; got {type(data).__name__}; write the rows to a CSV file or put them "
        "into a DataFrame"
    )


def _refusal(name: str, place: str, came: str, repair: str) -> DataError:
    rule = "columns have different names, and values of one kind each"
    return DataError(f"{name}: {place}: {rule}; got {came}; {repair}")


def _with_index(data: Any) -> tuple[Any, tuple[str, ...]]:
    """A pandas table with its index as columns, where the index says something."""
    index = getattr(data, "index", None)
    if index is None or not hasattr(data, "reset_index") or not hasattr(index, "names"):
        return data, ()
    if any(name is not None for name in index.names):
        names = ", ".join(map(str, index.names))
        return data.reset_index(), (f"the index is taken as columns: {names}",)
    if type(index).__name__ in ("DatetimeIndex", "PeriodIndex"):
        named = data.rename_axis("ds").reset_index()
        return named, ("the index of times is taken as the column 'ds'",)
    return data, ()


def _column(table: str, name: str, column: "nw.Series[Any]") -> "pl.Series":
    """One column; those that cannot be used keep their type's name alone, as a struct."""
    import narwhals as nw

    kind = column.dtype
    if isinstance(kind, nw.Datetime):
        return _datetimes(name, column, kind)
    if kind.is_numeric() or kind == nw.Boolean:
        values: Any = column.to_numpy()
        values = values if values.dtype != object else column.to_list()
    elif kind in (nw.String, nw.Categorical, nw.Enum, nw.Object, nw.Date):
        values = [None if value is None or value != value else value for value in column.to_list()]
    else:
        return _unusable(name, column)
    return _typed(table, name, values, _whole(kind))


def _whole(kind: Any) -> "pl.DataType | None":
    import polars as pl

    return getattr(pl, str(kind)) if kind.is_integer() else None


def _typed(table: str, name: str, values: Any, dtype: "pl.DataType | None" = None) -> "pl.Series":
    import polars as pl

    try:
        return pl.Series(name, values, dtype=dtype, nan_to_null=True)
    except (TypeError, pl.exceptions.PolarsError):
        kinds = list(dict.fromkeys(type(value).__name__ for value in values if value is not None))
        came = f"{' and '.join(kinds[:3])}, such as {shown(next(iter(values)))}"
        raise _refusal(table, f"column {name!r}", came, "convert the column") from None


def _datetimes(name: str, column: "nw.Series[Any]", kind: Any) -> "pl.Series":
    import polars as pl

    zone, unit = kind.time_zone, kind.time_unit
    if zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    values = np.asarray(column.to_numpy()).astype(f"datetime64[{unit}]")
    typed = pl.Series(name, values).cast(pl.Datetime(unit if unit != "s" else "ms"))
    utc = typed.dt.replace_time_zone("UTC") if zone is not None else typed
    return utc.dt.convert_time_zone(zone) if zone is not None else utc


def _unusable(name: str, column: "nw.Series[Any]") -> "pl.Series":
    """Nested and foreign types: the column can be ignored, and is refused where it is needed."""
    import polars as pl

    kind = str(column.dtype).replace("Unknown", str(getattr(column.to_native(), "dtype", "?")))
    return pl.Series(name, [{kind: None}] * len(column), dtype=pl.Struct({kind: pl.Null}))


def _from_columns(table: str, data: dict[str, Any]) -> "pl.DataFrame":
    import polars as pl

    columns = [_typed(table, str(name), _plain(values)) for name, values in data.items()]
    lengths = {column.len() for column in columns}
    if len(lengths) > 1:
        came = "lengths " + ", ".join(map(str, sorted(lengths)))
        raise DataError(f"{table}: columns: must be equally long; got {came}; fill the short ones")
    return pl.DataFrame(columns)


def _plain(values: Any) -> Any:
    import polars as pl

    if isinstance(values, pl.Series | list | range):
        return values
    array = np.asarray(values)
    if array.dtype == object:
        return [None if value is None or value != value else value for value in array.tolist()]
    return array


def to_native(frame: "pl.DataFrame", library: str) -> Any:
    """The table as a DataFrame of `library`, such as "pandas"; polars for one that is not known.

    Raises:
        ImportError: the library is not installed.
    """
    if library == "polars":
        return frame
    import narwhals as nw
    import polars as pl

    columns = {column.name: _outward(column) for column in frame}
    found = nw.from_dict(columns, backend=library)  # type: ignore[arg-type]
    for name, kind in frame.schema.items():
        if isinstance(kind, pl.Datetime) and kind.time_zone:
            times = nw.col(name).dt.replace_time_zone("UTC").dt.convert_time_zone(kind.time_zone)
            found = found.with_columns(times)
    return found.to_native()


def _outward(column: "pl.Series") -> Any:
    import polars as pl

    if isinstance(column.dtype, pl.Datetime):
        if column.dtype.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return column.to_numpy()
    if column.dtype.is_numeric() and not column.null_count():
        return column.to_numpy()
    return column.to_list()
