"""The memory of a pool: which row is whose, who may come, and who must go."""

import time
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from elman_runtime.contents import Array
from elman_runtime.rows import Rows
from elman_runtime.streamable import Streamable

_FIRST = 64
_SLOT_BITS = 32
_SLOT_MASK = (1 << _SLOT_BITS) - 1
_GENERATIONS = 1 << 31


class Arena:
    """Rows of streams by key; room is made by doubling.

    - `rows`: what the streams remember.
    - `slots`: the row of each key, in the order in which they came.
    - `calls`: how many steps of the pool there have been.
    """

    def __init__(self, streamable: Streamable) -> None:
        self.rows = Rows(streamable, _FIRST)
        self._generation = np.zeros(_FIRST, np.int64)
        self.clear()

    def clear(self) -> None:
        """End all streams; the room stays."""
        n = len(self.rows)
        self._generation = (self._generation + 1) % _GENERATIONS
        self.slots: dict[Hashable, int] = {}
        self.calls = 0
        self._free = list(range(n - 1, -1, -1))
        self._used, self._seen = np.zeros(n, np.int64), np.zeros(n)
        self._stamp = np.zeros(n, np.int64)

    def slot(self, key: Hashable) -> int:
        """The row of a key; KeyError where it has none."""
        if key not in self.slots:
            raise KeyError(f"key: must be of a stream in the pool; got {key!r}; step it first")
        return self.slots[key]

    def find(self, keys: Sequence[Hashable]) -> Array:
        """The rows (N,) of keys; KeyError where one has none."""
        return np.fromiter(map(self.slots.__getitem__, keys), np.int64, len(keys))

    def new(self, keys: Sequence[Hashable]) -> list[Hashable]:
        """Those that have no row, once each."""
        return [key for key in dict.fromkeys(keys) if key not in self.slots]

    def begin(self, keys: Sequence[Hashable]) -> None:
        """Rows for new keys, each the beginning of a stream."""
        if len(keys) > len(self._free):
            self._grow(max(2 * len(self.rows), len(self.slots) + len(keys)))
        begun = [self._free.pop() for _ in keys]
        self.rows.begin(begun)
        self.slots.update(zip(keys, begun, strict=True))
        self.touch(np.array(begun, np.int64))

    def _grow(self, n: int) -> None:
        old = len(self.rows)
        self.rows.grow(n)
        more = np.zeros(n - old, np.int64)
        self._generation = np.concatenate([self._generation, more])
        self._used = np.concatenate([self._used, more])
        self._seen = np.concatenate([self._seen, np.zeros(n - old)])
        self._stamp = np.concatenate([self._stamp, more])
        self._free = [*range(n - 1, old - 1, -1), *self._free]

    def drop(self, keys: Iterable[Hashable]) -> None:
        """End streams; their handles are good no more."""
        for key in keys:
            slot = self.slots.pop(key)
            self._generation[slot] = (self._generation[slot] + 1) % _GENERATIONS
            self._free.append(slot)

    def handles(self, slots: Array) -> Array:
        """Handles (N,) of rows: a row's number and whose turn it is to live there."""
        found: Array = self._generation[slots] << _SLOT_BITS | slots
        return found

    def known(self, handles: Array) -> Array:
        """The rows (N,) of handles; KeyError for one whose stream is no more."""
        if handles.ndim != 1 or handles.dtype != np.int64:
            came = f"{handles.dtype} {handles.shape}"
            raise ValueError(f"handles: must be int64 (N,); got {came}; use pool.handles(keys)")
        slots: Array = handles & _SLOT_MASK
        wrong = (handles < 0) | (slots >= len(self.rows))
        inside = np.where(wrong, 0, slots)
        wrong |= self._generation[inside] != handles >> _SLOT_BITS
        if wrong.any():
            raise KeyError(
                f"handles: must be of streams that are here; number {int(wrong.argmax())} is of "
                "one that was removed or evicted; ask pool.handles(keys) again"
            )
        return slots

    def turns(self, slots: Array) -> Array | None:
        """How often each row stands before it in `slots` (N,); None where all are different."""
        order = np.arange(len(slots))
        self._stamp[slots] = order
        if (self._stamp[slots] == order).all():
            return None
        seen: dict[int, int] = {}
        turns = np.zeros(len(slots), np.int64)
        for k, slot in enumerate(slots.tolist()):
            turns[k] = seen[slot] = seen.get(slot, -1) + 1
        return turns

    def touch(self, slots: Array) -> None:
        """They have been used now."""
        self._used[slots], self._seen[slots] = self.calls, time.monotonic()

    def idle_longest(self, n: int, but: Iterable[Hashable]) -> list[Hashable]:
        """The n streams whose last step is longest ago, or as many as there are besides `but`."""
        spared = set(but)
        found = [key for key in self.slots if key not in spared]
        found.sort(key=lambda key: int(self._used[self.slots[key]]))
        return found[:n]

    def idle(self, steps: int | None, seconds: float | None) -> list[Hashable]:
        """The streams that have been idle for more than so many steps, or seconds."""
        found = np.zeros(len(self.rows), bool)
        if steps is not None:
            found |= self.calls - self._used > steps
        if seconds is not None:
            found |= time.monotonic() - self._seen > seconds
        return [key for key, slot in self.slots.items() if found[slot]]

    def idleness(self, slots: Array) -> dict[str, Array]:
        """For how many steps and seconds rows have been idle, (N,) each."""
        now = time.monotonic()
        return {
            "idle_steps": self.calls - self._used[slots],
            "idle_seconds": now - self._seen[slots],
        }

    def set_idleness(self, slots: Array, steps: Array, seconds: Array) -> None:
        """Let rows have been idle for so long."""
        self._used[slots] = self.calls - steps
        self._seen[slots] = time.monotonic() - seconds
