"""Text as a stream: blocks of characters or bytes from files, or a refusal with line and repair.

No file is ever whole in memory: a text of any size is read a block at a time.
"""

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from elman.data.errors import refusal, shown

BLOCK = 1 << 20
"""Bytes read at a time."""

_AS_BYTES = "tokens=bytes (--tokens bytes) reads any file as it is"
_TEXT = "save it as plain text"
# What a file that is no text begins with, what it is, and what to do about it.
_OTHER_KINDS = (
    (b"PK\x03\x04", "a zip archive or an office document", f"unpack it, or {_TEXT}"),
    (b"\xd0\xcf\x11\xe0", "an old office document", _TEXT),
    (b"%PDF", "a PDF", f"{_TEXT} (pdftotext)"),
    (b"{\\rtf", "rich text", _TEXT),
    (b"SQLite format 3", "an SQLite database", "export the text"),
    (b"BZh", "a bzip2 file", "unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "an xz file", "unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it, or pack it with gzip"),
    (b"\x89PNG", "a picture", "give a text"),
    (b"\xff\xd8\xff", "a picture", "give a text"),
)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Source:
    """One document: a file, or a text that is in memory already.

    - `name`: what messages call it.
    - `path`: of a file; None where `text` is given.
    """

    name: str
    path: Path | None = None
    text: str = ""

    def blocks(self, encoding: str = "utf-8", *, as_bytes: bool = True) -> Iterator[str]:
        """The characters, a block at a time; ends of lines are "\\n", whatever they were.

        Args:
            as_bytes: whether a refusal may advise to read the file as bytes.

        Raises:
            DataError: the file is missing, damaged, of another kind or in another encoding.
        """
        if self.path is None:
            return _blocks_in_memory(self)
        return _plain(self.path, encoding, f"; {_AS_BYTES}" if as_bytes else "")

    def lines(self, encoding: str = "utf-8") -> Iterator[str]:
        """The lines one by one; only a line feed ends one, as in `wc -l`.

        Raises:
            DataError: as `blocks`.
        """
        return lines_of(self.blocks(encoding, as_bytes=False))

    def raw_blocks(self) -> Iterator[bytes]:
        """The bytes as they are, a block at a time; gzip is unpacked.

        Raises:
            DataError: the file is missing or damaged.
        """
        if self.path is None:
            return (block.encode() for block in _blocks_in_memory(self))
        return _raw(self.path)


def lines_of(blocks: Iterable[str]) -> Iterator[str]:
    """Text in blocks, line by line; only a line feed ends one, and an empty last one is none."""
    rest: list[str] = []  # of a line that no block has ended yet
    for block in blocks:
        first, *more = block.split("\n")
        rest.append(first)
        if more:
            yield "".join(rest)
            yield from more[:-1]
            rest = [more[-1]]
    last = "".join(rest)
    if last:
        yield last


def decoded(
    name: str, raw: Iterable[bytes], encoding: str = "utf-8", other: str = ""
) -> Iterator[str]:
    """The characters of bytes that come in blocks, none of them empty; ends of lines stay.

    Args:
        name: of the file, for refusals; `other`: what else there is to do about it.

    Raises:
        DataError: they are in another encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    lines, first = 0, True
    for block in _with_end(raw):
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise _wrong_encoding(name, error, lines, encoding, other) from None
        if first:
            text = text.removeprefix("\ufeff")
        first = first and not text
        lines += text.count("\n")
        if text:
            yield text


def as_sources(given: Any) -> tuple[Source, ...]:
    """What a caller gives as text: a path (`pathlib.Path`) or a str of text, or a list of them.

    Raises:
        TypeError: it is something else.
        ValueError: there is none, or a str seems to be the name of a file.
    """
    if isinstance(given, str | os.PathLike):
        given = [given]
    if isinstance(given, bytes) or not isinstance(given, Iterable):
        raise TypeError(
            f"text must be a pathlib.Path, a str of text, or a list of them; got "
            f"{type(given).__name__}; decode bytes, and wrap a file's name in Path(...)"
        )
    found = tuple(_source(one, k) for k, one in enumerate(given))
    if not found:
        raise ValueError("text must have at least one document; got none; give a file or a str")
    return found


def _source(one: Any, k: int) -> Source:
    if isinstance(one, os.PathLike):
        path = Path(one)
        return Source(path.name or str(path), path)
    if not isinstance(one, str):
        raise TypeError(
            f"text must be a pathlib.Path, a str of text, or a list of them; got "
            f"{type(one).__name__} at {k}; convert it"
        )
    if len(one) < 256 and os.path.isfile(one):  # noqa: PTH113 - Path raises for a long name
        raise ValueError(
            f"text must be the text itself where it is a str; got {one!r}, which names a file; "
            f"give pathlib.Path({one!r})"
        )
    return Source(f"text {k + 1}", None, one)


def check_encoding(encoding: object) -> str:
    """The name of a text encoding that Python knows.

    Raises:
        TypeError, ValueError: there is none of that name.
    """
    if not isinstance(encoding, str):
        raise TypeError(f"encoding must be text; got {encoding!r}; give utf-8")
    try:
        codecs.getincrementaldecoder(encoding)().decode(b"")
        "".encode(encoding)
    except (LookupError, TypeError, ValueError):
        raise ValueError(
            f"encoding must be the name of a text encoding; got {encoding!r}; give utf-8, utf-16, "
            "latin-1, cp1252, shift_jis, ..."
        ) from None
    return encoding


def _blocks_in_memory(source: Source) -> Iterator[str]:
    for start in range(0, len(source.text), BLOCK):
        block = source.text[start : start + BLOCK]
        try:
            block.encode()
        except UnicodeEncodeError as error:
            line = source.text.count("\n", 0, start + error.start) + 1
            rule, came = "text is Unicode", f"half a character, {shown(block[error.start])}"
            repair = 'mend it: text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")'
            raise refusal(source.name, f"line {line}", rule, came, repair) from None
        yield block


def _plain(path: Path, encoding: str, other: str) -> Iterator[str]:
    """`other`: what else there is to do, for refusals."""
    ends = io.IncrementalNewlineDecoder(None, True)
    lines, blocks = 0, decoded(path.name, _checked(path, encoding, other), encoding, other)
    for block in chain(blocks, ("",)):
        text = ends.decode(block, final=not block)
        if "\0" in text:
            line = lines + text.count("\n", 0, text.index("\0")) + 1
            rule, came = "text has no NUL", "a NUL byte: it is no text, or in another encoding"
            raise refusal(path.name, f"line {line}", rule, came, f"mend it{other}")
        lines += text.count("\n")
        if text:
            yield text


def _checked(path: Path, encoding: str, other: str) -> Iterator[bytes]:
    for k, block in enumerate(_raw(path)):
        if not k:
            _check_kind(path, block, encoding, other)
        yield block


def _with_end(blocks: Iterable[bytes]) -> Iterator[bytes]:
    yield from blocks
    yield b""


def _check_kind(path: Path, start: bytes, encoding: str, other: str) -> None:
    for begins, kind, repair in _OTHER_KINDS:
        if start.startswith(begins):
            repair += other if kind == "a picture" else ""
            raise refusal(path.name, "start", "a text file is needed", kind, repair)
    if start[:2] in _UTF16 and codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
        rule, repair = "the text must be UTF-8", "give encoding=utf-16 (--encoding utf-16)"
        raise refusal(path.name, "start", rule, "UTF-16", repair)


def _wrong_encoding(
    name: str, error: UnicodeDecodeError, lines: int, encoding: str, other: str
) -> Exception:
    before = bytes(error.object[: error.start]).decode(encoding, "ignore")
    line = lines + before.count("\n") + 1
    came = f"the byte 0x{error.object[error.start]:02x}"
    rule = f"the text must be {encoding.upper()}"
    repair = (
        "give its own encoding (--encoding latin-1 if it is Western European), or save it as "
        f"UTF-8{other}"
    )
    return refusal(name, f"line {line}", rule, came, repair)


def _raw(path: Path) -> Iterator[bytes]:
    with _opened(path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        while True:
            try:
                block = stream.read(BLOCK)
            except (OSError, EOFError, zlib.error) as error:
                rule = "a gzip file must be whole" if packed else "the file must be readable"
                repair = "copy or download it again"
                raise refusal(path.name, "data", rule, str(error), repair) from None
            if not block:
                return
            yield block


def _opened(path: Path) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():
            rule, repair = "a text file is needed", "name the files in it, such as folder/*.txt"
            raise refusal(str(path), "path", rule, "a folder or device", repair)
        return path.open("rb")
    except FileNotFoundError:
        rule, repair = "the file must exist", "check the name"
        raise refusal(str(path), "path", rule, "no such file", repair) from None
    except OSError as error:
        came = error.strerror or str(error)
        repair = "check its name and permissions"
        raise refusal(str(path), "path", "the file must be readable", came, repair) from None
    except ValueError as error:
        repair = "check the name"
        raise refusal(repr(path), "path", "the name must be one", str(error), repair) from None
