"""The estimator: fit, predict, evaluate, save, load, and every mistake with its message."""

import numpy as np
import polars as pl
import pytest

from elman import Cell
from elman.data import DataError, to_native
from elman.ops import tanh
from elman.tasks.forecast import Forecaster, ForecastSettings
from elman_runtime import ModelFileError, model_file


class Leaky(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return s.h + 0.5 * (tanh(x.n + u.n) - s.h)


def table(length=220, names=("a", "b")):
    """Noisy sines of period 12 by the month."""
    draw = np.random.Generator(np.random.Philox(3))
    months = pl.date_range(pl.date(1990, 1, 1), pl.date(2030, 1, 1), "1mo", eager=True)[:length]
    frames = []
    for k, name in enumerate(names):
        y = 100 * (k + 1) + 10 * np.sin(np.arange(length) * 2 * np.pi / 12 + k)
        y += draw.normal(size=length)
        frames.append(pl.DataFrame({"unique_id": [name] * length, "ds": months, "y": y}))
    return pl.concat(frames)


SMALL = {"h": 6, "hidden": 8, "steps": 40, "evaluate_every": 20, "lr": 0.01}


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(**SMALL).fit(table())


def test_fitting_is_silent_and_writes_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Forecaster(**SMALL | {"steps": 4}).fit(table(120))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_prediction_has_the_names_types_and_times_of_the_table(fitted):
    frame = fitted.predict()
    ends = ["elman-lo-80", "elman-hi-80", "elman-lo-95", "elman-hi-95"]
    assert frame.columns == ["unique_id", "ds", "elman", *ends]
    assert frame["ds"].dtype == pl.Date
    assert frame["unique_id"].to_list() == ["a"] * 6 + ["b"] * 6
    assert str(frame["ds"][0]) == "2008-05-01"
    level = frame.group_by("unique_id").agg(pl.col("elman").mean()).sort("unique_id")["elman"]
    assert level.to_list() == pytest.approx([100, 200], abs=15)


def test_the_evaluation_has_every_baseline_and_a_verdict(fitted):
    evaluation = fitted.evaluate()
    names = ["GRU", "NLinear", "feedforward", "repeat", "seasonal naive (12)", "Naive2"]
    assert list(evaluation.test) == list(evaluation.validation) == names
    assert len(evaluation.per_series) == 2 * 6
    assert ("does NOT beat" in evaluation.verdict()) != evaluation.beats_best_baseline
    text = evaluation.table().text()
    assert all(name in text for name in names)
    # Smoothed over two series of a clear season, a trained network is far from repeating.
    assert evaluation.test["GRU"].mase < evaluation.test["repeat"].mase


def test_the_same_seed_gives_the_same_forecast():
    first, second = (Forecaster(**SMALL).fit(table()).predict() for _ in range(2))
    other = Forecaster(**SMALL | {"seed": 1}).fit(table()).predict()
    assert first.equals(second)
    assert not first.equals(other)


def test_a_model_file_is_all_that_prediction_needs(fitted, tmp_path):
    path = tmp_path / "m.safetensors"
    fitted.save(path)
    loaded = Forecaster.load(path)
    assert loaded.predict().equals(fitted.predict())
    assert loaded.settings == fitted.settings
    assert loaded.fit_settings == fitted.fit_settings
    again = loaded.evaluate()
    assert (again.test, again.validation) == (fitted.evaluate().test, fitted.evaluate().validation)
    assert loaded.evaluate(table()).test["GRU"].mae == pytest.approx(again.test["GRU"].mae)


def test_a_cell_of_the_users_own_is_given_again_on_loading(tmp_path):
    path = tmp_path / "m.safetensors"
    fitted = Forecaster(h=3, cell=Leaky, hidden=4, steps=3).fit(table(100))
    fitted.save(path)
    with pytest.raises(ValueError, match="no cell is called 'Leaky'"):
        Forecaster.load(path)
    assert Forecaster.load(path, cells=[Leaky]).predict().equals(fitted.predict())


def test_new_rows_of_known_and_new_series_are_forecast_from(fitted):
    whole = table()
    start = whole.filter(pl.col("unique_id") == "a")
    again = fitted.predict(start)
    assert again["elman"].to_list() == fitted.predict(ids=["a"])["elman"].to_list()
    # One more month of a known series goes on from what the model remembers.
    longer = table(221).filter(pl.col("unique_id") == "a")
    one_more = fitted.predict(longer.tail(1))
    assert str(one_more["ds"][0]) == "2008-06-01"
    assert one_more["elman"].to_list() == fitted.predict(longer)["elman"].to_list()
    unseen = fitted.predict(longer.with_columns(unique_id=pl.lit("new")))
    assert unseen["unique_id"].unique().to_list() == ["new"]


LIBRARIES = ("polars", "pandas", "pyarrow")


@pytest.mark.parametrize("before", LIBRARIES)
def test_tables_that_go_out_are_of_the_library_of_what_came_in(before, tmp_path):
    for name in LIBRARIES:
        pytest.importorskip(name)
    kinds = {name: type(to_native(table(1), name)) for name in LIBRARIES}
    old = to_native(table(120), before)
    forecaster = Forecaster(**SMALL | {"steps": 2, "ets_series": 0}).fit(old)
    expected = forecaster.predict()
    assert type(expected) is kinds[before]
    for name in LIBRARIES:
        rows = to_native(table(120), name)
        found = forecaster.predict(rows)
        assert np.array_equal(np.asarray(found["elman"]), np.asarray(expected["elman"]))
        coming = forecaster.make_future_dataframe(rows)
        missing = forecaster.get_missing_future(coming)
        crossed = forecaster.cross_validation(rows)
        assert {type(one) for one in (found, coming, missing, crossed)} == {kinds[name]}
    # What has no library of its own is answered in that of the fit.
    path = tmp_path / "rows.csv"
    table(120).write_csv(path)
    assert type(forecaster.predict(path)) is kinds[before]
    assert type(forecaster.predict(table(120).to_dict(as_series=False))) is kinds[before]


def test_new_rows_that_do_not_go_on_are_refused_and_gaps_are_said(fitted):
    ahead = table(224).filter(pl.col("unique_id") == "a").tail(2)
    said = []
    fitted.predict(ahead, say=said.append)
    assert said == ["a: 2 steps before the new rows are interpolated"]
    early = table().filter(pl.col("unique_id") == "a").head(5)
    with pytest.raises(DataError, match="go on from those that the model was fitted to"):
        fitted.predict(early)
    few = early.with_columns(unique_id=pl.lit("new"))
    said.clear()
    fitted.predict(few, say=said.append)
    assert "its first is repeated" in said[0]


def test_tables_of_another_layout_are_refused(fitted):
    with pytest.raises(DataError, match="time_col must be a column"):
        fitted.predict(table().rename({"ds": "when"}))
    numbers = {"unique_id": ["a"] * 4, "ds": [1, 2, 3, 4], "y": [1.0, 2, 3, 4]}
    with pytest.raises(DataError, match="of the kind that the model was fitted to"):
        fitted.predict(numbers)
    with pytest.raises(DataError, match="long; give more rows"):
        fitted.evaluate(table(20))
    with pytest.raises(ValueError, match="series 'z' is not known"):
        fitted.predict(ids=["z"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"h": 0}, "h must be 1"),
        ({"h": 2.5}, "h must be a whole number"),
        ({"hiden": 3}, "did you mean 'hidden'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"loss": "l2"}, "loss must be one of mae"),
        ({"cell": "GRUU"}, "no cell is called 'GRUU'"),
        ({"segment": 9}, "segment must not exceed"),
        ({"freq": 3}, "freq must be text"),
        ({"lr": -1.0}, "lr must be above 0"),
    ],
)
def test_a_setting_that_breaks_its_rule_is_refused(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Forecaster(**{"h": 4} | given)


def test_before_fitting_it_says_what_to_do():
    with pytest.raises(RuntimeError, match="must be fitted first"):
        Forecaster(h=3).predict()


def test_a_file_of_another_kind_is_refused(fitted, tmp_path):
    path = tmp_path / "m.safetensors"
    model_file.write(path, {"format": 0, "kind": "state"}, {})
    with pytest.raises(ModelFileError, match="must hold a forecaster"):
        Forecaster.load(path)


def _without_shape(meta, tensors):
    del meta["shape"]


def _other_window(meta, tensors):
    meta["shape"]["window"] += 1


def _huge(meta, tensors):
    meta["settings"]["hidden"] = 10**9


def _more_layers(meta, tensors):
    meta["settings"]["layers"] = 10**6


def _unknown_setting(meta, tensors):
    meta["settings"]["eval"] = "import os"


def _no_head(meta, tensors):
    del tensors["model.head.weight"]


def _names_cut(meta, tensors):
    tensors["extra.ids"] = tensors["extra.ids"][:-1]


def _zero_scale(meta, tensors):
    tensors["extra.scales"] = tensors["extra.scales"] * 0


def _other_clock(meta, tensors):
    meta["data"]["clock"] = {"kindd": "date"}


def _evaluation_gone(meta, tensors):
    meta["evaluation"]["test"] = {}


@pytest.mark.parametrize(
    "spoil",
    [
        _without_shape,
        _other_window,
        _huge,
        _more_layers,
        _unknown_setting,
        _no_head,
        _names_cut,
        _zero_scale,
        _other_clock,
        _evaluation_gone,
    ],
)
def test_a_file_whose_parts_do_not_fit_together_is_refused(spoil, fitted, tmp_path):
    path = tmp_path / "m.safetensors"
    fitted.save(path)
    stored = model_file.read(path)
    meta, tensors = stored.meta, dict(stored.tensors)
    spoil(meta, tensors)
    model_file.write(path, meta, tensors)
    with pytest.raises(ModelFileError, match=r"m\.safetensors: .*must fit together"):
        Forecaster.load(path)


def test_a_plot_is_drawn_on_the_axes_given(fitted):
    from elman.report.plots import figure

    _, (ax,) = figure()
    assert fitted.plot("b", ax) is ax
    assert len(ax.lines) == 2
    assert fitted.plot().get_title(loc="left") == "a"


def test_a_verdict_on_next_to_nothing_is_warned_of(fitted):
    few = Forecaster(**SMALL | {"steps": 2, "h": 12}).fit(table(120, ("a",)))
    notes = [note for note in few.fitted.notes if "may be chance" in note]
    assert len(notes) == 1
    assert notes[0].startswith("methods are compared on one window of 12 steps alone")
    more = Forecaster(**SMALL | {"steps": 2, "h": 12}, validation_windows=2)
    notes = more.fit(table(120, ("a",))).fitted.notes
    assert any("on 2 windows of 12 steps" in note for note in notes)
    assert not any("may be chance" in note for note in fitted.fitted.notes)


def test_constant_and_single_series_are_forecast():
    flat = {"ds": list(range(80)), "y": [3.0] * 80}
    forecaster = Forecaster(h=4, hidden=4, steps=3).fit(flat)
    assert forecaster.predict()["elman"].to_list() == pytest.approx([3.0] * 4)
    assert forecaster.evaluate().test["GRU"].mase is None
    assert "-" in forecaster.evaluate().table().text()


def test_large_values_keep_their_digits(tmp_path):
    values = (1e9 + np.arange(80.0)).tolist()
    forecaster = Forecaster(h=2, hidden=4, steps=2).fit({"ds": list(range(80)), "y": values})
    forecaster.save(tmp_path / "m.safetensors")
    predicted = Forecaster.load(tmp_path / "m.safetensors").predict()["elman"]
    assert predicted.to_list() == pytest.approx([1e9 + 80] * 2, abs=20)


def test_settings_say_what_they_are():
    from elman.cli.flags import descriptions

    assert set(descriptions(ForecastSettings)) == set(ForecastSettings.__dataclass_fields__)
