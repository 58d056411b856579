"""Broken and odd files: each is refused with the place and the repair, or handled and said."""

import gzip

import pytest

from elman.data import DataError, read_panel

GOOD = "ds,y\n" + "".join(f"2024-01-{d:02d},{d}\n" for d in range(1, 29))


def long(rows: str) -> bytes:
    return f"unique_id,ds,y\n{rows}".encode()


# name: (bytes of the file, words that the message must have)
REFUSED = {
    "empty": (b"", ["nothing", "header"]),
    "blank": (b"\n \n\n", ["nothing"]),
    "header alone": (b"ds,y\n", ["header alone"]),
    "one column": (b"y\n1\n2\n", ["line 1", "one column", "time column"]),
    "no header": (b"2024-01-01,1\n2024-01-02,2\n", ["line 1", "header"]),
    "a column twice": (b"ds,y,y\n2024-01-01,1,2\n", ["line 1", "'y' twice"]),
    "NUL byte": (b"ds,y\n2024-01-01,1\n2024-01-02,\x002\n", ["line 3", "NUL"]),
    "Latin-1": ("ds,y,ort\n2024-01-01,1,Köln\n".encode("latin-1"), ["line 2", "0xf6", "UTF-8"]),
    "UTF-16": (GOOD.encode("utf-16"), ["UTF-16", "iconv"]),
    "Excel": (b"PK\x03\x04rest", ["Excel", "CSV"]),
    "Parquet": (b"PAR1rest", ["Parquet", "write_csv"]),
    "PDF": (b"%PDF-1.7", ["PDF"]),
    "web page": (b"<!doctype html><html>", ["HTML", "page about it"]),
    "cut gzip": (gzip.compress(GOOD.encode())[:40], ["gzip", "again"]),
    "a cell too many": (b"ds,y\n2024-01-01,1\n2024-01-02,2,3\n", ["line 3", "2 cells", "got 3"]),
    "a cell too few": (b"ds,x,y\n2024-01-01,1\n", ["line 2", "3 cells"]),
    "open quote": (b'ds,y\n2024-01-01,"1\n2024-01-02,2\n', ["quotes"]),
    "text for a number": (
        b"ds,y\n2024-01-01,1\n2024-01-02,high\n2024-01-03,3\n",
        ["line 3", "high"],
    ),
    "thousands": (
        b'ds,y\n2024-01-01,"1,234.5"\n2024-01-02,2\n2024-01-03,3\n',
        ["line 2", "1,234.5"],
    ),
    "infinite": (b"ds,y\n2024-01-01,1\n2024-01-02,inf\n", ["line 3", "finite"]),
    "all missing": (b"ds,y\n2024-01-01,\n2024-01-02,NA\n", ["column 'y'", "missing"]),
    "no time column": (b"a,b\n1,2\n3,4\n", ["--time-col"]),
    "no number column": (b"ds,a,b\n2024-01-01,x,u\n2024-01-02,y,v\n", ["--target-col"]),
    "several targets": (b"ds,a,b\n2024-01-01,1,2\n2024-01-02,3,4\n", ["a, b", "--target-col"]),
    "empty time": (b"ds,y\n2024-01-01,1\n,2\n2024-01-03,3\n", ["line 3", "empty cell"]),
    "no such day": (b"ds,y\n2024-02-28,1\n2024-02-30,2\n2024-03-01,1\n", ["line 3", "2024-02-30"]),
    "no such hour": (b"ds,y\n2024-01-01 23:00,1\n2024-01-01 24:30,2\n", ["line 3", "23:59:59"]),
    "mixed formats": (
        b"ds,y\n2024-01-01,1\n2024-01-02,2\n03.01.2024,3\n",
        ["line 4", "03.01.2024"],
    ),
    "times and days": (b"ds,y\n2024-01-01 10:00,1\n2024-01-02,2\n", ["line 3", "time of day"]),
    "some with zone": (
        b"ds,y\n2024-01-01 10:00Z,1\n2024-01-01 11:00,2\n",
        ["line 3", "time zone"],
    ),
    "day or month first": (b"ds,y\n01/02/2024,1\n02/02/2024,2\n", ["day", "YYYY-MM-DD"]),
    "two values at once": (
        long("a,2024-01-01,1\na,2024-01-02,2\na,2024-01-02,3\n"),
        ["line 3 and line 4", "'a'", "2 and 3"],
    ),
    "two series, no name": (
        b"ds,y\n2024-01-01,1\n2024-01-01,2\n2024-01-02,1\n",
        ["line 2 and line 3", "--id-col"],
    ),
    "off the grid": (
        b"ds,y\n1 00:00,1\n1 01:00,2\n1 02:00,2\n1 02:30,3\n1 04:00,3\n1 05:00,3\n".replace(
            b"\n1", b"\n2024-01-01"
        ),
        ["line 5", "1h", "freq"],
    ),
    "one row a series": (long("a,2024-01-01,1\nb,2024-01-02,2\n"), ["two times"]),
    "series without a name": (long("a,2024-01-01,1\n,2024-01-02,2\n"), ["line 3", "empty cell"]),
    "an hour, then years": (
        b"ds,y\n1990-01-01 00:00,1\n1990-01-01 01:00,2\n1990-01-01 02:00,2\n2024-01-01 00:00,1\n",
        ["4 rows", "freq"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_file_is_refused_with_the_place_and_the_repair(name, tmp_path):
    data, words = REFUSED[name]
    path = tmp_path / "broken.csv"
    path.write_bytes(data)
    with pytest.raises(DataError) as error:
        read_panel(path)
    message = str(error.value)
    assert message.startswith("broken.csv: ")
    assert message.count("; ") >= 2, "rule; got what came; the repair"
    for word in words:
        assert word in message, message


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path, word in ((tmp_path / "none.csv", "no such file"), (tmp_path, "folder")):
        with pytest.raises(DataError, match=word):
            read_panel(path)


def test_a_missing_column_names_the_nearest(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("date,sales\n2024-01-01,1\n2024-01-02,2\n")
    with pytest.raises(DataError, match="did you mean 'sales'"):
        read_panel(path, target_col="sale")
    with pytest.raises(DataError, match="three columns"):
        read_panel(path, target_col="sales", time_col="sales")


# name: (text of the file, what must be said or come out)
HANDLED = {
    "BOM": ("\ufeff" + GOOD, "28 steps"),
    "Windows lines": (GOOD.replace("\n", "\r\n"), "28 steps"),
    "semicolons, decimal commas": (
        GOOD.replace(",", ";").replace("\n", ",5\n").replace("y,5", "y"),
        "28 steps",
    ),
    "tabs": (GOOD.replace(",", "\t"), "28 steps"),
    "blank lines": (GOOD.replace("\n2024-01-10", "\n\n2024-01-10"), "28 steps"),
    "unsorted": ("ds,y\n2024-01-03,3\n2024-01-01,1\n2024-01-02,2\n", "sorted by time"),
    "repeated rows": ("ds,y\n2024-01-01,1\n2024-01-01,1\n2024-01-02,2\n", "1 that repeat another"),
    "missing row": (GOOD.replace("2024-01-10,10\n", ""), "1 of 28 values"),
    "missing value": (GOOD.replace("2024-01-10,10", "2024-01-10,NA"), "1 of 28 values"),
    "long gap": (
        "ds,y\n" + "".join(f"2024-{m}-{d:02d},{d}\n" for m in ("01", "03") for d in range(1, 29)),
        "a gap of 32 steps",
    ),
    "unnamed index": (
        ",ds,y\n" + "".join(f"{d},2024-01-{d:02d},{d}\n" for d in range(1, 20)),
        "no name and is ignored",
    ),
    "a series without values": (
        "unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,2\nb,2024-01-01,\nb,2024-01-02,\n",
        "left out, without a single value: b",
    ),
}


@pytest.mark.parametrize("name", HANDLED)
def test_an_odd_file_is_handled_and_it_is_said(name, tmp_path):
    text, said = HANDLED[name]
    path = tmp_path / "odd.csv"
    path.write_bytes(text.encode())
    panel = read_panel(path)
    assert said in "\n".join(panel.understood.lines())


def test_a_constant_series_is_warned_of(tmp_path):
    path = tmp_path / "flat.csv"
    path.write_text("ds,y\n" + "".join(f"2024-01-{d:02d},7\n" for d in range(1, 20)))
    assert "always the same value: y" in "\n".join(read_panel(path).understood.lines())
