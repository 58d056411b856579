"""The fast reader of CSV and the line-by-line one give the same table, or the same error."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import broken
from elman.data import DataError, csv_fast, demo_file
from elman.data.csv_file import csv_tables, read_csv
from elman.data.table import joined

FILE = Path("twin.csv")


def outcome(data, fast):
    try:
        return read_csv(FILE, data, fast=fast)
    except DataError as error:
        return str(error)


def in_blocks(data, size):
    """What is read of a file that comes so many bytes at a time."""
    try:
        return joined(csv_tables(FILE, [data[k : k + size] for k in range(0, len(data), size)]))
    except DataError as error:
        return str(error)


def assert_twins(data):
    assert_same(*(outcome(data, fast) for fast in (True, False)))


def assert_same(fast, slow):
    if isinstance(slow, str):
        assert fast == slow
        return
    assert not isinstance(fast, str), fast
    assert fast.frame.equals(slow.frame)
    assert fast.lines.tolist() == slow.lines.tolist()
    assert fast.notes == slow.notes


FILES = {
    name: (text if isinstance(text, bytes) else text.encode())
    for name, (text, _) in (broken.REFUSED | broken.HANDLED).items()
}


@pytest.mark.parametrize("name", FILES)
def test_readers_agree_on_odd_and_broken_files(name):
    assert_twins(FILES[name])


ALPHABET = st.sampled_from(
    ["a", "1", ",", ",", "\n", "\n", '"', "\r", " ", ";", "é", "\t", "-", "|"]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(ALPHABET, max_size=24).map("".join))
def test_readers_agree_on_any_text(text):
    assert_twins(("ds,y\n" + text).encode())
    assert_twins(text.encode())


@settings(max_examples=600, deadline=None)
@given(st.lists(ALPHABET, max_size=40).map("".join), st.integers(1, 9))
def test_blocks_of_rows_are_the_table(text, size):
    for data in (f"ds,y\n{text}".encode(), text.encode()):
        assert_same(in_blocks(data, size), outcome(data, False))


@pytest.mark.parametrize("name", FILES)
def test_odd_and_broken_files_are_read_in_blocks_too(name):
    data = FILES[name].removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode()
    except UnicodeDecodeError:
        return  # whoever gives the blocks decodes them
    assert_same(in_blocks(data, 7), outcome(data, False))


def test_rows_after_an_odd_one_have_their_lines(monkeypatch):
    rows = [f"{k},word" for k in range(3000)]
    rows[1000], rows[2000] = '1000,"two\nlines"', ""
    data = ("ds,y\n" + "\n".join(rows) + "\n").encode()
    monkeypatch.setattr("elman.data.table.BLOCK", 100)
    found = [
        one.lines for one in csv_tables(FILE, [data[k : k + 512] for k in range(0, len(data), 512)])
    ]
    assert len(found) > 100
    lines = [line for one in found for line in one.tolist()]
    expected = [k + 2 for k in range(3000) if k != 2000]
    assert lines == [line + (line >= 1002) for line in expected]


def test_the_fast_one_is_taken_where_it_matters():
    data = gzip.decompress(demo_file("forecast").read_bytes())
    quoted = b'"a","b"\r\n"1","x,y"\r\n"2",""\r\n'
    for text in (data, b"\xef\xbb\xbf"[3:] + quoted, b"a,b\n1,2\n3,4"):
        assert csv_fast.read(FILE, text, ",") is not None
        assert_twins(text)
    assert csv_fast.read(FILE, quoted, ",").to_dict(as_series=False) == {
        "a": ["1", "2"],
        "b": ["x,y", ""],
    }


def test_many_rows_are_read_in_one_pass(monkeypatch):
    """What takes a Python step for each row or each series would show here."""
    rows = pl.DataFrame({"k": range(50_000)}).select(
        unique_id=pl.format("s{}", pl.col("k") // 10), ds=pl.col("k") % 10, y=pl.col("k") * 1.5
    )
    monkeypatch.setattr("elman.data.csv_rows.tables", lambda *_: pytest.fail("line by line"))
    assert read_csv(FILE, rows.write_csv().encode()).frame.height == 50_000
