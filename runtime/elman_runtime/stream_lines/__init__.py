"""A model over standard input and output, row by row: the work of `elman stream`."""

from elman_runtime.stream_lines.formats import FORMATS
from elman_runtime.stream_lines.running import HEADERS, Options, run

__all__ = ["FORMATS", "HEADERS", "Options", "run"]
