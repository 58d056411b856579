"""The loop: a row in, a row out, and now and then the state into its file.

Rows are numbered from 0, and each output carries the number of its row. A state is saved only when
the outputs of all its rows have been written, so that none is ever lost; those written after the
last save are computed again, bit for bit, and a reader who takes each number once has every row
exactly once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from elman_runtime.contents import Array
from elman_runtime.files import StrPath
from elman_runtime.stream import Stream
from elman_runtime.stream_lines.formats import FORMATS, Layout, Writer, reader, writer
from elman_runtime.stream_lines.signals import Signals, Stopped
from elman_runtime.streamable import Port

HEADERS = ("auto", "yes", "no")


@dataclass(frozen=True)
class Options:
    """How a stream is read, written and kept.

    - `program`: of the model; by default "step", if there is one, else "main".
    - `format`: of the input: csv, jsonl, or raw: float32, little-endian.
    - `output_format`: of the output; by default as the input.
    - `on_bad`: a row with a NaN or an infinity: raise, hold (the last good row again) or skip.
    - `columns`: the columns to take, by name, in the model's order; by default all.
    - `header`: whether CSV begins with names: auto, yes or no.
    - `delimiter`: between the fields of CSV.
    - `state`: file that the state is kept in, and gone on from where it is there.
    - `save_every`: rows between two saves of the state; it is saved at the end too.
    - `resume`: the input is given from its start again: rows that the state has taken are passed
      over.
    """

    program: str | None = None
    format: str = "csv"
    output_format: str | None = None
    on_bad: str = "raise"
    columns: tuple[str, ...] = ()
    header: str = "auto"
    delimiter: str = ","
    state: Path | None = None
    save_every: int = 1000
    resume: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError naming the option, the rule, what came and the repair."""
        for name, allowed in (("format", FORMATS), ("header", HEADERS)):
            if getattr(self, name) not in allowed:
                came = getattr(self, name)
                raise ValueError(f"--{name} must be one of {', '.join(allowed)}; got {came!r}")
        if self.output_format not in (None, *FORMATS):
            rule = f"--output-format must be one of {', '.join(FORMATS)}"
            raise ValueError(f"{rule}; got {self.output_format!r}")
        if self.save_every < 1:
            raise ValueError(f"--save-every must be 1 row or more; got {self.save_every}")
        if len(self.delimiter) != 1:
            raise ValueError(f"--delimiter must be one character; got {self.delimiter!r}")
        if self.resume and self.state is None:
            raise ValueError("--resume goes with --state FILE; got none; name the file")


def run(
    stream: Stream,
    name: StrPath,
    options: Options,
    source: BinaryIO,
    sink: BinaryIO,
    say: Callable[[str], None],
) -> int:
    """Feed the rows of `source` to a stream, and write its outputs to `sink`.

    Args:
        stream: as it is before row 0; it may have been fed before.
        name: what the model is called.
        say: gets words for a person.

    Returns:
        The exit status: 0, or 128 and the signal's number where one asked for the end.

    Raises:
        ValueError: a row is wrong; says its line. What came before is written, and saved.
        BrokenPipeError: nobody reads the output any more; nothing more is saved.
    """
    layout = Layout(stream.inputs, options.columns, options.header, options.delimiter)
    if options.columns and options.format == "csv" and len(options.columns) != layout.width:
        came = len(options.columns)
        raise ValueError(f"--columns must name {layout.width} ({layout.shown}); got {came}")
    _introduce(name, stream, layout, say)
    done = _go_on(stream, options.state, options.resume, say) if options.state else 0
    lines = reader(options.format, source, layout)
    made = writer(options.output_format or options.format, stream.outputs)
    with Signals() as signals:
        rows = signals.each(lines.rows())
        work = _Work(stream, options, made, sink, done)
        try:
            if options.resume:
                _pass_over(rows, done)
            work.feed(rows, lines.values)
        except Stopped as stopped:
            say(f"stopped by {stopped}; {work.save()}")
            return 128 + stopped.number
        except (ValueError, TypeError) as error:
            raise ValueError(f"{error} ({work.save()})") from None
        say(work.save())
    return 0


def _introduce(name: StrPath, stream: Stream, layout: Layout, say: Callable[[str], None]) -> None:
    outputs = Layout(stream.outputs).shown
    memory = f"the last {stream.window} rows" if stream.window else "a state of constant size"
    say(
        f"{name}: program {stream.program!r}, {layout.width} numbers in a row ({layout.shown}), "
        f"out {outputs}, delay {stream.delay} rows; remembers {memory}"
    )


def _go_on(stream: Stream, path: Path, resume: bool, say: Callable[[str], None]) -> int:
    """Restore the state, if there is one; the number of rows it has taken."""
    if not path.exists():
        say(f"{path}: is not there yet; next comes row 0")
        return 0
    note = stream.restore_file(path)
    rows = note.get("rows") if isinstance(note, dict) else None
    done = rows if isinstance(rows, int) else stream.count
    then = "those before it are passed over" if resume else "the input must begin there"
    say(f"{path}: next comes row {done}; {then}")
    return done


def _pass_over(rows: Iterator[Any], count: int) -> None:
    for number in range(count):
        if next(rows, None) is None:
            raise ValueError(
                f"the input must have the {count} rows that the state has taken; got {number}; "
                "give the same input from its start, or leave --resume out"
            )


class _Work:
    """A stream at work; `done` rows have been taken."""

    def __init__(
        self, stream: Stream, options: Options, made: Writer, sink: BinaryIO, done: int
    ) -> None:
        self._stream, self._options, self._made, self._sink = stream, options, made, sink
        self._done = self._saved = done

    def feed(self, rows: Iterator[Any], values: Callable[[Any], Sequence[float]]) -> None:
        """Feed rows, write outputs, save the state when it is due."""
        stream, one = self._stream, len(self._stream.outputs) == 1
        if not self._done:
            self._write(self._made.start())
        for place, row in rows:
            try:
                found = stream.step(_split(stream.inputs, values(row)))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{place}: {error}") from None
            self._write(self._made.row(self._done, (found,) if one else found))
            self._done += 1
            if self._done - self._saved >= self._options.save_every:
                self.save()

    def _write(self, data: bytes) -> None:
        if data:
            self._sink.write(data)
            self._sink.flush()

    def save(self) -> str:
        """Save the state, if it has a file; what is to be said of it."""
        stream, path = self._stream, self._options.state
        self._saved = self._done
        bad = f", {stream.bad} of them not finite" if stream.bad else ""
        words = f"{self._done} rows taken{bad}; next comes row {self._done}"
        if path is None:
            return words
        stream.save(path, note={"rows": self._done})
        return f"{words}; state saved in {path}"


def _split(ports: Sequence[Port], values: Sequence[float]) -> Any:
    """The numbers of a row as one array for each input."""
    found, begin = list[Array](), 0
    with np.errstate(over="ignore"):
        for port in ports:
            part = np.array(values[begin : begin + port.size], np.float64)
            if port.dtype.kind == "i" and not (part == np.floor(part)).all():
                rule = f"{port.name!r} must be whole numbers"
                raise ValueError(f"{rule}; got {part[part != np.floor(part)][0]}; mend it")
            found.append(part.astype(port.dtype).reshape(port.shape))
            begin += port.size
    return found[0] if len(found) == 1 else tuple(found)
