"""States of streams as bytes: versioned, checked, refused by another model.

    8 bytes   "elmanSNP"
    4 bytes   version, 1 (little-endian, as everything)
    4 bytes   n, the length of the header
    n bytes   JSON: what the states belong to, the arrays' dtypes and shapes, the caller's note
    the rest  the arrays, one after the other
    32 bytes  SHA-256 of everything before

Nothing in it is trusted: it is checked whole before a state is touched.
"""

import hashlib
import math
import stat
import struct
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from elman_runtime import contents, files, strict_json
from elman_runtime.contents import Array
from elman_runtime.errors import ModelFileError, shown

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Origin", "Snapshot", "SnapshotError", "pack", "read_file", "unpack"]

VERSION = 1
MAX_HEADER = 16 << 20  # bytes
_MAGIC = b"elmanSNP"
_FRONT = struct.Struct("<8sII")
_CHECKSUM = 32
_DTYPES = ("<f4", "<f8", "<i8", "|u1")
_DAMAGED = "take an earlier one; a copy may have been damaged"


class SnapshotError(ValueError):
    """A snapshot breaks a rule of its format, or belongs to another model.

    The message names the snapshot, the rule, what came, and the repair.
    """


@dataclass(frozen=True)
class Origin:
    """What states belong to.

    - `what`: "stream" or "pool".
    - `model`: digest of the model file.
    - `program`: its program that ran.
    - `instruction_set`: what computed them; another one rounds differently.
    """

    what: str
    model: str
    program: str
    instruction_set: str


class Snapshot(NamedTuple):
    """What `unpack` found: the note is the caller's, the arrays are read-only views."""

    origin: Origin
    settings: dict[str, Any]
    note: Any
    arrays: dict[str, Array]


def pack(
    origin: Origin, settings: Mapping[str, Any], note: Any, arrays: Mapping[str, Array]
) -> bytes:
    """The bytes of a snapshot; equal contents give equal bytes.

    Args:
        settings: what else the owner needs, as JSON.
        note: the caller's own, as JSON: None, a number, a str, a list or a dict.
        arrays: float32, float64, int64 or uint8.

    Raises:
        ModelFileError: the note is not JSON.
    """
    stored = {name: _little(array) for name, array in sorted(arrays.items())}
    table = [[name, array.dtype.str, list(array.shape)] for name, array in stored.items()]
    head = {"origin": asdict(origin), "settings": dict(settings), "note": note, "arrays": table}
    text = strict_json.canonical(head, "snapshot", "header")
    if len(text) > MAX_HEADER:
        rule = f"note: the header must be at most {MAX_HEADER} bytes"
        raise SnapshotError(f"{rule}; got {len(text)}; keep what is large in a file of its own")
    parts: list[bytes | memoryview] = [_FRONT.pack(_MAGIC, VERSION, len(text)), text]
    parts += [contents.flat_bytes(array) for array in stored.values()]
    checksum = hashlib.sha256()
    for part in parts:
        checksum.update(part)
    return b"".join([*parts, checksum.digest()])


def _little(array: Array) -> Array:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def unpack(data: "Buffer", name: str, expected: Origin) -> Snapshot:
    """Check a snapshot and read it.

    Args:
        name: what errors call it, such as its file.
        expected: what it must belong to. Another instruction set rounds differently: that is
            only warned of.

    Raises:
        SnapshotError: it is damaged, of another version, or of another model.
        TypeError: `data` is not bytes.
    """
    try:
        view = memoryview(data).cast("B")
    except TypeError:
        came = type(data).__name__
        raise TypeError(f"data must be bytes; got {came}; give what state() returned") from None
    end = _check_whole(view, name)
    head = _header(view, name)
    snapshot = _read(head, view, end, name)
    _check_origin(snapshot.origin, expected, name)
    return snapshot


def read_file(path: files.StrPath) -> bytes:
    """The bytes of a snapshot's file; OSError in words, ValueError where it is no regular file."""
    with files.explained(path, "read"):
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise SnapshotError(f"{path}: a snapshot is a regular file; got none; check the path")
        return Path(path).read_bytes()


def _check_whole(view: memoryview, name: str) -> int:
    """Refuse what is no snapshot or a damaged one; where the arrays end."""
    if len(view) < _FRONT.size + _CHECKSUM or bytes(view[:8]) != _MAGIC:
        came = f"{len(view)} bytes, beginning with {shown(bytes(view[:8]))}"
        raise _refusal(name, f"a snapshot begins with {_MAGIC!r}", came, "give one of state()")
    version = _FRONT.unpack(view[: _FRONT.size])[1]
    if version != VERSION:
        repair = "use the elman-runtime that wrote it, or start anew"
        raise _refusal(name, f"the version must be {VERSION}", str(version), repair)
    end = len(view) - _CHECKSUM
    if hashlib.sha256(view[:end]).digest() != bytes(view[end:]):
        raise _refusal(name, "the checksum must be that of the contents", "another", _DAMAGED)
    return end


def _header(view: memoryview, name: str) -> dict[str, Any]:
    size = _FRONT.unpack(view[: _FRONT.size])[2]
    if size > min(MAX_HEADER, len(view) - _FRONT.size - _CHECKSUM):
        raise _refusal(name, "the header must lie within", f"{size} bytes", _DAMAGED)
    try:
        head = strict_json.parse(bytes(view[_FRONT.size : _FRONT.size + size]), name, "header")
    except ModelFileError as error:
        raise SnapshotError(str(error)) from None
    if not isinstance(head, dict) or set(head) != {"origin", "settings", "note", "arrays"}:
        raise _refusal(name, "the header has four parts", shown(head), _DAMAGED)
    return {**head, "size": size}


def _read(head: dict[str, Any], view: memoryview, end: int, name: str) -> Snapshot:
    try:
        origin = Origin(**head["origin"])
        table = [(str(key), str(code), tuple(shape)) for key, code, shape in head["arrays"]]
    except (TypeError, ValueError):
        raise _refusal(name, "the header lists origin and arrays", "no list", _DAMAGED) from None
    place, arrays = _FRONT.size + head["size"], dict[str, Array]()
    for key, code, shape in table:
        if code not in _DTYPES or not all(type(n) is int and n >= 0 for n in shape):
            raise _refusal(name, f"array {key!r} has a known dtype and shape", code, _DAMAGED)
        size = math.prod(shape) * np.dtype(code).itemsize
        if size > end - place:
            raise _refusal(name, f"array {key!r} must lie within", f"{size} bytes", _DAMAGED)
        array = np.frombuffer(view[place : place + size], code).reshape(shape)
        array = contents.to_native(array)
        array.flags.writeable = False
        arrays[key], place = array, place + size
    if place != end or not isinstance(head["settings"], dict):
        raise _refusal(name, "the arrays fill it", f"{end - place} bytes more", _DAMAGED)
    return Snapshot(origin, head["settings"], head["note"], arrays)


def _check_origin(found: Origin, expected: Origin, name: str) -> None:
    if found.what != expected.what:
        rule, came = f"it must be of a {expected.what}", f"that of a {found.what}"
        raise _refusal(name, rule, came, "restore it where it was taken")
    if found.model != expected.model:
        rule = f"it must be of this model ({shown(expected.model)[1:13]}...)"
        came = f"one of model {shown(found.model)[1:13]}..."
        raise _refusal(name, rule, came, "load the model that it was taken from")
    if found.program != expected.program:
        rule, came = f"it must be of program {expected.program!r}", shown(found.program)
        raise _refusal(name, rule, came, f"open the stream with program={found.program!r}")
    if found.instruction_set != expected.instruction_set:
        warnings.warn(
            f"{name}: was taken with {shown(found.instruction_set)} instructions; here run "
            f"{expected.instruction_set!r}: outputs agree within rounding, not bit for bit",
            RuntimeWarning,
            stacklevel=4,
        )


def _refusal(name: str, rule: str, came: str, repair: str) -> SnapshotError:
    return SnapshotError(f"{name}: {rule}; got {came}; {repair}")
