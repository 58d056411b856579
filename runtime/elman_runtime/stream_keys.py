"""The keys by which a pool's streams are known, as a file holds them."""

from collections.abc import Hashable, Iterable
from numbers import Integral
from typing import Any

from elman_runtime import strict_json
from elman_runtime.errors import ModelFileError, shown
from elman_runtime.snapshot import SnapshotError


def encode(keys: Iterable[Hashable]) -> bytes:
    """JSON of keys; TypeError for one that is no str, bytes, number, None or tuple of such."""
    try:
        return strict_json.canonical([_encoded(key) for key in keys], "snapshot", "keys")
    except ModelFileError as error:  # NaN as a key, a lone surrogate, tuples within tuples
        raise TypeError(str(error)) from None


def _encoded(key: Any) -> Any:
    if isinstance(key, tuple):
        return [_encoded(part) for part in key]
    if isinstance(key, bytes):
        return {"bytes": key.hex()}
    if isinstance(key, str | float | bool | None):
        return key
    if isinstance(key, Integral):
        return int(key)  # NumPy's too
    raise TypeError(
        f"keys: must be str, bytes, numbers, None or tuples of them to be saved; got {shown(key)} "
        f"({type(key).__name__}); use such keys, or save each stream with state_of"
    )


def decode(data: bytes, name: str) -> list[Hashable]:
    """The keys of `encode`; SnapshotError where they are not as it wrote them."""
    try:
        found = [_decoded(value) for value in strict_json.parse(data, name, "keys")]
        if len(set(found)) == len(found):
            return found
    except (ModelFileError, TypeError, ValueError, KeyError):
        pass
    raise SnapshotError(f"{name}: keys must be a list of different ones; got others; take another")


def _decoded(value: Any) -> Hashable:
    if isinstance(value, list):
        return tuple(_decoded(part) for part in value)
    if isinstance(value, dict):
        return bytes.fromhex(value["bytes"])
    found: Hashable = value
    return found
