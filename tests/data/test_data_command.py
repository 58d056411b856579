"""`elman data`: what is understood of each kind of file, and the command to train on it."""

import polars as pl
import pytest

from elman.cli import main

HOURS = [f"2024-01-{1 + k // 24:02d} {k % 24:02d}:00" for k in range(72)]
TABLE = pl.DataFrame(
    {
        "ds": HOURS,
        "load": [k % 24 + 0.5 if k < 66 else None for k in range(72)],
        "heat": [float(k % 7) for k in range(72)],
        "kind": ["day" if k % 24 > 6 else "night" for k in range(72)],
    }
)


def said(path, *flags, capsys):
    with pytest.raises(SystemExit) as end:
        main((), ["data", str(path), *flags])
    out, err = capsys.readouterr()
    assert (end.value.code, err) == (0, "")
    return out


def test_a_wide_parquet_file(tmp_path, capsys):
    path = tmp_path / "wide.parquet"
    TABLE.write_parquet(path)
    out = said(path, "--target-col", "all", capsys=capsys)
    assert "each column of values is a series of its own" in out
    assert "ignored   kind" in out
    assert f"elman train forecast {path} --h 24 --target-col all\n" in out


def test_covariates_that_are_known_ahead(tmp_path, capsys):
    path = tmp_path / "table.csv"
    TABLE.write_csv(path)
    out = said(path, "--target-col", "load", "--futr-exog-list", "heat,kind", capsys=capsys)
    assert "known 6 steps after the last value" in out
    assert "categories kind (2)" in out
    assert "--h 6 --target-col load --futr-exog-list heat,kind\n" in out


def test_static_covariates_of_another_file(tmp_path, capsys):
    path, beside = tmp_path / "table.csv", tmp_path / "static.csv"
    TABLE.select("ds", "load", unique_id=pl.lit("a")).write_csv(path)
    beside.write_text("unique_id,region\na,north\n")
    flags = ("--stat-exog-list", "region", "--static-df", str(beside))
    out = said(path, *flags, capsys=capsys)
    assert "static    region" in out
    assert f"--static-df {beside}" in out
