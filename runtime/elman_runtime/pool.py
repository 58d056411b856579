"""Many streams of one model: their states in one arena, known by the caller's keys."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from elman_runtime import files, intake, snapshot, stream_keys
from elman_runtime.arena import Arena
from elman_runtime.contents import Array
from elman_runtime.files import StrPath
from elman_runtime.model import Model
from elman_runtime.one_thread import OneThread
from elman_runtime.rows import HAS_INPUT, HAS_OUTPUT
from elman_runtime.snapshot import SnapshotError
from elman_runtime.stream import WHAT as STREAM
from elman_runtime.streamable import Port, open_streamable

__all__ = ["StreamPool"]

WHAT = "pool"
"""In a snapshot: the states of all streams of a pool."""

MOST_THREADS = 256


class StreamPool:
    """Thousands of streams of one model, stepped together.

    Each does what a `Stream` of its own would, bit for bit, whoever is stepped with it. A key that
    is new begins a stream. The arena grows as needed, and nothing large is allocated once it has.

    Args:
        model: a model file, or what `elman_runtime.load` returned.
        program: which of its programs; by default "step", if there is one, else "main".
        on_bad: "raise", "hold" or "skip", as in `Stream`, for each row of a call by itself; "raise"
            refuses the whole call, and nothing has changed.
        max_streams: how many there may be; None for any number.
        on_full: "raise" refuses a new key when there are `max_streams`; "evict" drops the streams
            that have been idle longest, their states with them.
        threads: how many share the rows of a call that is large enough, 1 to 256. Each holds the
            weights once more; outputs and states are the same, bit for bit, for any number.

    Raises:
        ValueError: no such program, or one that needs the end of a sequence; a setting is out of
            range.
        ModelFileError, OSError: the file cannot be read.

    docs/streams.md has examples.
    """

    def __init__(
        self,
        model: "Model | StrPath",
        program: str | None = None,
        *,
        on_bad: str = "raise",
        max_streams: int | None = None,
        on_full: str = "raise",
        threads: int = 1,
    ) -> None:
        self.on_bad = intake.check_on_bad(on_bad)
        if max_streams is not None and max_streams < 1:
            raise ValueError(f"max_streams must be 1 or more, or None; got {max_streams}")
        if on_full not in ("raise", "evict"):
            raise ValueError(f"on_full must be raise or evict; got {on_full!r}; choose one")
        if not 1 <= threads <= MOST_THREADS:
            raise ValueError(f"threads must be 1 to {MOST_THREADS}; got {threads}")
        self.max_streams, self.on_full = max_streams, on_full
        self.note: Any = None
        self._streamable = open_streamable(model, program, threads)
        self._alone = OneThread("pool", "a pool for each")
        self._after = HAS_OUTPUT | (HAS_INPUT if on_bad == "hold" else 0)
        self._arena = Arena(self._streamable)

    # --- what there is -----------------------------------------------------------------------

    @property
    def inputs(self) -> tuple[Port, ...]:
        """Name, shape and dtype of each input of a step."""
        return self._streamable.inputs

    @property
    def outputs(self) -> tuple[Port, ...]:
        """Name, shape and dtype of each output of a step."""
        return self._streamable.outputs

    @property
    def delay(self) -> int:
        """Steps by which an output lags behind the input that it belongs to."""
        return self._streamable.kind.delay

    def __len__(self) -> int:
        return len(self._arena.slots)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._arena.slots

    def __iter__(self) -> Iterator[Hashable]:
        """The keys, in the order in which they came."""
        return iter(list(self._arena.slots))

    def count(self, key: Hashable) -> int:
        """Observations that the stream of a key has taken; KeyError where there is none."""
        return int(self._arena.rows.count[self._arena.slot(key)])

    # --- feeding -----------------------------------------------------------------------------

    def step(self, keys: Sequence[Hashable], x: Any, out: Any = None) -> Any:
        """Take one observation for each key and return the outputs (N, ...).

        A key that stands several times is fed in the order of its rows.

        Args:
            keys: N of them; a new one begins a stream.
            x: (N, ...); of several inputs a tuple, or a dict by name.
            out: where to write, (N, ...), instead of a new array; of several outputs a tuple.

        Raises:
            ValueError: a shape does not fit, a value is not finite with on_bad="raise", or there
                are more than `max_streams`. Nothing has changed.
            TypeError: a dtype does not fit, or a key cannot be hashed.
            RuntimeError: another thread is using this pool.
        """
        with self._alone:
            _check_keys(keys)
            arrays, into = self._given(x, out, len(keys))
            return self._step(self._open(keys), arrays, into)

    def handles(self, keys: Sequence[Hashable]) -> Array:
        """Handles (N,), int64, by which `step_at` finds streams sooner; new keys begin streams.

        A handle is good until its stream is removed or evicted; then it is refused, even if
        another stream has taken the place.
        """
        with self._alone:
            _check_keys(keys)
            return self._arena.handles(self._open(keys))

    def step_at(self, handles: Array, x: Any, out: Any = None) -> Any:
        """The same as `step`, with handles (N,) instead of keys.

        Raises:
            as `step`; KeyError for a handle whose stream is no more.
        """
        with self._alone:
            slots = self._arena.known(np.asarray(handles))
            arrays, into = self._given(x, out, len(slots))
            return self._step(slots, arrays, into)

    def _given(self, x: Any, out: Any, n: int) -> tuple[list[Array], tuple[Array, ...] | None]:
        """Inputs as arrays (n, ...), and where outputs go; refused before anything changes."""
        given = zip(self.inputs, intake.by_port(self.inputs, x), strict=True)
        arrays = [intake.converted(port, value, (n,)) for port, value in given]
        into = None if out is None else intake.check_out(self.outputs, out, (n,))
        if self.on_bad == "raise" and (good := intake.good_rows(arrays)) is not None:
            row = int(np.argmin(good))
            raise intake.bad_input(arrays, self.inputs, row, f"row {row}: ")
        return arrays, into

    def _step(self, slots: Array, arrays: list[Array], into: tuple[Array, ...] | None) -> Any:
        made = into if _may_write(into, arrays, self.outputs) else None
        if made is None:
            made = tuple(np.empty((len(slots), *p.shape), p.dtype) for p in self.outputs)
        self._arena.calls += 1
        turns = self._arena.turns(slots)
        if turns is None:
            self._turn(slots, arrays, made)
        else:
            for turn in range(int(turns.max()) + 1):
                at = np.flatnonzero(turns == turn)
                part = tuple(array[at] for array in made)
                self._turn(slots[at], [array[at] for array in arrays], part)
                for array, values in zip(made, part, strict=True):
                    array[at] = values
        self._arena.touch(slots)
        if into is not None and made is not into:
            return intake.copy_out(made, into)
        return made[0] if len(made) == 1 else made

    def _turn(self, slots: Array, arrays: Sequence[Array], made: tuple[Array, ...]) -> None:
        """Feed different streams; `made` (N, ...) is written."""
        rows = self._arena.rows
        rows.count[slots] += 1
        good = None if self.on_bad == "raise" else intake.good_rows(arrays)
        if good is None:
            self._run(slots, arrays, made)
            return
        rows.bad[slots[~good]] += 1
        runs = good
        if self.on_bad == "hold":
            again = np.flatnonzero(~good & (rows.flags[slots] & HAS_INPUT > 0))
            arrays = [array.copy() for array in arrays]
            for array, held in zip(arrays, rows.inputs, strict=True):
                array[again] = held[slots[again]]
            runs = good.copy()
            runs[again] = True
        self._run(slots[runs], [a[runs] for a in arrays], tuple(m[runs] for m in made))
        self._refresh(slots[~runs])
        for array, kept in zip(made, rows.outputs, strict=True):
            array[:] = kept[slots]

    def _run(self, slots: Array, arrays: Sequence[Array], made: tuple[Array, ...]) -> None:
        rows = self._arena.rows
        fed, into = [a[:, None] for a in arrays], [m[:, None] for m in made]
        self._streamable.runner.run(rows.state, fed, into, slots)
        for kept, array in zip(rows.outputs, made, strict=True):
            kept[slots] = array
        if self.on_bad == "hold":
            for held, array in zip(rows.inputs, arrays, strict=True):
                held[slots] = array
        rows.flags[slots] = self._after

    def _refresh(self, slots: Array) -> None:
        """Make the last outputs of window programs those of now."""
        if window := self._streamable.window:
            rows = self._arena.rows
            for slot in slots.tolist():
                window.output(rows.state[slot], [y[slot] for y in rows.outputs])

    # --- streams come and go -----------------------------------------------------------------

    def _open(self, keys: Sequence[Hashable]) -> Array:
        """The rows (N,) of keys; new ones begin streams."""
        try:
            return self._arena.find(keys)
        except KeyError:
            new = self._arena.new(keys)
            self._make_room(len(new), keys)
            self._arena.begin(new)
            return self._arena.find(keys)

    def _make_room(self, new: int, keys: Sequence[Hashable]) -> None:
        held = len(self._arena.slots)
        over = 0 if self.max_streams is None else held + new - self.max_streams
        if over <= 0:
            return
        idle = self._arena.idle_longest(over, keys) if self.on_full == "evict" else []
        if len(idle) < over:
            raise ValueError(
                f"keys: must be at most {self.max_streams} streams (max_streams); got {new} more "
                f'than the {held} there are; evict idle ones, or choose on_full="evict"'
            )
        self._arena.drop(idle)

    def remove(self, key: Hashable) -> None:
        """End a stream; KeyError where there is none."""
        with self._alone:
            self._arena.slot(key)
            self._arena.drop([key])

    def evict(
        self, *, idle_steps: int | None = None, older_than: float | None = None
    ) -> list[Hashable]:
        """End the streams that have been idle, and return their keys.

        Args:
            idle_steps: more than so many calls of `step` have come without them.
            older_than: more than so many seconds have passed since their last one.

        Raises:
            ValueError: neither was given.
        """
        if idle_steps is None and older_than is None:
            raise ValueError("evict: idle_steps or older_than must be given; got neither; give one")
        with self._alone:
            found = self._arena.idle(idle_steps, older_than)
            self._arena.drop(found)
        return found

    # --- states ------------------------------------------------------------------------------

    def state_of(self, key: Hashable, note: Any = None) -> bytes:
        """The state of one stream, as `Stream.state` returns it: a `Stream` can go on from it."""
        with self._alone:
            arrays = self._arena.rows.take([self._arena.slot(key)])
        return snapshot.pack(self._streamable.origin(STREAM), {}, note, arrays)

    def restore_to(self, key: Hashable, data: bytes) -> Any:
        """Let a stream go on from what `state_of` or `Stream.state` returned; returns its note."""
        found = snapshot.unpack(data, "state", self._streamable.origin(STREAM))
        self._arena.rows.check(found.arrays, 1, "state")
        with self._alone:
            self._arena.rows.put(self._open([key]), found.arrays)
        return found.note

    def state(self, note: Any = None) -> bytes:
        """The states of all streams, their keys and how long they have been idle, and a note.

        Raises:
            TypeError: a key is no str, bytes, number, None or tuple of them.
        """
        with self._alone:
            slots = self._arena.find(list(self._arena.slots))
            arrays = self._arena.rows.take(slots) | self._arena.idleness(slots)
            arrays["keys"] = np.frombuffer(stream_keys.encode(self._arena.slots), np.uint8)
        return snapshot.pack(self._streamable.origin(WHAT), {}, note, arrays)

    def save(self, path: StrPath, note: Any = None) -> None:
        """Write `state(note)` to a file, which is there whole or not at all."""
        files.write_atomic(path, self.state(note))
        self.note = note

    def restore(self, data: bytes) -> Any:
        """Go on from what `state` returned, instead of with the streams here; returns its note.

        Handles from before are refused. `max_streams` may be exceeded until the next new key.

        Raises:
            SnapshotError: it is damaged, or of another model; nothing has changed.
        """
        return self._restore(data, "state")

    def restore_file(self, path: StrPath) -> Any:
        """Go on from a file of `save`; returns its note, which is kept as `note`.

        Raises:
            SnapshotError: as `restore`. OSError: the file cannot be read.
        """
        return self._restore(snapshot.read_file(path), str(path))

    def _restore(self, data: bytes, name: str) -> Any:
        found = snapshot.unpack(data, name, self._streamable.origin(WHAT))
        arrays = found.arrays
        keys = stream_keys.decode(arrays.get("keys", np.zeros(0, np.uint8)).tobytes(), name)
        self._arena.rows.check(arrays, len(keys), name)
        idle = [arrays.get(key, np.zeros(0)) for key in ("idle_steps", "idle_seconds")]
        if any(array.shape != (len(keys),) for array in idle):
            raise SnapshotError(f"{name}: each stream must have been idle for a time; got others")
        with self._alone:
            self._arena.clear()
            self._arena.begin(keys)
            slots = self._arena.find(keys)
            self._arena.rows.put(slots, arrays)
            self._arena.set_idleness(slots, *idle)
            self.note = found.note
        return found.note

    @classmethod
    def load(
        cls,
        path: StrPath,
        model: "Model | StrPath",
        program: str | None = None,
        *,
        on_bad: str = "raise",
        max_streams: int | None = None,
        on_full: str = "raise",
        threads: int = 1,
    ) -> "StreamPool":
        """A pool of `model` that goes on from a file of `save`; the note is at `note`."""
        pool = cls(
            model,
            program,
            on_bad=on_bad,
            max_streams=max_streams,
            on_full=on_full,
            threads=threads,
        )
        pool.restore_file(path)
        return pool


def _check_keys(keys: Any) -> None:
    if isinstance(keys, str | bytes) or not hasattr(keys, "__len__"):
        came = type(keys).__name__
        raise TypeError(f"keys: must be a sequence of keys; got {came}; for one, give [key]")


def _may_write(into: Any, arrays: Sequence[Array], ports: Sequence[Port]) -> bool:
    """Whether outputs may go to where the caller wants them at once."""
    return into is not None and all(
        array.flags.c_contiguous
        and array.dtype == port.dtype
        and not any(np.may_share_memory(array, x) for x in arrays)
        for array, port in zip(into, ports, strict=True)
    )
