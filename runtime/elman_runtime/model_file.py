"""Model files: safetensors with one metadata key, `elman`, read strictly.

    8 bytes   n, the length of the header (little-endian)
    n bytes   JSON: {"__metadata__": {"elman": JSON}, NAME: {dtype, shape, data_offsets}, ...}
    the rest  the tensors, without gap or overlap

Nothing in a file is trusted: it is checked against these rules before anything is
allocated for it, and what breaks one is refused with ModelFileError. Files of `write` can be
read by the safetensors library too. Neither needs torch.
"""

import json
import os
import stat
import struct
from collections.abc import Mapping
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from elman_runtime import contents, files, strict_json, tensor_table
from elman_runtime.contents import Array
from elman_runtime.errors import ModelFileError, refusal, shown
from elman_runtime.lookalikes import looks_like
from elman_runtime.tensor_table import DTYPES, Entry

__all__ = ["Description", "ModelFile", "ModelFileError", "TensorInfo", "describe", "digest"]
__all__ += ["read", "write"]

MAX_HEADER = 16 << 20  # bytes
_KEY = "elman"
_AGAIN = "copy or store the file again"


class ModelFile(NamedTuple):
    """What a file holds: `meta` is the JSON, `tensors` own their memory, `digest` is hex."""

    meta: dict[str, Any]
    tensors: dict[str, Array]
    digest: str


class TensorInfo(NamedTuple):
    """A tensor's safetensors dtype ("F32") and shape."""

    dtype: str
    shape: tuple[int, ...]


class Description(NamedTuple):
    """What a file's header says; `size` is the whole file in bytes."""

    meta: dict[str, Any]
    tensors: dict[str, TensorInfo]
    size: int


class _Header(NamedTuple):
    meta: dict[str, Any]
    entries: list[Entry]  # in the order of the data
    size: int


def read(path: files.StrPath, *, finite: bool = True) -> ModelFile:
    """Read a model file whole; tensors come in the order of their names.

    Raises ModelFileError where the file breaks a rule (with `finite`, also for a NaN or an
    infinity), OSError where it cannot be opened.
    """
    name = str(Path(path))
    with _open(path, name) as file:
        header = _read_header(file, name)
        arrays = {entry.name: _read_tensor(file, entry, name, finite) for entry in header.entries}
    tensors = {key: arrays[key] for key in sorted(arrays)}
    found = contents.digest_of(header.meta, tensors, name, parsed=True)
    return ModelFile(header.meta, tensors, found)


def describe(path: files.StrPath) -> Description:
    """Read the header alone; the data is neither read nor checked, but its size is."""
    name = str(Path(path))
    with _open(path, name) as file:
        header = _read_header(file, name)
    entries = sorted(header.entries)
    tensors = {entry.name: TensorInfo(entry.dtype, entry.shape) for entry in entries}
    return Description(header.meta, tensors, header.size)


def write(
    path: files.StrPath,
    meta: Mapping[str, Any],
    tensors: Mapping[str, Array],
    *,
    overwrite: bool = True,
    finite: bool = True,
) -> str:
    """Store `meta` and `tensors` and return the digest; equal contents give equal bytes.

    `meta` is JSON: dict with str keys, list, tuple (read back as a list), str, int, finite
    float, bool, None. `tensors` are NumPy arrays of a dtype in tensor_table.DTYPES.
    The file appears whole or not at all (files.write_atomic).

    Raises ModelFileError for contents that `read` would refuse (with `finite`, a NaN too),
    TypeError for a tensor that is no NumPy array, OSError for a path that cannot be written.
    """
    name = str(Path(path))
    stored = contents.checked(tensors, name, finite)
    table = {key: (tensor_table.code_of(a, name, key), a.shape) for key, a in stored.items()}
    placed = tensor_table.layout(table)
    head = _header_bytes(meta, placed, name)
    result = contents.digest_of(meta, stored, name)
    data = (contents.flat_bytes(stored[entry.name]) for entry in placed)
    files.write_atomic(path, chain([head], data), overwrite=overwrite)
    return result


def digest(meta: Mapping[str, Any], tensors: Mapping[str, Array]) -> str:
    """SHA-256 (hex) of what would be stored: sorted names, dtypes, shapes, JSON, then bytes.

    It does not depend on the order of `tensors`, on their layout in memory or on their byte
    order. Raises ModelFileError and TypeError as `write` does, but NaN may be digested.

    >>> weights = {"b": np.zeros(2), "w": np.ones((2, 3), np.float32)}
    >>> digest({"hidden": 2}, weights) == digest({"hidden": 2}, dict(reversed(weights.items())))
    True
    """
    return contents.digest_of(meta, contents.checked(tensors, "digest", finite=False), "digest")


def _open(path: files.StrPath, name: str) -> BufferedReader:
    """Open a regular file; never blocks, as opening a FIFO would."""
    flags = os.O_RDONLY
    for flag in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, flag, 0)
    # Some devices act when they are opened, so a look comes first; what was opened is
    # looked at again, because it may have been exchanged between the two.
    with files.explained(path, "read"):
        _check_regular(Path(path).stat().st_mode, name)
        descriptor = os.open(path, flags)
    file = os.fdopen(descriptor, "rb")
    try:
        _check_regular(os.fstat(file.fileno()).st_mode, name)
    except ModelFileError:
        file.close()
        raise
    return file


def _check_regular(mode: int, name: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    came = kinds.get(stat.S_IFMT(mode), "a device")
    inside = " (model.safetensors in it?)" if stat.S_ISDIR(mode) else ""
    rule = "a model is a regular file"
    raise refusal(name, "path", rule, came, f"give the path of the model file{inside}")


def _read_header(file: BufferedReader, name: str) -> _Header:
    size = os.fstat(file.fileno()).st_size
    length = _header_length(file, size, name)
    text = file.read(length)
    if len(text) != length:
        raise refusal(name, "header", f"{length} bytes", f"{len(text)}", "store the file again")
    if not text.startswith(b"{"):
        raise refusal(name, "header", "starts with {", shown(text[:1]), _AGAIN)
    table = strict_json.parse(text, name, "header")
    meta = _meta(table.pop("__metadata__", {}), name)
    return _Header(meta, tensor_table.read_table(table, size - 8 - length, name), size)


def _header_length(file: BufferedReader, size: int, name: str) -> int:
    start = file.read(8)
    if len(start) < 8:
        came = f"{size} bytes in all"
        raise refusal(name, "start", "8 bytes of header length", came, _AGAIN)
    length: int = struct.unpack("<Q", start)[0]
    if length > min(MAX_HEADER, size - 8):
        other = looks_like(start + file.read(504), size)
        if other is not None:
            raise refusal(name, "start", "a model is a safetensors file", *other)
        rule = f"a header has at most {MAX_HEADER} bytes and ends within the file of {size}"
        raise refusal(name, "start", rule, f"a length of {length}", _AGAIN)
    return length


def _meta(stored: Any, name: str) -> dict[str, Any]:
    place = "__metadata__"
    if not isinstance(stored, dict) or set(stored) != {_KEY} or not isinstance(stored[_KEY], str):
        came = shown(sorted(stored)) if isinstance(stored, dict) else shown(stored)
        repair = "store the model with elman.save; safetensors.numpy.load_file reads bare weights"
        raise refusal(name, place, f"one key, {_KEY!r}, holding text", came, repair)
    place = f"metadata {_KEY!r}"
    meta = strict_json.parse(stored[_KEY].encode("utf-8"), name, place)
    if not isinstance(meta, dict):
        raise refusal(name, place, "a JSON object", shown(meta), "store the model with elman.save")
    return meta


def _read_tensor(file: BufferedReader, entry: Entry, name: str, finite: bool) -> Array:
    array = np.empty(entry.shape, DTYPES[entry.dtype])
    got = file.readinto(contents.flat_bytes(array))  # a buffered reader stops at the end alone
    if got != array.nbytes:
        came = f"{got}: it shrank while it was read"
        raise refusal(name, f"tensor {entry.name!r}", f"{array.nbytes} bytes", came, _AGAIN)
    contents.check_values(array, entry.name, name, finite)
    return contents.to_native(array)


def _header_bytes(meta: Mapping[str, Any], placed: list[Entry], file: str) -> bytes:
    table = tensor_table.as_json(placed)
    table["__metadata__"] = {_KEY: contents.canonical_meta(meta, file).decode("utf-8")}
    text = json.dumps(table, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data starts aligned
    if len(text) > MAX_HEADER:
        repair = "keep vocabularies and tables as uint8 tensors, not in the metadata"
        raise refusal(file, "header", f"at most {MAX_HEADER} bytes", f"{len(text)}", repair)
    return struct.pack("<Q", len(text)) + text
