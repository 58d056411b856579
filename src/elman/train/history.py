"""The history of a run: one JSON object a line, appended as the run goes."""

import json
import os
from pathlib import Path
from typing import Any

from elman.report.plain import plain
from elman.train.folder import explained


class History:
    """`history.jsonl`. Each line is flushed, so a killed run loses at most its last line.

    Numbers that are not finite are written as null: JSON has no word for them.
    """

    def __init__(self, path: Path, keep: int = 0) -> None:
        """Open to append after the first `keep` bytes; what lies beyond them is dropped.

        `keep` is what the checkpoint recorded: the lines beyond it will be written again.
        A file shorter than `keep` (lines lost in a power cut) keeps its whole lines.
        """
        self.path = path
        with explained(path):
            path.touch()
            with path.open("rb+") as file:
                file.truncate(_whole_lines(file.read(keep)))
        # Unbuffered: after a full disk, closing has nothing left to fail on.
        self._file = path.open("ab", buffering=0)

    def write(self, line: dict[str, Any]) -> None:
        """Append one line."""
        left = memoryview(json.dumps(plain(line), allow_nan=False).encode() + b"\n")
        with explained(self.path):
            while left:
                left = left[self._file.write(left) :]

    def sync(self) -> int:
        """Bring the lines to the disk; their length in bytes, for the checkpoint."""
        with explained(self.path):
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _whole_lines(kept: bytes) -> int:
    return kept.rfind(b"\n") + 1
