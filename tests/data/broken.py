"""Files that are refused or handled, by name: tables for the tests of reading and of the command.

`REFUSED`: bytes of the file, and words that the message must have: the place, what came, and the
repair. `ARGUMENTS` are those of `read_panel` that a case needs.
"""

import gzip
import io
import json

GOOD = "ds,y\n" + "".join(f"2024-01-{d:02d},{d}\n" for d in range(1, 29))


def long(rows: str) -> bytes:
    return f"unique_id,ds,y\n{rows}".encode()


def parquet(**columns) -> bytes:
    import polars as pl

    file = io.BytesIO()
    pl.DataFrame(columns).write_parquet(file)
    return file.getvalue()


def hours(*times: str) -> bytes:
    return ("ds,y\n" + "".join(f"{t},{k}\n" for k, t in enumerate(times))).encode()


_CSV = {
    "empty": (b"", ["nothing", "check the export"]),
    "blank": (b"\n \n\n", ["nothing"]),
    "BOM alone": (b"\xef\xbb\xbf", ["nothing"]),
    "header alone": (b"ds,y\n", ["header alone"]),
    "one row": (b"ds,y\n2024-01-01,1\n", ["two times", "give more rows"]),
    "one column": (b"y\n1\n2\n", ["line 1", "one column", "time column"]),
    "no header": (b"2024-01-01,1\n2024-01-02,2\n", ["line 1", "header"]),
    "a column twice": (b"ds,y,y\n2024-01-01,1,2\n", ["line 1", "'y' twice", "rename"]),
    "a column three times": (b"\nds,y,y,y\n2024-01-01,1,2,3\n", ["line 2", "3 times"]),
    "NUL byte": (b"ds,y\n2024-01-01,1\n2024-01-02,\x002\n", ["line 3", "NUL", "tr -d"]),
    "Latin-1": ("ds,y,ort\n2024-01-01,1,Köln\n".encode("latin-1"), ["line 2", "0xf6", "iconv"]),
    "Shift JIS": ("ds,y,町\n2024-01-01,1,東京\n".encode("shift_jis"), ["line 1", "UTF-8"]),
    "a cell too many": (b"ds,y\n2024-01-01,1\n2024-01-02,2,3\n", ["line 3", "2 cells", "got 3"]),
    "a cell too few": (b"ds,x,y\n2024-01-01,1\n", ["line 2", "3 cells"]),
    "too few after many": ((GOOD + "2024-01-29\n").encode(), ["line 30", "2 cells", "got 1"]),
    "ragged below a blank line": (b"ds,y\n\n2024-01-01,1\n2024-01-02\n", ["line 4", "2 cells"]),
    "thousands in commas": (b"ds,y\n2024-01-01,1,234\n", ["line 2", "2 cells", "point or no mark"]),
    "open quote": (b'ds,y\n2024-01-01,"1\n2024-01-02,2\n', ["quotes"]),
    "text after a quote": (b'ds,y\n2024-01-01,"1"x\n2024-01-02,2\n', ["line 2", "quotes"]),
    "a huge cell": (b"ds,y\n2024-01-01," + b"9" * 200_000 + b"\n", ["line 2", "131,072", "quotes"]),
}

_OTHER_KINDS = {
    "UTF-16": (GOOD.encode("utf-16"), ["UTF-16", "iconv"]),
    "Excel": (b"PK\x03\x04rest", ["Excel", "CSV"]),
    "old Excel": (b"\xd0\xcf\x11\xe0rest", ["old Excel", "CSV"]),
    "PDF": (b"%PDF-1.7", ["PDF"]),
    "pickle": (b"\x80\x04\x95rest", ["pickle", "to_parquet"]),
    "zstd": (b"\x28\xb5\x2f\xfdrest", ["zstd", "unpack"]),
    "web page": (b"<!doctype html><html>", ["HTML", "page about it"]),
    "JSON": (json.dumps([{"ds": 1, "y": 2}]).encode(), ["JSON", "write_csv"]),
    "cut gzip": (gzip.compress(GOOD.encode())[:40], ["gzip", "again"]),
    "damaged gzip": (gzip.compress(GOOD.encode())[:-6] + b"xxxxxx", ["gzip", "again"]),
    "cut Parquet": (parquet(ds=[1, 2], y=[1.0, 2.0])[:-20], ["Parquet", "whole", "again"]),
    "empty Parquet": (parquet(ds=[], y=[]), ["one row", "none"]),
    "nested Parquet": (parquet(ds=[1, 2, 3], y=[[1.0], [2.0], [3.0]]), ["column 'y'", "List"]),
    "nested times": (parquet(ds=[[1], [2]], y=[1.0, 2.0]), ["--time-col", "got ds"]),
    "empty time in Parquet": (parquet(ds=[1, None, 3], y=[1.0, 2, 3]), ["row 1", "empty cell"]),
    "infinite in Parquet": (parquet(ds=[1, 2], y=[1.0, float("inf")]), ["row 1", "finite", "inf"]),
}

_NUMBERS = {
    "text for a number": (
        b"ds,y\n2024-01-01,1\n2024-01-02,high\n2024-01-03,3\n",
        ["line 3", "'y'", "high", "mend the cell"],
    ),
    "percent": (b"ds,y\n2024-01-01,1\n2024-01-02,5%\n2024-01-03,3\n", ["line 3", "5%"]),
    "thousands": (
        b'ds,y\n2024-01-01,"1,234.5"\n2024-01-02,2\n2024-01-03,3\n',
        ["line 2", "1,234.5"],
    ),
    "thousands or decimals": (
        b'ds,y\n2024-01-01,"1,234"\n2024-01-02,999\n2024-01-03,"2,345"\n',
        ["line 2", "decimals or thousands", "1,234"],
    ),
    "points and commas": (
        b"ds;y\n2024-01-01;1.234,5\n2024-01-02;7,5\n2024-01-03;8,5\n",
        ["line 2", "1.234,5"],
    ),
    "infinite": (b"ds,y\n2024-01-01,1\n2024-01-02,-inf\n", ["line 3", "finite", "-inf"]),
    "too large": (b"ds,y\n2024-01-01,1\n2024-01-02,1e999\n", ["line 3", "finite", "1e999"]),
    "all missing": (b"ds,y\n2024-01-01,\n2024-01-02,NA\n", ["column 'y'", "missing"]),
    "no number column": (b"ds,a,b\n2024-01-01,x,u\n2024-01-02,y,v\n", ["--target-col"]),
    "several targets": (
        b"ds,a,b\n2024-01-01,1,2\n2024-01-02,3,4\n",
        ["a, b", "--target-col NAME", "--target-col all"],
    ),
}

_TIMES = {
    "no time column": (b"a,b\n1,2\n3,4\n", ["--time-col", "number them in a column called t"]),
    "a row for each series": (
        b"V1,V2,V3,V4\nH1,1,2,3\nH2,4,5,6\n",
        ["one row for each of 2 series", "unpivot(index='V1'"],
    ),
    "empty time": (b"ds,y\n2024-01-01,1\n,2\n2024-01-03,3\n", ["line 3", "empty cell"]),
    "no such day": (b"ds,y\n2024-02-28,1\n2024-02-30,2\n2024-03-01,1\n", ["line 3", "2024-02-30"]),
    "no such leap day": (b"ds,y\n2023-02-28,1\n2023-02-29,2\n", ["line 3", "2023-02-29"]),
    "no such hour": (b"ds,y\n2024-01-01 23:00,1\n2024-01-01 24:30,2\n", ["line 3", "23:59:59"]),
    "half past two in the afternoon": (
        b"ds,y\n2024-01-01 1:30 PM,1\n2024-01-01 2:30 PM,2\n",
        ["--time-col", "1:30 PM"],
    ),
    "two formats": (
        b"ds,y\n2024-01-01,1\n2024-01-02,2\n03.01.2024,3\n",
        ["line 4", "03.01.2024", "2024-01-01"],
    ),
    "a text among integers": (b"ds,y\n1,1\n2,2\nx,3\n", ["ds: '1'", "--time-col"]),
    "times and days": (b"ds,y\n2024-01-01 10:00,1\n2024-01-02,2\n", ["line 3", "time of day"]),
    "some with zone": (
        b"ds,y\n2024-01-01 10:00Z,1\n2024-01-01 11:00,2\n",
        ["line 3", "time zone"],
    ),
    "day or month first": (b"ds,y\n01/02/2024,1\n02/02/2024,2\n", ["day", "YYYY-MM-DD"]),
    "day or month first, hyphens": (b"ds,y\n01-02-2024,1\n02-02-2024,2\n", ["month", "YYYY-MM-DD"]),
    "two-digit years": (b"ds,y\n10/11/12,1\n11/11/12,2\n", ["10/11/12", "four digits"]),
    "month first, then day first": (
        b"ds,y\n01/25/2024,1\n01/26/2024,2\n27/01/2024,3\n",
        ["line 4", "27/01/2024"],
    ),
    "clock put back": (
        hours("2024-10-27 01:00", "2024-10-27 02:00", "2024-10-27 02:00", "2024-10-27 03:00"),
        ["line 3 and line 4", "with 1 and 2"],
    ),
    "clock put back, named": (
        long("a,2024-10-27 01:00,1\na,2024-10-27 02:00,2\na,2024-10-27 02:00,3\n"),
        ["line 3 and line 4", "clock was put back", "UTC"],
    ),
}

_ROWS = {
    "two values at once": (
        long("a,2024-01-01,1\na,2024-01-02,2\na,2024-01-02,3\n"),
        ["line 3 and line 4", "'a'", "2 and 3"],
    ),
    "two series, no name": (
        b"ds,y\n2024-01-01,1\n2024-01-01,2\n2024-01-02,1\n",
        ["line 2 and line 3", "--id-col"],
    ),
    "off the grid": (
        hours(*(f"2024-01-01 {t}" for t in ("00:00", "01:00", "02:00", "02:30", "04:00", "05:00"))),
        ["line 5", "1h", "--freq 30m", "1 of 6 times", "round('1h')"],
    ),
    "a weekend among business days": (
        b"ds,y\n" + b"".join(b"2024-01-%02d,1\n" % d for d in (1, 2, 3, 4, 5, 6, 8, 9)),
        ["line 7", "2024-01-06", "1bd"],
    ),
    "one row a series": (long("a,2024-01-01,1\nb,2024-01-02,2\n"), ["two times"]),
    "series without a name": (long("a,2024-01-01,1\n,2024-01-02,2\n"), ["line 3", "empty cell"]),
    "an hour, then years": (
        hours("1990-01-01 00:00", "1990-01-01 01:00", "1990-01-01 02:00", "2024-01-01 00:00"),
        ["4 rows", "freq"],
    ),
    "wide, a word in a column": (
        b"ds,a,b\n2024-01-01,1,2\n2024-01-02,3,x\n2024-01-03,3,4\n",
        ["line 3", "'b'", "'x'"],
    ),
    "wide, text alone": (b"ds,a\n2024-01-01,x\n2024-01-02,z\n", ["columns of numbers", "none"]),
    "wide, a time twice": (
        b"ds,a,b\n2024-01-01,1,2\n2024-01-01,3,4\n2024-01-02,3,4\n",
        ["line 2 and line 3", "2024-01-01 twice", "--target-col"],
    ),
    "wide, a column that is not there": (GOOD.encode(), ["column 'z'", "target_col", "ds, y"]),
}

_COVARIATES = {
    "a covariate that is not there": (GOOD.encode(), ["'prise'", "futr_exog_list", "ds, y"]),
    "a covariate is the target": (GOOD.encode(), ["columns of their own", "y, y"]),
    "a covariate of no value": (
        b"unique_id,ds,y,x\na,1,1,2\na,2,1,2\nb,1,1,\nb,2,1,\n",
        ["column 'x'", "'b'", "fill them in"],
    ),
    "a covariate of text": (
        b"ds,y,x\n2024-01-01,1,2\n2024-01-02,1,many\n2024-01-03,1,3\n",
        ["line 3", "'x'", "many"],
    ),
    "a covariate of dates": (
        b"ds,y,x\n2024-01-01,1,2024-01-01\n2024-01-02,1,2024-01-01\n",
        ["column 'x'", "numbers or text", "hist_exog_list"],
    ),
    "a static one that changes": (
        b"unique_id,ds,y,x\na,1,1,red\na,2,1,blue\n",
        ["line 3", "'x'", "blue", "hist_exog_list"],
    ),
    "two rows with other covariates": (
        b"unique_id,ds,y,x\na,1,1,2\na,2,1,2\na,2,1,3\n",
        ["line 3 and line 4", "covariates"],
    ),
}

REFUSED = _CSV | _OTHER_KINDS | _NUMBERS | _TIMES | _ROWS | _COVARIATES

ARGUMENTS = {
    "a weekend among business days": {"freq": "B"},
    "wide, a word in a column": {"target_col": "all"},
    "wide, text alone": {"target_col": "all"},
    "wide, a time twice": {"target_col": "a, b"},
    "wide, a column that is not there": {"target_col": "y,z"},
    "a covariate that is not there": {"futr_exog_list": ("prise",)},
    "a covariate is the target": {"target_col": "y", "hist_exog_list": ("y",)},
    "a covariate of no value": {"futr_exog_list": ("x",)},
    "a covariate of text": {"futr_exog_list": ("x",)},
    "a covariate of dates": {"hist_exog_list": ("x",)},
    "a static one that changes": {"stat_exog_list": ("x",)},
    "two rows with other covariates": {"hist_exog_list": ("x",)},
}

_DAYS = [f"2024-{m}-{d:02d}" for m in ("01", "03") for d in range(1, 29)]
_DST = [f"2024-03-{30 + h // 24:02d}T{h % 24:02d}:00+01:00" for h in range(26)]
_DST += [f"2024-03-31T{h:02d}:00+02:00" for h in range(3, 9)]

# name: (text of the file, what must be said or come out)
HANDLED = {
    "BOM": ("\ufeff" + GOOD, "28 steps"),
    "Windows lines": (GOOD.replace("\n", "\r\n"), "28 steps"),
    "old Mac lines": (GOOD.replace("\n", "\r"), "28 steps"),
    "no line end at the end": (GOOD[:-1], "28 steps"),
    "quotes round all": (
        GOOD.replace(",", '","').replace("\n", '"\n"').join(['"', ""])[:-1],
        "28 steps",
    ),
    "semicolons, decimal commas": (
        GOOD.replace(",", ";").replace("\n", ",5\n").replace("y,5", "y"),
        "28 steps",
    ),
    "tabs": (GOOD.replace(",", "\t"), "28 steps"),
    "spaces round cells": (GOOD.replace(",", " , "), "28 steps"),
    "blank lines": (GOOD.replace("\n2024-01-10", "\n\n2024-01-10"), "28 steps"),
    "unsorted": ("ds,y\n2024-01-03,3\n2024-01-01,1\n2024-01-02,2\n", "sorted by time"),
    "negative steps": ("t,y\n30,3\n20,1\n10,2\n0,1\n", "sorted by time"),
    "repeated rows": ("ds,y\n2024-01-01,1\n2024-01-01,1\n2024-01-02,2\n", "1 that repeat another"),
    "missing row": (GOOD.replace("2024-01-10,10\n", ""), "1 of 28 values"),
    "missing value": (GOOD.replace("2024-01-10,10", "2024-01-10,NA"), "1 of 28 values"),
    "long gap": (
        "ds,y\n" + "".join(f"{d},{k}\n" for k, d in enumerate(_DAYS)),
        "a gap of 32 steps",
    ),
    "nine of ten missing": (
        "ds,y\n1,1\n2,2\n" + "".join(f"{k},{k}\n" for k in (3, 20, 40, 70, 111)),
        "more than half of the values are filled in",
    ),
    "mostly other steps": (
        "t,y\n" + "".join(f"{t},1.{t}\n" for t in (0, 2, 4, 8, 14, 22, 32)),
        "only 33.3 % of the steps are 2 long",
    ),
    "unnamed index": (
        ",ds,y\n" + "".join(f"{d},2024-01-{d:02d},{d}\n" for d in range(1, 20)),
        "column 1 has no name and is ignored",
    ),
    "a series without values": (
        "unique_id,ds,y\na,2024-01-01,1\na,2024-01-02,2\nb,2024-01-01,\nb,2024-01-02,\n",
        "left out, without a single value: b",
    ),
    "constant": (
        "ds,y\n" + "".join(f"2024-01-{d:02d},7\n" for d in range(1, 20)),
        "always the same value: y",
    ),
    "mixed zones over a change of the clock": (
        "ds,y\n" + "".join(f"{t},{k}\n" for k, t in enumerate(_DST)),
        "from 2024-03-29T23:00+00:00 to",
    ),
    "leap days": (
        "ds,y\n2024-02-28,1\n2024-02-29,2\n2024-03-01,3\n2024-03-02,4\n",
        "1, 4 steps, from 2024-02-28",
    ),
    "seconds since 1970": (
        "timestamp,y\n" + "".join(f"{1700000000 + 3600 * k},{k}\n" for k in range(9)),
        "look like seconds since 1970",
    ),
    "a column that is not used": (GOOD.replace(",", ",7,").replace("7,y", "z,y"), "ignored   z"),
}
