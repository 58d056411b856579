"""The compiled module, or NumPy twins with the same meaning where it is missing.

`available` says which; `missing_because` is None or the reason, in words for a user.
"""

import platform
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

_native: ModuleType | None
try:
    from elman_runtime import _native
except ImportError as error:
    _native = None
    missing_because: str | None = (
        f"elman_runtime._native cannot be imported ({error}): elman-runtime was installed "
        "without a C++17 compiler, or for another Python; install one and run "
        "`pip install --force-reinstall --no-deps ./runtime`"
    )
else:
    missing_because = None

available: bool = _native is not None


def first_nonfinite(array: NDArray[np.floating]) -> int:
    """Index, in C order, of the first NaN or infinity; -1 where all values are finite.

    `array`: float16, float32 or float64 of any shape, C-contiguous and in this machine's
    byte order. Raises TypeError for any other dtype, ValueError for another layout.

    >>> first_nonfinite(np.array([[0.5, 1.0], [np.nan, np.inf]]))
    2
    """
    _check_floats(array)
    if _native is None or array.dtype == np.float16:
        return numpy_first_nonfinite(array)
    return int(_native.first_nonfinite(array))


def instruction_sets() -> list[str]:
    """What this processor and operating system support, "baseline" first.

    The others, in this order: "avx2+fma", "avx512" (F, CD, BW, DQ, VL), "neon".
    """
    return numpy_instruction_sets() if _native is None else list(_native.instruction_sets())


def _check_floats(array: NDArray[np.floating]) -> None:
    if array.dtype not in (np.float16, np.float32, np.float64) or not array.dtype.isnative:
        raise TypeError(
            "array: the dtype must be float16, float32 or float64 in native byte order; "
            f"got {array.dtype.str}; convert it with array.astype(numpy.float64)"
        )
    if not array.flags.c_contiguous:
        raise ValueError(
            "array: the values must be contiguous in C order; "
            f"got strides {array.strides}; pass numpy.ascontiguousarray(array)"
        )


# Values a block: the twin's temporaries stay small, and an early NaN is found early.
_BLOCK = 1 << 16


def numpy_first_nonfinite(array: NDArray[np.floating]) -> int:
    """The twin of `first_nonfinite`, in NumPy alone."""
    flat = array.reshape(-1)
    for begin in range(0, flat.size, _BLOCK):
        bad = ~np.isfinite(flat[begin : begin + _BLOCK])
        if bad.any():
            return begin + int(bad.argmax())
    return -1


def numpy_instruction_sets() -> list[str]:
    """The twin of `instruction_sets`: what the operating system itself reports.

    Linux lists a set only where it saves the registers; elsewhere just the baseline is certain.
    """
    sets = ["baseline"]
    flags = _linux_flags()
    if {"avx2", "fma"} <= flags:
        sets.append("avx2+fma")
        if {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"} <= flags:
            sets.append("avx512")
    if platform.machine().lower() in ("aarch64", "arm64"):
        sets.append("neon")
    return sets


def _linux_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    # Some machines mix processors: what is not on each of them cannot be relied on.
    rows = [set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")]
    return set.intersection(*rows) if rows else set()
