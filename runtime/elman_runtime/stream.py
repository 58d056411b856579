"""One stream: a program fed an observation at a time, for ever, in constant memory."""

from functools import partial
from typing import Any

import numpy as np

from elman_runtime import blocks, files, intake, snapshot
from elman_runtime.contents import Array
from elman_runtime.files import StrPath
from elman_runtime.model import Model
from elman_runtime.one_thread import OneThread
from elman_runtime.rows import HAS_INPUT, HAS_OUTPUT, Rows
from elman_runtime.streamable import Port, Streamable, open_streamable

__all__ = ["Stream"]

WHAT = "stream"
"""In a snapshot: the state of one stream."""

_ALL = slice(None)


class Stream:
    """A model that is fed one observation after the other, and carries its state along.

    Step by step, block by block and after `restore` the outputs are the same, bit for bit, on one
    instruction set. A stream belongs to one thread at a time; `fork` gives another thread its own.

    Args:
        model: a model file, or what `elman_runtime.load` returned.
        program: which of its programs; by default "step", if there is one, else "main".
        on_bad: what becomes of an observation with a NaN or an infinity. It never enters the
            state. "raise": ValueError, and nothing has changed. "hold": the last good observation
            is taken again; before the first one, as "skip". "skip": the state stays, and the last
            output comes again; NaN before the first one.

    Raises:
        ValueError: no such program, or one that needs the end of a sequence.
        ModelFileError, OSError: the file cannot be read.

    docs/streams.md has examples.
    """

    def __init__(
        self, model: "Model | StrPath", program: str | None = None, *, on_bad: str = "raise"
    ) -> None:
        self._begin(open_streamable(model, program), intake.check_on_bad(on_bad))

    def _begin(self, streamable: Streamable, on_bad: str) -> None:
        self.on_bad, self._holds = on_bad, on_bad == "hold"
        self._after = HAS_OUTPUT | (HAS_INPUT if self._holds else 0)
        self.note: Any = None
        self._streamable, self._rows = streamable, Rows(streamable, 1)
        self._count = self._bad = self._flags = 0
        self._alone = OneThread("stream", "stream.fork()")
        self._acquire, self._release = self._alone.acquire, self._alone.release
        self._staged = tuple(np.zeros((1, 1, *p.shape), p.dtype) for p in streamable.inputs)
        made = tuple(array[:, None] for array in self._rows.outputs)
        self._run = partial(streamable.runner.run, self._rows.state, self._staged, made, None)
        self._state, self._y = self._rows.state[0], self._rows.outputs[0][0]
        self._x_shape, self._y_shape = self.inputs[0].shape, self.outputs[0].shape
        self._y_dtype, self._one_out = self.outputs[0].dtype, len(self.outputs) == 1
        # Compiled code takes one array in and one out as they are, and looks itself for NaN.
        plain = len(self.inputs) == 1 and self._one_out
        self._direct = getattr(streamable.runner, "step", _absent) if plain else _absent

    # --- what it is --------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """The model that it runs, for another stream of it."""
        return self._streamable.model

    @property
    def program(self) -> str:
        """The name of the program that it runs."""
        return self._streamable.name

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

    @property
    def window(self) -> int | None:
        """How many observations an output is made from; None where a state is carried instead."""
        return self._streamable.kind.length

    @property
    def missing(self) -> int:
        """How many good observations must still come before there is an output."""
        window = self._streamable.window
        return window.missing(self._rows.state[0]) if window else int(not self._flags & HAS_OUTPUT)

    @property
    def count(self) -> int:
        """Observations taken, those held or skipped included."""
        return self._count

    @property
    def bad(self) -> int:
        """How many of them were not finite."""
        return self._bad

    # --- feeding -----------------------------------------------------------------------------

    def step(self, x: Any, out: Any = None) -> Any:
        """Take one observation and return the output; NaN while a window is not full.

        Args:
            x: an array of the input's shape; of several inputs a tuple, or a dict by name.
            out: where to write, instead of a new array; of several outputs a tuple.

        Raises:
            ValueError: a shape does not fit, or with on_bad="raise" a value is not finite.
            TypeError: a dtype does not fit.
            RuntimeError: another thread is using this stream.
        """
        if not self._acquire(False):
            raise self._alone.busy()
        try:
            if out is not None and (
                type(out) is not np.ndarray
                or out.shape != self._y_shape
                or out.dtype is not self._y_dtype
            ):
                intake.check_out(self.outputs, out, ())
            try:
                done = x.shape == self._x_shape and self._direct(self._state, x, self._y, True)
            except (AttributeError, TypeError, ValueError):
                done = False  # no array, or another dtype or layout: to be converted, or refused
            if not done:
                self._step_slowly(x)
            else:
                self._flags = self._after
                if self._holds:
                    np.copyto(self._rows.inputs[0][0], x)
            self._count += 1
            if not self._one_out:
                return intake.copy_out([y[0] for y in self._rows.outputs], out)
            if out is None:
                return self._y.copy()
            np.copyto(out, self._y)
            return out
        finally:
            self._release()

    def push(self, block: Any, out: Any = None) -> Any:
        """Take T observations (T, ...) and return T outputs: the same as T steps, sooner done.

        Args:
            block: as `step`, with an axis of time in front.
            out: as `step`, with an axis of time in front.

        Raises:
            as `step`; with on_bad="raise" nothing of the block has been taken.
        """
        with self._alone:
            arrays, good = self._taken(block)
            into = None if out is None else intake.check_out(self.outputs, out, arrays[0].shape[:1])
            return intake.copy_out(self._block(arrays, good), into)

    def feed(self, block: Any) -> None:
        """Take T observations without outputs: for a window program far quicker than `push`."""
        with self._alone:
            arrays, good = self._taken(block)
            if self._streamable.window is None:
                self._block(arrays, good)
                return
            _, fed = self._running(arrays, good)
            self._streamable.window.run(self._rows.state, [a[None] for a in fed], None)
            self._flags = self._after if len(fed[0]) else self._flags
            self._counted(arrays, good, fed)

    def output(self, out: Any = None) -> Any:
        """The output after the last observation: of a window program, made now.

        Raises:
            ValueError: there is none yet; says how many observations are missing.
        """
        with self._alone:
            if self.missing:
                raise ValueError(
                    f"output: must come after {self.window or 1} good observations; got "
                    f"{(self.window or 1) - self.missing}; feed {self.missing} more"
                )
            into = None if out is None else intake.check_out(self.outputs, out, ())
            self._refresh()
            return intake.copy_out([y[0] for y in self._rows.outputs], into)

    # --- its state ---------------------------------------------------------------------------

    def state(self, note: Any = None) -> bytes:
        """Everything that the next step depends on, as bytes, with a note of the caller's.

        Args:
            note: JSON, such as the offset in the source of the observations.
        """
        with self._alone:
            arrays = self._arrays()
        return snapshot.pack(self._streamable.origin(WHAT), {}, note, arrays)

    def restore(self, data: bytes) -> Any:
        """Go on from what `state` returned; returns its note, which is kept as `note`.

        Raises:
            SnapshotError: it is damaged, or of another model; nothing has changed.
        """
        return self._restore(data, "state")

    def save(self, path: StrPath, note: Any = None) -> None:
        """Write `state(note)` to a file, which is there whole or not at all."""
        files.write_atomic(path, self.state(note))
        self.note = note

    def restore_file(self, path: StrPath) -> Any:
        """Go on from a file of `save`; returns its note, which is kept as `note`.

        Raises:
            SnapshotError: as `restore`. OSError: the file cannot be read.
        """
        return self._restore(snapshot.read_file(path), str(path))

    @classmethod
    def load(
        cls,
        path: StrPath,
        model: "Model | StrPath",
        program: str | None = None,
        *,
        on_bad: str = "raise",
    ) -> "Stream":
        """A stream of `model` that goes on from a file of `save`; the note is at `note`."""
        stream = cls(model, program, on_bad=on_bad)
        stream.restore_file(path)
        return stream

    def reset(self) -> None:
        """Begin anew: the first state, count 0."""
        with self._alone:
            self._rows.begin(_ALL)
            self._count = self._bad = self._flags = 0

    def fork(self) -> "Stream":
        """A second stream in the same state; from here on each goes its own way."""
        with self._alone:
            arrays, note = self._arrays(), self.note
        twin = object.__new__(type(self))
        twin._begin(self._streamable, self.on_bad)
        twin._put(arrays)
        twin.note = note
        return twin

    def _arrays(self) -> dict[str, Array]:
        self._rows.count[0], self._rows.bad[0] = self._count, self._bad
        self._rows.flags[0] = self._flags
        return self._rows.take(_ALL)

    def _put(self, arrays: dict[str, Array]) -> None:
        self._rows.put(_ALL, arrays)
        self._count, self._bad = int(self._rows.count[0]), int(self._rows.bad[0])
        self._flags = int(self._rows.flags[0])

    def _restore(self, data: bytes, name: str) -> Any:
        found = snapshot.unpack(data, name, self._streamable.origin(WHAT))
        self._rows.check(found.arrays, 1, name)
        with self._alone:
            self._put(found.arrays)
            self.note = found.note
        return found.note

    # --- one step ----------------------------------------------------------------------------

    def _step_slowly(self, x: Any) -> None:
        """Convert an observation; run it if it is finite, else do what `on_bad` says."""
        given = zip(self.inputs, intake.by_port(self.inputs, x), strict=True)
        arrays = [intake.converted(port, value, ()) for port, value in given]
        for staged, array in zip(self._staged, arrays, strict=True):
            staged[0, 0] = array
        if intake.good_rows([staged[0] for staged in self._staged]) is not None:
            self._step_without()
            return
        self._run()
        self._flags = self._after
        if self._holds:
            self._keep(self._staged)

    def _keep(self, arrays: tuple[Array, ...]) -> None:
        """Keep the last of observations (1, T, ...), to be taken again."""
        for held, array in zip(self._rows.inputs, arrays, strict=True):
            held[0] = array[0, -1]

    def _step_without(self) -> None:
        """Do what `on_bad` says: what is staged is not finite."""
        if self.on_bad == "raise":
            raise intake.bad_input([a[0] for a in self._staged], self.inputs, 0, "")
        self._bad += 1
        if self._holds and self._flags & HAS_INPUT:
            for staged, held in zip(self._staged, self._rows.inputs, strict=True):
                staged[0, 0] = held[0]
            self._run()
            self._flags = self._after
        else:
            self._refresh()

    def _refresh(self) -> None:
        """Make the last output that of now: a window may have been fed without one."""
        if self._streamable.window:
            self._streamable.window.output(self._rows.state[0], [y[0] for y in self._rows.outputs])

    # --- a block -----------------------------------------------------------------------------

    def _taken(self, block: Any) -> tuple[list[Array], Array | None]:
        """A block as arrays (T, ...), and which of its rows are finite, None for all."""
        given = zip(self.inputs, intake.by_port(self.inputs, block, "block"), strict=True)
        arrays = [intake.converted(port, value, (None,), "block") for port, value in given]
        if len({len(array) for array in arrays}) > 1:
            came = [len(array) for array in arrays]
            raise ValueError(f"block: inputs must be equally many observations; got {came}")
        good = intake.good_rows(arrays)
        if good is not None and self.on_bad == "raise":
            row = int(np.argmin(good))
            raise intake.bad_input(arrays, self.inputs, row, f"row {row} of the block: ")
        return arrays, good

    def _running(self, arrays: list[Array], good: Array | None) -> tuple[Array, tuple[Array, ...]]:
        if good is None:
            return np.ones(len(arrays[0]), bool), tuple(arrays)
        held = [h[: self._flags & HAS_INPUT] for h in self._rows.inputs] if self._holds else None
        return blocks.running(arrays, good, held)

    def _block(self, arrays: list[Array], good: Array | None) -> list[Array]:
        """Run a block; the outputs (T, ...), the last of which is kept."""
        if good is not None:
            self._refresh()
        runs, fed = self._running(arrays, good)
        made = tuple(np.empty((1, len(fed[0]), *p.shape), p.dtype) for p in self.outputs)
        if len(fed[0]):
            each = tuple(array[None] for array in fed)
            self._streamable.runner.run(self._rows.state, each, made, None)
            self._flags = self._after
        self._counted(arrays, good, fed)
        kept = zip(made, self._rows.outputs, strict=True)
        found = [blocks.spread(array[0], runs, before) for array, before in kept]
        for output, array in zip(self._rows.outputs, found, strict=True):
            output[:] = array[-1:] if len(array) else output
        return found

    def _counted(self, arrays: list[Array], good: Array | None, fed: tuple[Array, ...]) -> None:
        if self._holds and len(fed[0]):
            self._keep(tuple(array[None] for array in fed))
        self._count += len(arrays[0])
        self._bad += 0 if good is None else int((~good).sum())


def _absent(*_: Any) -> bool:
    """Nothing done: there is no compiled code for it."""
    return False
