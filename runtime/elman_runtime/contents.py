"""Tensors and settings as a file holds them: checked, little-endian, digested."""

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from elman_runtime import native, strict_json, tensor_table
from elman_runtime.errors import refusal
from elman_runtime.tensor_table import DTYPES

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


def checked(tensors: Mapping[str, Array], file: str, finite: bool) -> dict[str, Array]:
    """What will be stored, sorted by name: contiguous, little-endian, of a known dtype."""
    for name in tensors:
        tensor_table.check_name(name, file)
    return {name: _stored(tensors[name], name, file, finite) for name in sorted(tensors)}


def _stored(array: Array, name: str, file: str, finite: bool) -> Array:
    # Subclasses mean more than their bytes (a masked array's mask would be lost).
    if type(array) not in (np.ndarray, np.memmap):
        raise TypeError(
            f"{file}: tensor {name!r}: must be a NumPy array; got "
            f"{type(array).__module__}.{type(array).__qualname__}; "
            "use numpy.array(...), or tensor.detach().cpu().numpy()"
        )
    dtype = DTYPES[tensor_table.code_of(array, file, f"tensor {name!r}")]
    array = np.asarray(array, dtype=dtype, order="C")
    check_values(array, name, file, finite)
    return array


def flat_bytes(array: Array) -> memoryview:
    """A view of a C-contiguous array: no copy, writable where the array is."""
    return array.reshape(-1).view(np.uint8).data


def check_values(array: Array, name: str, file: str, finite: bool) -> None:
    """Refuse a BOOL that is neither 0 nor 1, and with `finite` a NaN or an infinity."""
    place = f"tensor {name!r}"
    if array.dtype == np.bool_ and (flat := array.reshape(-1).view(np.uint8)).max(initial=0) > 1:
        at = int((flat > 1).argmax())
        repair = "copy or store the file again"
        raise refusal(file, place, "a BOOL is 0 or 1", f"{flat[at]} at {at}", repair)
    if finite and array.dtype.kind == "f":
        at = native.first_nonfinite(to_native(array))
        if at >= 0:
            index = tuple(int(i) for i in np.unravel_index(at, array.shape))
            came = f"{array.reshape(-1)[at]} at {index}"
            repair = "the training that made it diverged: go back to an earlier checkpoint"
            raise refusal(file, place, "values are finite", came, repair)


def to_native(array: Array) -> Array:
    """The array itself where its byte order is this machine's, else a copy that is."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def canonical_meta(meta: Mapping[str, Any], file: str) -> bytes:
    """The JSON of `meta`, the same bytes for equal contents."""
    if not isinstance(meta, dict):
        raise TypeError(f"{file}: meta: must be a dict; got {type(meta).__name__}; use dict(meta)")
    return strict_json.canonical(meta, file, "meta")


def digest_of(
    meta: Mapping[str, Any], tensors: Mapping[str, Array], file: str, *, parsed: bool = False
) -> str:
    """SHA-256 (hex); `tensors` as `checked` returns them, in either byte order.

    `parsed`: `meta` comes from strict_json.parse, so that its values need no second look.
    """
    rows = [[name, tensor_table.code_of(a, file, name), a.shape] for name, a in tensors.items()]
    table = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text = strict_json.spelled(meta, file, "meta") if parsed else canonical_meta(meta, file)
    # Each part's length is known from the one before it: no two contents give the same stream.
    found = hashlib.sha256(b"elman model 1\n" + struct.pack("<QQ", len(table), len(text)))
    found.update(table)
    found.update(text)
    for array in tensors.values():
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        found.update(flat_bytes(little))
    return found.hexdigest()
