"""Rows of numbers in and out: CSV, lines of JSON, raw float32."""

import csv
import json
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np

from elman_runtime.contents import Array
from elman_runtime.errors import shown
from elman_runtime.streamable import Port

FORMATS = ("csv", "jsonl", "raw")
_MISSING = ("", "na", "n/a", "nan", "null", "none")
_NAN = float("nan")


@dataclass(frozen=True)
class Layout:
    """How the rows of an input are to be read.

    - `ports`: the inputs; their numbers stand one after the other in a row.
    - `columns`: names of the columns to take, in the ports' order; none for all as they stand.
    - `header`: "yes", "no", or "auto": the first row is one if some field of it is no number.
    - `delimiter`: between the fields of CSV.
    """

    ports: tuple[Port, ...]
    columns: tuple[str, ...] = ()
    header: str = "auto"
    delimiter: str = ","

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return sum(port.size for port in self.ports)

    @property
    def shown(self) -> str:
        """The numbers of a row, in words."""
        return ", ".join(
            port.name if port.size == 1 else f"{port.size} of {port.name}" for port in self.ports
        )


class Reader(Protocol):
    """Reads an input row by row."""

    def rows(self) -> Iterator[tuple[str, Any]]:
        """Each row as its place in the input, in words, and what `values` takes."""
        ...

    def values(self, row: Any) -> Sequence[float]:
        """The numbers of a row; ValueError says what is wrong with it."""
        ...


def reader(format: str, source: BinaryIO, layout: Layout) -> Reader:
    """What reads `source`, a binary file."""
    made: dict[str, Callable[[BinaryIO, Layout], Reader]] = {
        "csv": CsvReader,
        "jsonl": JsonReader,
        "raw": RawReader,
    }
    return made[format](source, layout)


def _lines(source: BinaryIO) -> Iterator[tuple[str, str]]:
    """The lines that are not blank, each with its number, from 1."""
    for number, line in enumerate(iter(source.readline, b""), 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"line {number}: must be UTF-8; got the byte 0x{line[error.start]:02x}; convert it "
                "with iconv"
            ) from None
        if text.strip():
            yield f"line {number}", text


class CsvReader:
    """Lines of numbers; a field that is empty or NaN, NA, null, none is no number."""

    def __init__(self, source: BinaryIO, layout: Layout) -> None:
        self._source, self._layout = source, layout
        self._take: list[int] = []
        self._fields = layout.width

    def rows(self) -> Iterator[tuple[str, list[str]]]:
        first = True
        for place, line in _lines(self._source):
            fields = self._split(line, place)
            if first:
                first = False
                if self._is_header(fields):
                    self._name(fields, place)
                    continue
                if self._layout.columns:
                    rule = f"{place}: must be a header, to find {', '.join(self._layout.columns)}"
                    raise ValueError(f"{rule}; got {shown(line)}; leave --columns out")
            yield place, fields

    def _split(self, line: str, place: str) -> list[str]:
        if '"' not in line:
            return line.split(self._layout.delimiter)
        try:
            return next(csv.reader([line], delimiter=self._layout.delimiter, strict=True))
        except csv.Error as error:
            raise ValueError(f"{place}: must be a row of CSV; got {error}; mend it") from None

    def _is_header(self, fields: list[str]) -> bool:
        if self._layout.header != "auto":
            return self._layout.header == "yes"
        return any(_number(field) is None for field in fields)

    def _name(self, fields: list[str], place: str) -> None:
        names = [field.strip() for field in fields]
        if missing := [name for name in self._layout.columns if name not in names]:
            rule = f"{place}: the header must have the column {missing[0]!r}"
            raise ValueError(f"{rule}; got {', '.join(names)}; see --columns")
        self._take = [names.index(name) for name in self._layout.columns]
        self._fields = len(names) if self._take else self._layout.width

    def values(self, row: list[str]) -> list[float]:
        if len(row) != self._fields:
            raise _wrong_count(self._layout, self._fields, len(row), "see --columns, --delimiter")
        fields = [row[k] for k in self._take] if self._take else row
        found = [_number(field) for field in fields]
        if None in found:
            at = found.index(None)
            column = self._take[at] if self._take else at
            rule = f"column {column + 1}: must be a number"
            raise ValueError(f"{rule}; got {shown(fields[at])}; mend it, or leave it empty")
        return found  # type: ignore[return-value]  # None was refused


def _number(field: str) -> float | None:
    """The number of a field, NaN where it is missing; None where it is none."""
    try:
        # Python reads 1_000 as a number; nothing else writes it so.
        return float(field) if "_" not in field else None
    except ValueError:
        return _NAN if field.strip().lower() in _MISSING else None


def _wrong_count(layout: Layout, wanted: int, came: int, repair: str) -> ValueError:
    words = f"must have {wanted} values ({layout.shown})" if wanted == layout.width else ""
    words = words or f"must have the {wanted} fields of the header"
    return ValueError(f"{words}; got {came}; {repair}")


class JsonReader:
    """A JSON value a line: a list of numbers, or an object by input or column; null is NaN."""

    def __init__(self, source: BinaryIO, layout: Layout) -> None:
        self._source, self._layout = source, layout

    def rows(self) -> Iterator[tuple[str, str]]:
        return _lines(self._source)

    def values(self, row: str) -> list[float]:
        try:
            value = json.loads(row)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"must be JSON; got {error}; mend it") from None
        if isinstance(value, dict):
            names = self._layout.columns or tuple(port.name for port in self._layout.ports)
            if missing := [name for name in names if name not in value]:
                came = shown(sorted(value))
                raise ValueError(f"must have {missing[0]!r}; got {came}; see --columns")
            value = [value[name] for name in names]
        found: list[float] = []
        _flatten(value, found)
        if len(found) != self._layout.width:
            repair = "mend it, or see --columns"
            raise _wrong_count(self._layout, self._layout.width, len(found), repair)
        return found


def _flatten(value: Any, into: list[float]) -> None:
    if isinstance(value, list):
        for item in value:
            _flatten(item, into)
    elif value is None:
        into.append(_NAN)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            into.append(float(value))
        except OverflowError:
            into.append(math.inf)
    else:
        raise ValueError(f"must hold numbers; got {shown(value)}; mend it, or use null")


class RawReader:
    """float32, little-endian, one row after the other without anything between."""

    def __init__(self, source: BinaryIO, layout: Layout) -> None:
        self._source, self._size = source, 4 * layout.width

    def rows(self) -> Iterator[tuple[str, bytes]]:
        place = 0
        while data := self._source.read(self._size):
            if len(data) < self._size:
                raise ValueError(
                    f"byte {place}: a row must be {self._size} bytes; got {len(data)} at the end; "
                    "the input was cut off, or its rows have another width"
                )
            yield f"byte {place}", data
            place += self._size

    def values(self, row: bytes) -> Sequence[float]:
        return np.frombuffer(row, "<f4")  # type: ignore[return-value]  # indexed and cut alike


# --- what is written -----------------------------------------------------------------------------


class Writer(Protocol):
    """Writes outputs row by row."""

    def start(self) -> bytes:
        """What stands before row 0."""
        ...

    def row(self, number: int, outputs: Sequence[Array]) -> bytes:
        """One row, with its number."""
        ...


def writer(format: str, ports: tuple[Port, ...]) -> Writer:
    """What writes the outputs of `ports`."""
    if format == "raw":
        return RawWriter()
    return CsvWriter(ports) if format == "csv" else JsonWriter(ports)


class CsvWriter:
    """`row,y` or `row,y.0,y.1`: each number in as few digits as give it back; NaN is nan."""

    def __init__(self, ports: tuple[Port, ...]) -> None:
        self._names = ["row"]
        for port in ports:
            each = [f"{port.name}.{k}" for k in range(port.size)]
            self._names += each if port.shape else [port.name]

    def start(self) -> bytes:
        return (",".join(self._names) + "\n").encode()

    def row(self, number: int, outputs: Sequence[Array]) -> bytes:
        fields = [str(number)]
        for array in outputs:
            fields += map(str, array.reshape(-1))
        return (",".join(fields) + "\n").encode()


class JsonWriter:
    """`{"row": 0, "y": [0.5, null]}`; null is NaN or infinite."""

    def __init__(self, ports: tuple[Port, ...]) -> None:
        self._names = [json.dumps(port.name) for port in ports]

    def start(self) -> bytes:
        return b""

    def row(self, number: int, outputs: Sequence[Array]) -> bytes:
        pairs = zip(self._names, outputs, strict=True)
        fields = "".join(f", {name}: {_json(array)}" for name, array in pairs)
        return f'{{"row": {number}{fields}}}\n'.encode()


def _json(array: Any) -> str:
    if array.ndim:
        return "[" + ", ".join(map(_json, array)) + "]"
    return str(array) if np.isfinite(array) else "null"


class RawWriter:
    """The row's number as int64, then its outputs as float32; little-endian."""

    _number = struct.Struct("<q")

    def start(self) -> bytes:
        return b""

    def row(self, number: int, outputs: Sequence[Array]) -> bytes:
        parts = [array.astype("<f4").tobytes() for array in outputs]
        return b"".join([self._number.pack(number), *parts])
