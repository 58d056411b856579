"""DataFrames of each library: what goes in as one comes out as one."""

from datetime import date, datetime

import numpy as np
import polars as pl
import pytest

from elman.data import DataError, make_future_dataframe, read_panel, to_native

DAYS = [date(2024, 1, d) for d in range(1, 13)]
FRAME = pl.DataFrame(
    {
        "unique_id": [7] * 12 + [10] * 12,
        "ds": [datetime(d.year, d.month, d.day) for d in DAYS] * 2,
        "y": [float(k) if k % 5 else None for k in range(1, 25)],
        "kind": ["a", None] * 12,
    }
)


def as_pandas(frame):
    pytest.importorskip("pandas")
    return to_native(frame, "pandas")


def as_arrow(frame):
    pytest.importorskip("pyarrow")
    return frame.to_arrow()


WAYS = {"polars": lambda f: f, "lazy": lambda f: f.lazy(), "pandas": as_pandas, "arrow": as_arrow}


@pytest.mark.parametrize("way", WAYS)
def test_tables_of_each_library_are_read_alike(way):
    panel, expected = read_panel(WAYS[way](FRAME)), read_panel(FRAME)
    assert panel.ids == ["7", "10"], "whole numbers are ordered as numbers"
    assert panel.understood.lines() == expected.understood.lines()
    for ours, theirs in zip(panel.series, expected.series, strict=True):
        assert np.array_equal(ours.values, theirs.values)
    made = make_future_dataframe(panel, 2)
    assert type(made).__module__.split(".")[0] == type(WAYS[way](FRAME)).__module__.split(".")[0]


def test_types_of_columns_come_back_so_that_joins_fit():
    for unit in ("ms", "us", "ns"):
        frame = FRAME.with_columns(
            pl.col("ds").cast(pl.Datetime(unit)), pl.col("unique_id").cast(pl.Int16)
        )
        made = make_future_dataframe(read_panel(frame), 3)
        assert made.schema == frame.select("unique_id", "ds").schema
        assert made["ds"].to_list()[:3] == [datetime(2024, 1, d) for d in (13, 14, 15)]
        assert made["unique_id"].to_list() == [7] * 3 + [10] * 3
    dated = FRAME.with_columns(pl.col("ds").cast(pl.Date))
    assert make_future_dataframe(read_panel(dated), 1)["ds"].to_list() == [date(2024, 1, 13)] * 2


def test_pandas_keeps_types_and_takes_an_index_that_says_something():
    pd = pytest.importorskip("pandas")
    frame = as_pandas(FRAME)
    made = make_future_dataframe(read_panel(frame), 1)
    assert made.merge(frame, on=["unique_id", "ds"], how="left").shape[0] == 2
    assert list(made.columns) == ["unique_id", "ds"]
    assert made["unique_id"].dtype == frame["unique_id"].dtype
    named = read_panel(frame.set_index(["unique_id", "ds"]))
    assert "the index is taken as columns: unique_id, ds" in "\n".join(named.understood.lines())
    one = frame[frame["unique_id"] == 7].set_index("ds").rename_axis(None)[["y"]]
    assert "index of times is taken as the column 'ds'" in "\n".join(
        read_panel(one).understood.lines()
    )
    nullable = frame.assign(y=pd.array([1, None] * 12, dtype="Int64"))
    assert read_panel(nullable).series[0].values[:3].tolist() == [1, 1, 1]


def test_zones_days_and_changes_of_the_clock():
    hours = pl.datetime_range(
        datetime(2024, 3, 30), datetime(2024, 4, 2), "1h", time_zone="Europe/Berlin", eager=True
    )
    frame = pl.DataFrame({"ds": hours, "y": range(hours.len())})
    days = frame.filter(pl.col("ds").dt.hour() == 0)
    for table, name in ((frame, "1h"), (days, "1d")):
        for given in (table, as_pandas(table)):
            panel = read_panel(given)
            assert panel.calendar.frequency.name == name
            assert not panel.series[0].filled.any(), "no hour is missing, and no day"
        made = make_future_dataframe(read_panel(table), 1)
        assert made["ds"].dtype == table["ds"].dtype
        step = {"1h": datetime(2024, 4, 2, 1), "1d": datetime(2024, 4, 3)}[name]
        assert made["ds"].dt.replace_time_zone(None).to_list() == [step]


def test_business_days_typed_as_datetimes_are_known_as_such():
    pd = pytest.importorskip("pandas")
    for hour in (0, 16):
        days = pd.bdate_range("2024-01-01", periods=30) + pd.Timedelta(hours=hour)
        panel = read_panel(pd.DataFrame({"ds": days, "y": np.arange(30.0)}))
        assert (panel.calendar.frequency.name, panel.season) == ("1bd", 5)
        after = make_future_dataframe(panel, 1)["ds"][0]
        assert after == pd.Timestamp("2024-02-12") + pd.Timedelta(hours=hour)
        assert type(panel.calendar.after(panel.series[0].last, 1)[0]) is np.int64
    # A frequency that is shorter than a day is meant as such.
    table = pl.DataFrame({"ds": [datetime(2024, 1, 1), datetime(2024, 1, 2)], "y": [1.0, 2.0]})
    assert read_panel(table, freq="1h").series[0].values.size == 25


UNUSABLE = {
    "mixed": (lambda pd: {"ds": [1, "x"], "y": [1.0, 2.0]}, "column 'ds'.*int and str"),
    "nested": (lambda pd: {"ds": [1, 2], "y": [[1.0], [2.0]]}, "column 'y'"),
    "durations": (lambda pd: {"ds": pd.to_timedelta([1, 2]), "y": [1.0, 2.0]}, "time_col"),
    "periods": (
        lambda pd: {"ds": pd.period_range("2024", periods=2, freq="M"), "y": [1, 2]},
        "perio",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_columns_of_pandas_that_cannot_be_used_are_refused(name):
    pd = pytest.importorskip("pandas")
    make, words = UNUSABLE[name]
    with pytest.raises(DataError, match=words):
        read_panel(pd.DataFrame(make(pd)), time_col="ds", target_col="y")


def test_other_things_are_refused_by_type_and_length():
    pd = pytest.importorskip("pandas")
    twice = pd.DataFrame([[1, 2, 3]], columns=["ds", "y", "y"])
    with pytest.raises(DataError, match=r"different names.*rename"):
        read_panel(twice)
    for wrong in (3, None, [1, 2], np.zeros(3)):
        with pytest.raises(TypeError, match="pandas or pyarrow DataFrame"):
            read_panel(wrong)
    with pytest.raises(DataError, match="lengths 1, 2"):
        read_panel({"ds": [1, 2], "y": [1.0]})
    with pytest.raises(DataError, match="at least one row"):
        read_panel(FRAME.clear())


def test_parquet_is_read_as_it_is(tmp_path):
    file = tmp_path / "table.parquet"
    FRAME.write_parquet(file)
    panel = read_panel(file)
    assert panel.understood.source == "table.parquet"
    assert len(panel.sha256) == 64
    assert panel.understood.lines()[1:] == read_panel(FRAME).understood.lines()[1:]
