"""What is understood of good tables: columns, times, frequencies, gaps."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from elman.data import DataError, demo_file, read_panel


def write(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    return path


def times(start, step, count):
    return [start + step * k for k in range(count)]


HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1)

# name: (times as text, frequency, season, the time after the last)
CALENDARS = {
    "days": ([f"2024-02-{d:02d}" for d in range(10, 30)], "1d", 7, "2024-03-01"),
    "weeks": ([str(date(2024, 1, 1) + timedelta(7 * k)) for k in range(9)], "1w", 52, "2024-03-04"),
    "months": ([f"2023-{m:02d}" for m in range(1, 13)], "1mo", 12, "2024-01"),
    "first of month": ([f"2023-{m:02d}-01" for m in range(1, 13)], "1mo", 12, "2024-01-01"),
    "month ends": (
        ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"],
        "1mo",
        12,
        "2024-05-31",
    ),
    "quarters": (
        [f"{y}-{m:02d}-01" for y in (2022, 2023) for m in (1, 4, 7, 10)],
        "1q",
        4,
        "2024-01-01",
    ),
    "years": ([f"{y}-01-01" for y in range(2001, 2010)], "1y", 1, "2010-01-01"),
    "hours": ([str(START + HOUR * k) for k in range(20)], "1h", 24, "2024-01-01 20:00:00"),
    "zoned": ([f"2024-01-01T{h:02d}:00:00Z" for h in range(20)], "1h", 24, "2024-01-01T20:00:00Z"),
    "offset": (
        [f"2024-01-01T{h:02d}:00+02:00" for h in range(20)],
        "1h",
        24,
        "2024-01-01T20:00+02:00",
    ),
    "quarter hours": (
        [str(START + HOUR / 4 * k)[:16] for k in range(20)],
        "15m",
        96,
        "2024-01-01 05:00",
    ),
    "compact": ([f"202401{d:02d}" for d in range(10, 20)], "1d", 7, "20240120"),
    "German": ([f"{d:02d}.01.2024" for d in range(10, 20)], "1d", 7, "20.01.2024"),
    "American": ([f"01/{d:02d}/2024" for d in range(10, 20)], "1d", 7, "01/20/2024"),
    "business days": (
        [str(d) for d in times(date(2024, 1, 1), timedelta(1), 19) if d.weekday() < 5],
        "1bd",
        5,
        "2024-01-22",
    ),
    "integers": ([str(k) for k in range(5, 25)], "1", 1, "25"),
    "integers by ten": ([str(k) for k in range(0, 200, 10)], "10", 1, "200"),
}


@pytest.mark.parametrize("name", CALENDARS)
def test_the_frequency_is_inferred_and_goes_on(name, tmp_path):
    texts, frequency, season, after = CALENDARS[name]
    rows = "".join(f"{t},{k * k}\n" for k, t in enumerate(texts))
    panel = read_panel(write(tmp_path, f"ds,y\n{rows}"))
    assert (panel.calendar.frequency.name, panel.season) == (frequency, season)
    assert panel.series[0].values.tolist() == [float(k * k) for k in range(len(texts))]
    calendar, last = panel.calendar, panel.series[0].last
    assert calendar.clock.write(int(calendar.after(last, 1)[0])) == after
    assert [calendar.clock.write(int(t)) for t in calendar.before(last, len(texts))] == texts
    # The name says the same frequency when it is given.
    again = read_panel(write(tmp_path, f"ds,y\n{rows}"), freq=frequency)
    assert again.series[0].values.size == len(texts)


def test_columns_are_inferred_with_their_reasons(tmp_path):
    rows = "".join(f"2024-01-{d:02d},{shop},{d},note\n" for d in range(1, 9) for shop in "ab")
    panel = read_panel(write(tmp_path, f"day,shop,sales,remark\n{rows}"))
    assert (panel.names.id, panel.names.time, panel.names.target) == ("shop", "day", "sales")
    assert panel.ids == ["a", "b"]
    text = "\n".join(panel.understood.lines())
    assert "tells rows of the same time apart" in text
    assert "ignored   remark" in text


def test_an_integer_id_and_the_usual_names_are_known(tmp_path):
    rows = "".join(f"{k},2024-01-{d:02d},{d}\n" for d in range(1, 9) for k in (7, 9))
    assert read_panel(write(tmp_path, f"store_id,date,units\n{rows}")).ids == ["7", "9"]
    panel = read_panel(write(tmp_path, f"unique_id,ds,y\n{rows}"))
    assert panel.understood.columns[0][2] == "has the usual name"


def test_gaps_are_interpolated_and_counted(tmp_path):
    panel = read_panel(write(tmp_path, "ds,y\n1,1\n2,2\n5,5\n6,\n7,9\n8,\n"), freq="1")
    one = panel.series[0]
    assert one.values.tolist() == [1, 2, 3, 4, 5, 7, 9], "a value missing at the end is left off"
    assert one.filled.tolist() == [False, False, True, True, False, True, False]
    assert "3 of 7 values" in dict(panel.understood.facts)["gaps"]


def test_frames_of_polars_and_mappings_are_read():
    frame = pl.DataFrame({"ds": times(START, HOUR, 8), "y": np.arange(8.0), "unique_id": ["a"] * 8})
    for given in (frame, frame.lazy(), frame.to_dict(as_series=False)):
        panel = read_panel(given)
        assert panel.calendar.frequency.name == "1h"
        column = panel.calendar.clock.column("ds", panel.calendar.after(panel.series[0].last, 2))
        assert column.to_list() == times(START + 8 * HOUR, HOUR, 2)
    with pytest.raises(TypeError, match="DataFrame"):
        read_panel(3)
    with pytest.raises(DataError, match=r"row 1 and row 2.*remove one"):
        read_panel({"ds": [1, 2, 2, 3], "y": [1.0, 2.0, 3.0, 4.0]})


def test_a_frame_with_pandas_manners_is_read():
    class Frame(dict):
        columns = property(dict.keys)

    days = np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "datetime64[ns]")
    values = np.array([1.0, float("nan"), 3.0])
    names = np.array(["a", "a", "a"], object)
    panel = read_panel(Frame(ds=days, y=values, unique_id=names))
    assert panel.series[0].values.tolist() == [1, 2, 3]


@pytest.mark.parametrize("freq", ["1x", "-1d", "0h", "1.5h", "one"])
def test_an_unknown_frequency_is_refused(freq, tmp_path):
    with pytest.raises(ValueError, match=r"freq must .* got .*"):
        read_panel(write(tmp_path, "ds,y\n2024-01-01,1\n2024-01-02,2\n"), freq=freq)


@pytest.mark.parametrize(
    ("given", "name"), [("D", "1d"), ("2D", "2d"), ("W-SUN", "1w"), ("B", "1bd"), ("d", "1d")]
)
def test_pandas_spellings_are_known(given, name, tmp_path):
    panel = read_panel(write(tmp_path, "ds,y\n2024-01-01,1\n2024-01-15,2\n"), freq=given)
    assert panel.calendar.frequency.name == name


def test_the_demo_data_is_as_its_readme_says():
    file = demo_file("forecast")
    panel = read_panel(file)
    assert panel.ids == ["EWR", "JFK", "LGA"]
    assert (panel.names.target, panel.calendar.frequency.name) == ("temperature", "1h")
    assert panel.sha256 in (file.parent / "README.md").read_text()
    assert file.stat().st_size < 300_000
    with pytest.raises(ValueError, match="no demo"):
        demo_file("weather")
