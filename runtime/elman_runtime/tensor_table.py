"""The table of tensors in a safetensors header: which name lies where, checked."""

import math
from typing import Any, NamedTuple

import numpy as np

from elman_runtime.errors import refusal, shown

MAX_NAME = 512  # bytes of UTF-8
MAX_RANK = 32  # NumPy 1.26's own limit
MAX_BYTES = (1 << 63) - 1

# Little-endian on every machine: that is what the file holds.
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_CODES = {(dtype.kind, dtype.itemsize): code for code, dtype in DTYPES.items()}
_KNOWN = f"a dtype is one of {', '.join(DTYPES)}"
_DAMAGED = "copy or store the file again: it was damaged or written by a faulty program"


class Entry(NamedTuple):
    """One tensor: `dtype` as a key of DTYPES, bytes `begin` to `end` of the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def code_of(array: np.ndarray[Any, Any], file: str, place: str) -> str:
    """The key of DTYPES for an array that is to be stored."""
    code = _CODES.get((array.dtype.kind, array.dtype.itemsize))
    if code is None:
        repair = "convert it with .astype(): float32 for bfloat16, int64 for unsigned integers"
        raise refusal(file, place, _KNOWN, f"NumPy's {array.dtype}", repair)
    return code


def check_name(name: Any, file: str) -> None:
    """Names are printable, bounded text, so that messages and paths made of them are too."""
    rule = f"a name is 1 to {MAX_NAME} bytes of printable UTF-8, not __metadata__"
    good = isinstance(name, str) and name.isprintable() and name != "__metadata__"
    # Printable text has no lone surrogates, so it can be encoded.
    if not good or not 0 < len(name.encode("utf-8")) <= MAX_NAME:
        raise refusal(file, "tensor names", rule, shown(name), "rename the tensor")


def layout(entries: dict[str, tuple[str, tuple[int, ...]]]) -> list[Entry]:
    """Where each {name: (dtype, shape)} goes, in the order of the data.

    Wide dtypes first, then by name: every tensor is aligned, and the bytes are determined.
    """
    placed: list[Entry] = []
    begin = 0
    for name in sorted(entries, key=lambda name: (-DTYPES[entries[name][0]].itemsize, name)):
        dtype, shape = entries[name]
        end = begin + math.prod(shape) * DTYPES[dtype].itemsize
        placed.append(Entry(name, dtype, shape, begin, end))
        begin = end
    return placed


def as_json(entries: list[Entry]) -> dict[str, Any]:
    """The header's part for these tensors."""
    return {
        entry.name: {
            "dtype": entry.dtype,
            "shape": list(entry.shape),
            "data_offsets": [entry.begin, entry.end],
        }
        for entry in entries
    }


def read_table(table: dict[str, Any], data_bytes: int, file: str) -> list[Entry]:
    """The entries in the order of the data, which they cover exactly."""
    entries = [_entry(name, row, file) for name, row in table.items()]
    entries.sort(key=lambda entry: (entry.begin, entry.end))
    _check_cover(entries, data_bytes, file)
    return entries


def _entry(name: str, row: Any, file: str) -> Entry:
    check_name(name, file)
    place = f"tensor {name!r}"
    if not isinstance(row, dict) or set(row) != {"dtype", "shape", "data_offsets"}:
        rule = "an entry has dtype, shape and data_offsets, nothing else"
        raise refusal(file, place, rule, shown(row), _DAMAGED)
    dtype = _dtype(row["dtype"], file, place)
    shape = _shape(row["shape"], DTYPES[dtype].itemsize, file, place)
    begin, end = _offsets(row["data_offsets"], file, place)
    size = math.prod(shape) * DTYPES[dtype].itemsize
    if end - begin != size:
        rule = f"{dtype} of shape {shape} takes {size} bytes"
        raise refusal(file, place, rule, f"{shown(end - begin)} in data_offsets", _DAMAGED)
    return Entry(name, dtype, shape, begin, end)


def _dtype(value: Any, file: str, place: str) -> str:
    if not isinstance(value, str) or value not in DTYPES:
        repair = "convert it to F32 (tensor.float()) and store it again with elman.save"
        came = "BF16, which is unsupported" if value == "BF16" else shown(value)
        raise refusal(file, place, _KNOWN, came, repair)
    return value


def _shape(value: Any, itemsize: int, file: str, place: str) -> tuple[int, ...]:
    if not _sizes(value) or len(value) > MAX_RANK:
        rule = f"a shape is a list of at most {MAX_RANK} integers from 0"
        raise refusal(file, place, rule, shown(value), _DAMAGED)
    # NumPy multiplies in 64 bits, zeros left out: (0, 2**62, 2**62) would overflow there.
    if max(value, default=0) > MAX_BYTES or itemsize * math.prod(filter(None, value)) > MAX_BYTES:
        rule = "a shape fits in 64 bits"
        raise refusal(file, place, rule, shown(value), _DAMAGED)
    return tuple(value)


def _offsets(value: Any, file: str, place: str) -> tuple[int, int]:
    if not _sizes(value) or len(value) != 2 or value[0] > value[1]:
        rule = "data_offsets are two integers, 0 <= begin <= end"
        raise refusal(file, place, rule, shown(value), _DAMAGED)
    return value[0], value[1]


def _sizes(value: Any) -> bool:
    # bool is an int to isinstance, but `true` is no size.
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _check_cover(entries: list[Entry], data_bytes: int, file: str) -> None:
    covered = 0
    for entry in entries:
        if entry.begin != covered:
            what = "a gap" if entry.begin > covered else "an overlap"
            came = f"{what}: begin {shown(entry.begin)} where {covered} was due"
            rule = "tensors follow each other without gap or overlap"
            raise refusal(file, f"tensor {entry.name!r}", rule, came, _DAMAGED)
        covered = entry.end
    if covered != data_bytes:
        what = "is cut short" if covered > data_bytes else "has bytes that no tensor owns"
        rule = f"the tensors take {shown(covered)} bytes"
        came = f"{data_bytes}: the file {what}"
        raise refusal(file, "data", rule, came, "copy or store the file again")
