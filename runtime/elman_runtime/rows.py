"""What streams remember, one row for each: state, counts, the last good input, the last output."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from elman_runtime.contents import Array
from elman_runtime.snapshot import SnapshotError
from elman_runtime.streamable import Port, Streamable

HAS_INPUT, HAS_OUTPUT = 1, 2
"""Flags of a row: whether it has a last good input, and a last output."""


class Rows:
    """Arrays of n rows that grow, and what of them goes into a snapshot.

    - `state`: (n, S), what the program carries.
    - `count`, `bad`: (n,) observations taken, and how many of them were not finite.
    - `flags`: (n,) of HAS_INPUT and HAS_OUTPUT.
    - `inputs`: (n, ...) for each input, the last good one.
    - `outputs`: (n, ...) for each output, the last one.
    """

    def __init__(self, streamable: Streamable, n: int) -> None:
        self._streamable, self._start = streamable, streamable.runner.start()
        self._arrays = {
            name: np.zeros((n, *shape), dtype) for name, (dtype, shape) in self._table().items()
        }
        self._name()
        self.begin(slice(None))

    def _table(self) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
        """The dtype and the shape of a row of each array."""
        found: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
            "state": (self._streamable.dtype, (len(self._start),)),
            "count": (np.dtype(np.int64), ()),
            "bad": (np.dtype(np.int64), ()),
            "flags": (np.dtype(np.uint8), ()),
        }
        for what, ports in self._ports().items():
            found |= {f"{what}.{k}": (port.dtype, port.shape) for k, port in enumerate(ports)}
        return found

    def _ports(self) -> dict[str, tuple[Port, ...]]:
        return {"input": self._streamable.inputs, "output": self._streamable.outputs}

    def _name(self) -> None:
        found = self._arrays
        self.state, self.count = found["state"], found["count"]
        self.bad, self.flags = found["bad"], found["flags"]
        self.inputs = tuple(v for name, v in found.items() if name.startswith("input."))
        self.outputs = tuple(v for name, v in found.items() if name.startswith("output."))

    def __len__(self) -> int:
        return len(self.count)

    def begin(self, which: Any) -> None:
        """Make rows those of streams to which nothing has come; outputs are NaN (integers -1)."""
        for name, array in self._arrays.items():
            array[which] = nothing(array.dtype) if name.startswith("output.") else 0
        self.state[which] = self._start

    def grow(self, n: int) -> None:
        """Room for n rows; those there are keep their places, the others are to be begun."""
        for name, old in self._arrays.items():
            self._arrays[name] = np.zeros((n, *old.shape[1:]), old.dtype)
            self._arrays[name][: len(old)] = old
        self._name()

    def take(self, which: Any) -> dict[str, Array]:
        """Copies of rows, as a snapshot holds them."""
        return {name: array[which].copy() for name, array in self._arrays.items()}

    def put(self, which: Any, arrays: Mapping[str, Array]) -> None:
        """Set rows to what `take` gave, or a snapshot that `check` found sound."""
        for name, array in self._arrays.items():
            array[which] = arrays[name]

    def check(self, arrays: Mapping[str, Array], n: int, name: str) -> None:
        """Raise SnapshotError unless a snapshot holds n rows of this program."""
        for key, (dtype, shape) in self._table().items():
            wanted = (n, *shape)
            found = arrays.get(key)
            if found is None or found.shape != wanted or found.dtype != dtype:
                came = "none" if found is None else f"{found.dtype} {found.shape}"
                rule = f"{name}: {key!r} must be {dtype} {wanted}"
                raise SnapshotError(f"{rule}; got {came}; restore it where it was taken")
        counts = (arrays["count"], arrays["bad"], arrays["count"] - arrays["bad"])
        good = all((array >= 0).all() for array in counts)
        good = good and bool((arrays["flags"] <= HAS_INPUT | HAS_OUTPUT).all())
        window = self._streamable.window
        if not good or (window is not None and not window.sound(arrays["state"])):
            rule = f"{name}: counts, flags and windows must be possible"
            raise SnapshotError(f"{rule}; got others; take an earlier snapshot")


def nothing(dtype: np.dtype[Any]) -> float:
    """What stands for an output that there is not yet: NaN, or -1 where it is an integer."""
    return float("nan") if dtype.kind == "f" else -1
