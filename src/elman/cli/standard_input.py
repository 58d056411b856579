"""Lines of text from standard input."""

import codecs
import sys
from collections.abc import Iterator
from typing import IO, Any

from elman.data.text import check_encoding


def lines(encoding: str) -> Iterator[str]:
    """Each line as it comes, without its end.

    Raises:
        ValueError: a line is in another encoding; says which, and the repair.
    """
    raw: IO[Any] = getattr(sys.stdin, "buffer", sys.stdin)
    decode = codecs.getdecoder(check_encoding(encoding))
    for number, line in enumerate(raw, 1):
        try:
            text = line if isinstance(line, str) else decode(line)[0]
        except UnicodeDecodeError as error:
            raise ValueError(
                f"standard input: line {number}: the text must be {encoding.upper()}; got the "
                f"byte 0x{line[error.start]:02x}; save it as {encoding.upper()}"
            ) from None
        yield text.rstrip("\r\n")
