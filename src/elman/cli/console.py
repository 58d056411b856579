"""Where words go: results to standard output, everything else to standard error."""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from elman_runtime import files


def say(text: str = "") -> None:
    """A line for the reader."""
    print(text, file=sys.stderr, flush=True)


def result(text: str) -> None:
    """What was asked for."""
    print(text, flush=True)


def write(text: str, output: Path | None) -> None:
    """Print a table, or write it to a file."""
    if output is None:
        result(text.rstrip("\n"))
    else:
        files.write_atomic(output, text.encode())
        say(f"Wrote {output}: {text.count(chr(10)) - 1:,} rows")


def command(words: Iterable[str | Path]) -> str:
    """A command that can be pasted into a shell."""
    return " ".join(["elman", *(shlex.quote(str(word)) for word in words)])


def csv_text(frame: Any) -> str:
    """A table of any library as CSV."""
    import narwhals as nw

    return str(nw.from_native(frame).write_csv())
