"""Texts that are refused or handled, by name: tables for the tests of reading and of the command.

`REFUSED`: bytes of the file, and words that the message must have: the place, what came, and the
repair. `HANDLED`: bytes, and the text they are read as. `SETTINGS` are those that a case needs.
"""

import codecs
import gzip

LINES = "".join(f"line {k} of a text that is long enough to be read\n" for k in range(12))
GOOD = LINES.encode()

REFUSED = {
    "empty": (b"", ["length", "nothing", "longer"]),
    "BOM alone": (codecs.BOM_UTF8, ["length", "nothing"]),
    "too short": (b"a few words\n", ["length", "at least 200 characters", "got 12", "longer"]),
    "Latin-1": (
        GOOD + "Köln\n".encode("latin-1"),
        ["line 13", "UTF-8", "0xf6", "--encoding latin-1", "--tokens bytes"],
    ),
    "Shift JIS": (GOOD + "東京\n".encode("shift_jis"), ["line 13", "UTF-8", "--encoding"]),
    "a character cut at the end": (GOOD + "🙂".encode()[:3], ["line 13", "0xf0"]),
    "UTF-16": (LINES.encode("utf-16"), ["start", "UTF-16", "--encoding utf-16"]),
    "UTF-16, big-endian": (
        codecs.BOM_UTF16_BE + LINES.encode("utf-16-be"),
        ["start", "UTF-16", "--encoding utf-16"],
    ),
    "UTF-16 without a mark": (LINES.encode("utf-16-le"), ["line 1", "NUL", "--tokens bytes"]),
    "a NUL byte": (GOOD + b"a\n\0b", ["line 14", "NUL", "--tokens bytes"]),
    "binary": (bytes(range(256)) * 4, ["line 2", "0x80", "--tokens bytes"]),
    "zip": (b"PK\x03\x04" + GOOD, ["start", "zip", "unpack"]),
    "PDF": (b"%PDF-1.7\n" + GOOD, ["start", "PDF", "pdftotext"]),
    "rich text": (b"{\\rtf1 " + GOOD, ["start", "rich text", "plain text"]),
    "a picture": (b"\x89PNG\r\n\x1a\n" + GOOD, ["start", "picture", "--tokens bytes"]),
    "zstd": (b"\x28\xb5\x2f\xfd" + GOOD, ["start", "zstd", "gzip"]),
    "an SQLite database": (b"SQLite format 3\0", ["start", "SQLite", "export"]),
    "cut gzip": (gzip.compress(GOOD)[:40], ["data", "gzip", "again"]),
    "damaged gzip": (gzip.compress(GOOD)[:-6] + b"xxxxxx", ["data", "gzip", "again"]),
    "empty gzip": (gzip.compress(b""), ["length", "nothing"]),
    "not that encoding": (GOOD + b"\x81\x20\x81", ["line 13", "CP932", "--encoding"]),
}
SETTINGS = {"not that encoding": {"encoding": "cp932"}}

HANDLED = {
    "plain": (GOOD, LINES, {}),
    "gzip": (gzip.compress(GOOD), LINES, {}),
    "BOM": (codecs.BOM_UTF8 + GOOD, LINES, {}),
    "ends of lines of Windows": (LINES.replace("\n", "\r\n").encode(), LINES, {}),
    "ends of lines of old Macs": (LINES.replace("\n", "\r").encode(), LINES, {}),
    "no end of the last line": (GOOD[:-1], LINES[:-1], {}),
    "a line of 100,000 characters": (b"x" * 100_000, "x" * 100_000, {}),
    "blank lines alone": (b"\n" * 500, "\n" * 500, {}),
    "tabs": (b"a\tb\n" * 80, "a\tb\n" * 80, {}),
    "other scripts": (("мир 世界 שלום नमस्ते\n" * 40).encode(), "мир 世界 שלום नमस्ते\n" * 40, {}),
    "emoji": (("👩‍👩‍👧‍👦🙂🏳️‍🌈\n" * 40).encode(), "👩‍👩‍👧‍👦🙂🏳️‍🌈\n" * 40, {}),
    "UTF-16": (LINES.encode("utf-16"), LINES, {"encoding": "utf-16"}),
    "Latin-1": (("Köln\n" * 60).encode("latin-1"), "Köln\n" * 60, {"encoding": "latin-1"}),
    "Shift JIS": (("東京\n" * 90).encode("shift_jis"), "東京\n" * 90, {"encoding": "shift_jis"}),
    "one character": (b"a" * 300, "a" * 300, {}),
}
