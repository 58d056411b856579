"""What a caller gives a stream: made into arrays of the program's dtypes, or refused in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from elman_runtime.contents import Array
from elman_runtime.native import numpy_first_nonfinite
from elman_runtime.streamable import Port

try:  # asked once a step: the checks of native.first_nonfinite would take longer than the search
    from elman_runtime._native import first_nonfinite
except ImportError:
    first_nonfinite = numpy_first_nonfinite

__all__ = ["ON_BAD", "bad_input", "by_port", "check_on_bad", "check_out", "converted", "copy_out"]
__all__ += ["first_nonfinite", "good_rows"]

ON_BAD = ("raise", "hold", "skip")


def check_on_bad(on_bad: str) -> str:
    """The word itself; ValueError where it is none of ON_BAD."""
    if on_bad not in ON_BAD:
        repair = "raise refuses, hold takes the last good input again, skip leaves the state"
        raise ValueError(f"on_bad must be one of {', '.join(ON_BAD)}; got {on_bad!r}; {repair}")
    return on_bad


def by_port(ports: Sequence[Port], given: Any, what: str = "x") -> tuple[Any, ...]:
    """One value for each port, from one value, a tuple in the ports' order, or a dict by name."""
    if isinstance(given, Mapping):
        wanted = [port.name for port in ports]
        if set(given) != set(wanted):
            came = ", ".join(map(str, given)) or "none"
            raise ValueError(f"{what}: must have the names {', '.join(wanted)}; got {came}")
        return tuple(given[name] for name in wanted)
    if len(ports) == 1:
        return (given,)
    if not isinstance(given, tuple) or len(given) != len(ports):
        names = ", ".join(port.name for port in ports)
        came = f"{len(given)}" if isinstance(given, tuple) else type(given).__name__
        raise ValueError(f"{what}: must be a tuple or dict of {len(ports)} ({names}); got {came}")
    return given


def converted(port: Port, value: Any, leading: tuple[int | None, ...], what: str = "x") -> Array:
    """A C-contiguous array (*leading, *shape) in the port's dtype; None in `leading` is any size.

    Raises:
        TypeError: it is no array of numbers, or a port of integers is given others.
        ValueError: the shape does not fit, or an integer lies outside the port's limit.
    """
    array = np.asarray(value)
    wanted = (*leading, *port.shape)
    fits = array.ndim == len(wanted) and all(
        size in (None, found) for size, found in zip(wanted, array.shape, strict=True)
    )
    if not fits:
        shown = ", ".join("any" if size is None else str(size) for size in wanted)
        raise ValueError(f"{what}: {port.name!r} must have shape ({shown}); got {array.shape}")
    integers = port.dtype.kind == "i"
    if array.size and array.dtype.kind not in ("iu" if integers else "fiub"):
        kind, repair = ("integers", "astype(int)") if integers else ("numbers", "astype(float)")
        came = f"{array.dtype}"
        raise TypeError(f"{what}: {port.name!r} must be {kind}; got {came}; convert with {repair}")
    if integers and array.size:
        _check_limit(port, array, what)
    # A number too large for float32 becomes infinite: then it is a bad one.
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, port.dtype).reshape(array.shape)


def _check_limit(port: Port, array: Array, what: str) -> None:
    low, high = int(array.min()), int(array.max())
    limit = port.limit if port.limit is not None else 1 << 53
    if low < 0 or high >= limit:
        came = low if low < 0 else high
        repair = "map what is unknown to one of them"
        raise ValueError(f"{what}: {port.name!r} must be 0 to {limit - 1}; got {came}; {repair}")


def good_rows(arrays: Sequence[Array]) -> Array | None:
    """Which rows (N,) of all arrays (N, ...) are finite; None where all of them are."""
    floats = [array for array in arrays if array.dtype.kind == "f"]
    if all(first_nonfinite(array) < 0 for array in floats):
        return None
    good = np.ones(len(floats[0]), bool)
    for array in floats:
        good &= np.isfinite(array).reshape(len(array), -1).all(1)
    return good


def bad_input(arrays: Sequence[Array], ports: Sequence[Port], row: int, where: str) -> ValueError:
    """The error of on_bad="raise": names the place of the first value of a row that is not finite.

    Args:
        where: what the row is called, such as "row 3: "; "" for a single one.
    """
    for array, port in zip(arrays, ports, strict=True):
        if array.dtype.kind == "f" and not np.isfinite(array[row]).all():
            at = np.unravel_index(int(np.argmin(np.isfinite(array[row]))), array[row].shape)
            place = f" at {tuple(int(k) for k in at)}" if at else ""
            came = f"{array[row][at]}{place}"
            repair = 'mend it, or choose on_bad="hold" or "skip"'
            return ValueError(f"x: {where}{port.name!r} must be finite; got {came}; {repair}")
    raise AssertionError("all of the row is finite")


def check_out(ports: Sequence[Port], out: Any, leading: tuple[int, ...]) -> tuple[Array, ...]:
    """The arrays to write outputs to, one for each port; refused before anything has changed."""
    arrays = (out,) if len(ports) == 1 else out
    if not isinstance(arrays, tuple) or len(arrays) != len(ports):
        raise ValueError(f"out: must be a tuple of {len(ports)} arrays; got {type(out).__name__}")
    for port, array in zip(ports, arrays, strict=True):
        rule = f"out: {port.name!r} must be a writable array {(*leading, *port.shape)}"
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{rule}; got {type(array).__name__}; use numpy.empty")
        if array.shape != (*leading, *port.shape) or not array.flags.writeable:
            raise ValueError(f"{rule}; got {array.shape}; use numpy.empty")
        if not np.can_cast(port.dtype, array.dtype, "same_kind"):
            raise TypeError(f"{rule} of {port.dtype}; got {array.dtype}; use numpy.empty")
    return arrays


def copy_out(arrays: Sequence[Array], out: tuple[Array, ...] | None) -> Any:
    """Copies of outputs, or `out` with them written to it; one array where there is one output."""
    if out is None:
        out = tuple(array.copy() for array in arrays)
    else:
        for to, array in zip(out, arrays, strict=True):
            np.copyto(to, array)
    return out[0] if len(arrays) == 1 else out
