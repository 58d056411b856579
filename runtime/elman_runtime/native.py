"""The compiled module, or NumPy twins with the same meaning where it is missing.

`available` says which; `missing_because` is None or the reason, in words for a user.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman_runtime.tape.lower import Lowered

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


def maker() -> str:
    """Who made the processor: "GenuineIntel", "AuthenticAMD"; "" where that is not known."""
    return "" if _native is None else str(_native.maker())


def plan(lowered: Lowered) -> Any:
    """What the compiled engine makes of a tape; RuntimeError where there is no such engine."""
    tape = lowered.tape
    counted = (tape.gates, tape.recurrent, tape.state, tape.params, tape.inputs, lowered.columns)
    return _needed().Plan(
        [len(names) for names in counted],
        lowered.counts,
        lowered.slots,
        lowered.numbers,
        [width == "1" for width in tape.outputs],
        [tuple(product) for product in lowered.products],
        lowered.sections,
        not tape.is_scan or tape.needs_whole_rows,
    )


def forward(double: bool, *arguments: Any) -> None:
    """Run a plan forwards: runtime/bind/engine.cpp says what it takes, arrays as addresses."""
    module = _needed()
    (module.forward_float64 if double else module.forward_float32)(*arguments)


def backward(double: bool, *arguments: Any) -> None:
    """Run a plan backwards."""
    module = _needed()
    (module.backward_float64 if double else module.backward_float32)(*arguments)


def plain_forward(double: bool, *arguments: Any) -> None:
    """Run a plan forwards from raw inputs, without options but lengths: `plain_call` there."""
    module = _needed()
    (module.plain_forward_float64 if double else module.plain_forward_float32)(*arguments)


def plain_backward(double: bool, *arguments: Any) -> None:
    """Run a plan backwards, with the gradients of weights."""
    module = _needed()
    (module.plain_backward_float64 if double else module.plain_backward_float32)(*arguments)


def lend(double: bool, count: int) -> NDArray[np.floating]:
    """So many numbers, not initialised, lent again when no one has the array any more."""
    if _native is None:
        return np.empty(count, np.float64 if double else np.float32)
    found: NDArray[np.floating] = (_native.lend_float64 if double else _native.lend_float32)(count)
    return found


def engines() -> list[str]:
    """Instruction sets that the compiled engine has and this processor runs, the fastest last."""
    return [] if _native is None else list(_native.engines())


def stepper(image: bytes, instruction_set: str = "", threads: int = 1) -> Any:
    """What the compiled engine makes of an image; RuntimeError where there is no such engine.

    Raises ValueError for bytes that are no image, an instruction set that is not here, and
    threads other than 1 to 256.
    """
    return _needed().Stepper(image, instruction_set, threads)


_chosen = ""


def instruction_set() -> str:
    """The one that runs plans; "" is the fastest."""
    return _chosen


@contextmanager
def use_instruction_set(name: str) -> Iterator[None]:
    """Run plans in one instruction set within a `with` block: for tests and comparisons.

    Raises ValueError where this build or processor has none of that name.
    """
    global _chosen
    if name not in engines():
        raise ValueError(f"name: must be one of {', '.join(engines()) or 'none'}, got {name!r}")
    before, _chosen = _chosen, name
    try:
        yield
    finally:
        _chosen = before


def _needed() -> ModuleType:
    if _native is None:
        raise RuntimeError(missing_because)
    return _native


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
