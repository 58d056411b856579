"""Intervals, supports, ensembles, rolling, warm starts, refits, cross-validation, AutoETS."""

import dataclasses
import importlib.machinery
import sys
import types

import numpy as np
import polars as pl
import pytest

from elman.data import DataError
from elman.tasks.forecast import Forecaster
from elman.tasks.forecasting import statistical
from elman.tasks.forecasting.splits import Shape, prepare
from elman.tasks.forecasting.windows import cut
from elman_runtime import ModelFileError, model_file

SMALL = {"h": 6, "hidden": 8, "steps": 30, "evaluate_every": 10, "lr": 0.01, "ets_series": 0}
HALVES = ["elman-lo-80", "elman-hi-80", "elman-lo-95", "elman-hi-95"]


def table(length=220, names=("a", "b"), seed=3):
    """Noisy sines of period 12 by the month, above zero."""
    draw = np.random.Generator(np.random.Philox(seed))
    months = pl.date_range(pl.date(1990, 1, 1), pl.date(2030, 1, 1), "1mo", eager=True)[:length]
    frames = []
    for k, name in enumerate(names):
        y = 30 * (k + 1) + 10 * np.sin(np.arange(length) * 2 * np.pi / 12 + k)
        y += draw.normal(size=length)
        frames.append(pl.DataFrame({"unique_id": [name] * length, "ds": months, "y": y}))
    return pl.concat(frames)


def shifted(frame, series, start, by):
    """The table with the values of a series from row `start` on moved by `by`."""
    row = pl.int_range(pl.len()).over("unique_id")
    here = (pl.col("unique_id") == series) & (row >= start)
    return frame.with_columns(y=pl.when(here).then(pl.col("y") + by).otherwise("y"))


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(**SMALL).fit(table())


def test_intervals_are_beside_the_forecast_at_any_level(fitted):
    frame = fitted.predict()
    assert frame.columns == ["unique_id", "ds", "elman", *HALVES]
    low, mid, high = (frame[name].to_numpy() for name in ("elman-lo-95", "elman", "elman-hi-95"))
    assert (low <= frame["elman-lo-80"].to_numpy()).all()
    assert (low <= mid).all()
    assert (mid <= high).all()
    assert fitted.predict(level=[]).columns == ["unique_id", "ds", "elman"]
    other = fitted.predict(level=[99, 50.5])
    assert other.columns[3:] == ["elman-lo-50.5", "elman-hi-50.5", "elman-lo-99", "elman-hi-99"]
    with pytest.raises(ValueError, match="did you mean 90"):
        fitted.predict(level=[0.9])


def test_a_level_without_enough_validation_is_said(fitted):
    said = []
    fitted.predict(level=[99.9], say=said.append)
    assert "too few validation values for level 99.9" in said[0]


def test_coverage_is_near_what_was_asked_on_series_like_those_of_validation():
    draw = np.random.Generator(np.random.Philox(5))
    values = 5 * np.sin(np.arange(1500) * 2 * np.pi / 12) + draw.normal(size=1500)
    forecaster = Forecaster(**SMALL | {"season": 12, "steps": 60}).fit(
        {"ds": list(range(1500)), "y": values.tolist()}
    )
    scores = forecaster.evaluate().test["GRU"]
    assert scores.coverage["80"] == pytest.approx(0.80, abs=0.08)
    assert scores.coverage["95"] == pytest.approx(0.95, abs=0.05)
    # A normal of deviation 1: no interval of 80 % is narrower than that of the truth.
    frame = forecaster.predict()
    width = (frame["elman-hi-80"] - frame["elman-lo-80"]).mean()
    assert width == pytest.approx(2 * 1.2816, rel=0.3)
    text = forecaster.evaluate().intervals().text()
    assert "GRU 80" in text
    assert "asked %" in text


def test_every_method_has_every_metric_and_each_series_its_own(fitted):
    evaluation = fitted.evaluate()
    assert evaluation.test["Naive2"].owa == pytest.approx(1)
    for scores in (*evaluation.test.values(), *evaluation.validation.values()):
        found = scores.as_dict()
        assert all(value is not None for value in found.values())
        assert set(scores.coverage) == {"80", "95"}
    frame = evaluation.per_series_frame()
    assert frame.height == 2 * len(evaluation.test)
    assert {"id", "method", "mase", "owa", "zmse", "pinball", "coverage-80"} <= set(frame.columns)
    mean = frame.filter(pl.col("method") == "GRU")["mae"].mean()
    assert mean == pytest.approx(evaluation.test["GRU"].mae)
    assert "z-scored MSE" in evaluation.more().text()


def test_supports_hold_everywhere_and_are_checked():
    low = table().with_columns(y=(pl.col("y") / 10).round().clip(0))
    forecaster = Forecaster(**SMALL | {"steps": 5}, support="integer").fit(low)
    numbers = forecaster.predict().select(pl.selectors.float()).to_numpy()
    assert (numbers >= 0).all()
    assert (numbers == np.rint(numbers)).all()
    with pytest.raises(ValueError, match=r"whole numbers.*got .* in series 'a'"):
        Forecaster(**SMALL, support="integer").fit(table())
    with pytest.raises(ValueError, match="not below 0"):
        Forecaster(**SMALL, support="nonnegative").fit(table().with_columns(y=-pl.col("y")))
    with pytest.raises(ValueError, match="support must be one of"):
        Forecaster(h=3, support="positive")


def test_an_ensemble_is_the_mean_of_networks_of_other_seeds(tmp_path):
    several = Forecaster(**SMALL, ensemble=2, seed=4, transform="none").fit(table())
    alone = [
        Forecaster(**SMALL, seed=seed, transform="none").fit(table()).predict(level=[])["elman"]
        for seed in (4, 5)
    ]
    made = several.predict(level=[])["elman"].to_numpy()
    assert not np.allclose(alone[0].to_numpy(), alone[1].to_numpy(), atol=1e-6)
    assert made == pytest.approx((alone[0].to_numpy() + alone[1].to_numpy()) / 2, abs=1e-4)
    several.save(tmp_path / "m")
    assert Forecaster.load(tmp_path / "m").predict().equals(several.predict())
    stored = model_file.read(tmp_path / "m")
    model_file.write(
        tmp_path / "m", stored.meta | {"settings": stored.meta["settings"] | {"ensemble": 3}},
        dict(stored.tensors),
    )  # fmt: skip
    with pytest.raises(ModelFileError, match="an ensemble of 3"):
        Forecaster.load(tmp_path / "m")


def test_more_steps_than_trained_are_rolled_forward_and_said(fitted):
    said = []
    frame = fitted.predict(h=14, say=said.append)
    assert frame.height == 2 * 14
    assert "forecasts 6 steps; 14 are made by going on" in said[0]
    first = frame.filter(pl.col("unique_id") == "a").head(6)
    alone = fitted.predict(ids=["a"])
    for name in ("elman", *HALVES):
        assert first[name].to_numpy() == pytest.approx(alone[name].to_numpy(), rel=1e-5)
    # The next six are what it forecasts when it takes its own for values.
    told = table().filter(pl.col("unique_id") == "a").select("unique_id", "ds", "y")
    own = first.select("unique_id", "ds", y="elman")
    on = fitted.predict(pl.concat([told, own]))["elman"].to_numpy()
    rolled = frame.filter(pl.col("unique_id") == "a")["elman"].to_numpy()[6:12]
    assert rolled == pytest.approx(on, rel=1e-5)
    said.clear()
    assert fitted.predict(h=2, say=said.append).height == 4
    assert said == []
    with pytest.raises(ValueError, match="h must be 1"):
        fitted.predict(h=0)


def test_a_warm_start_begins_with_the_weights_and_says_what_they_have_seen(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    loaded = Forecaster.load(tmp_path / "m")
    loaded.fit_settings = Forecaster(**SMALL | {"steps": 1, "lr": 1e-12}).fit_settings
    before = loaded.predict()["elman"].to_numpy()
    loaded.fit(table(), warm_start=True)
    assert loaded.predict()["elman"].to_numpy() == pytest.approx(before, rel=1e-4)
    said = []
    loaded.fit(table(180), warm_start=True, say=said.append)
    assert any("trained on rows that are now validation or test" in text for text in said)
    assert any("trained on rows" in text for text in loaded.fitted.notes)
    other = Forecaster(**SMALL | {"hidden": 9}).from_weights(fitted)
    with pytest.raises(ValueError, match="hidden must be that of the weights to start from, 8"):
        other.fit(table(), warm_start=True)
    with pytest.raises(RuntimeError, match="must be fitted first"):
        Forecaster(**SMALL).fit(table(), warm_start=True)


def test_a_refit_forecasts_by_all_rows_and_is_measured_by_those_before(tmp_path):
    options = SMALL | {"transform": "none"}
    plain = Forecaster(**options).fit(table())
    again = Forecaster(**options, refit=True).fit(table())
    assert again.evaluate().test == plain.evaluate().test
    assert not again.predict().equals(plain.predict())
    assert any("trained again on all rows" in note for note in again.fitted.notes)
    again.save(tmp_path / "m")
    loaded = Forecaster.load(tmp_path / "m")
    assert loaded.predict().equals(again.predict())
    found = loaded.evaluate(table()).test["GRU"].mae
    assert found == pytest.approx(plain.evaluate().test["GRU"].mae), "by the one before"


def test_cross_validation_has_the_cutoffs_of_nixtla():
    frame = Forecaster(**SMALL).cross_validation(table(), n_windows=3, step_size=2)
    assert frame.columns == ["unique_id", "ds", "cutoff", "y", "elman", *HALVES]
    assert frame.height == 2 * 3 * 6
    one = frame.filter(pl.col("unique_id") == "b")
    whole = table().filter(pl.col("unique_id") == "b")
    cutoffs = one["cutoff"].unique(maintain_order=True).to_list()
    assert cutoffs == [whole["ds"][219 - 6 - back] for back in (4, 2, 0)]
    for cutoff in cutoffs:
        here = one.filter(pl.col("cutoff") == cutoff)
        truth = whole.filter(pl.col("ds") > cutoff).head(6)
        assert here["ds"].to_list() == truth["ds"].to_list()
        assert here["y"].to_list() == truth["y"].to_list()
    assert one["ds"][-1] == whole["ds"][-1], "the last forecast ends with the series"


@pytest.mark.parametrize("refit", [False, True])
def test_nothing_after_a_cutoff_changes_its_forecasts(refit):
    options = {"n_windows": 2, "step_size": 3, "refit": refit, "level": [90]}
    one, steps = table(), SMALL | {"steps": 8}
    changed = shifted(one, "a", 220 - 9, 1000.0)
    first = Forecaster(**steps).cross_validation(one, **options)
    second = Forecaster(**steps).cross_validation(changed, **options)
    names = ["elman", "elman-lo-90", "elman-hi-90"]
    early = pl.col("cutoff") == first["cutoff"][0]
    assert first.filter(early).select(names).equals(second.filter(early).select(names))
    assert not first.filter(~early).select(names).equals(second.filter(~early).select(names))
    # A training before each cutoff is another one than that before the first.
    once = Forecaster(**steps).cross_validation(one, **options | {"refit": False})
    assert once.filter(~early).select(names).equals(first.filter(~early).select(names)) != refit


def test_a_gap_at_a_cutoff_is_not_filled_from_behind_it():
    whole = table().filter(pl.col("unique_id") == "a")
    row = pl.int_range(pl.len())
    gap = whole.filter((row < 210) | (row >= 216))
    made = [
        Forecaster(**SMALL | {"steps": 3}).cross_validation(shifted(gap, "a", 210, by), level=[])
        for by in (0.0, 500.0)
    ]
    assert made[0]["elman"].to_list() == made[1]["elman"].to_list()
    assert made[0]["y"].null_count() == 2, "what was not observed is no truth"


@pytest.mark.parametrize("refit", [False, True])
def test_cross_validation_starts_where_fit_does_and_uses_all_rows_where_asked(refit):
    # What no naive forecast knows and a linear map does: a season that swings ever wider.
    t = np.arange(240)
    swing = {"ds": t.tolist(), "y": (t * np.sin(2 * np.pi * t / 12)).tolist()}
    settings = SMALL | {"steps": 1, "lr": 1e-9, "season": 12, "transform": "none", "refit": refit}
    frame = Forecaster(**settings).cross_validation(swing, n_windows=2, level=[])
    assert np.abs(np.asarray(frame["elman"]) - np.asarray(frame["y"])).max() < 4.0


def test_cross_validation_says_what_is_wrong_with_its_numbers():
    forecaster = Forecaster(**SMALL)
    with pytest.raises(ValueError, match="n_windows must be 1"):
        forecaster.cross_validation(table(), n_windows=0)
    with pytest.raises(TypeError, match="step_size must be a whole number"):
        forecaster.cross_validation(table(), step_size=1.5)
    with pytest.raises(DataError, match="lower n_windows"):
        forecaster.cross_validation(table(40), n_windows=20)


def test_a_series_too_short_for_the_first_cutoff_has_the_later_ones():
    short = table().filter((pl.col("unique_id") == "a") | (pl.col("ds") > pl.date(2007, 6, 15)))
    frame = Forecaster(**SMALL | {"steps": 3}).cross_validation(short, n_windows=3)
    counts = dict(frame.group_by("unique_id").len().iter_rows())
    assert counts == {"a": 18, "b": 6}


def test_older_files_without_intervals_load_and_say_so(fitted, tmp_path):
    path = tmp_path / "m"
    fitted.save(path)
    stored = model_file.read(path)
    tensors = {n: t for n, t in stored.tensors.items() if not n.startswith("extra.intervals")}
    meta = dict(stored.meta)
    for name in ("levels", "intervals", "methods"):
        meta["evaluation"].pop(name)
    for scores in (
        *meta["evaluation"]["test"].values(),
        *meta["evaluation"]["validation"].values(),
    ):
        for name in ("mape", "owa", "zmse", "zmae", "pinball", "coverage"):
            scores.pop(name)
    model_file.write(path, meta, tensors)
    loaded = Forecaster.load(path)
    assert loaded.predict().columns == ["unique_id", "ds", "elman"]
    assert loaded.predict()["elman"].equals(fitted.predict()["elman"])
    with pytest.raises(ValueError, match="stored without"):
        loaded.predict(level=[80])
    assert "-" in loaded.evaluate().table().text()


@pytest.mark.parametrize("name", ["group", "errors", "counts", "shifts"])
def test_intervals_that_do_not_fit_are_refused(name, fitted, tmp_path):
    path = tmp_path / "m"
    fitted.save(path)
    stored = model_file.read(path)
    tensors = dict(stored.tensors)
    if f"extra.intervals.{name}" not in tensors:
        pytest.skip("the errors of validation were better")
    tensors[f"extra.intervals.{name}"] = tensors[f"extra.intervals.{name}"][:-1]
    model_file.write(path, stored.meta, tensors)
    with pytest.raises(ModelFileError, match="must fit together"):
        Forecaster.load(path)


def test_a_loaded_model_has_its_table_but_not_that_of_each_series(fitted, tmp_path):
    fitted.save(tmp_path / "m")
    loaded = Forecaster.load(tmp_path / "m")
    assert list(loaded.evaluate().test) == list(fitted.evaluate().test)
    assert loaded.evaluate().intervals() == fitted.evaluate().intervals()
    with pytest.raises(RuntimeError, match="measure again"):
        loaded.evaluate().per_series_frame()
    assert loaded.evaluate(table()).per_series_frame().height > 0


class AutoETS:
    """Stands for that of statsforecast: forecasts the last value."""

    def __init__(self, season_length):
        self.season_length = season_length

    def fit(self, y):
        assert y.ndim == 1
        return self

    def forward(self, y, h):
        return {"mean": np.full(h, y[-1])}


@pytest.fixture
def statsforecast(monkeypatch):
    package, models = types.ModuleType("statsforecast"), types.ModuleType("statsforecast.models")
    package.__spec__ = importlib.machinery.ModuleSpec("statsforecast", None)
    models.AutoETS = AutoETS
    monkeypatch.setitem(sys.modules, "statsforecast", package)
    monkeypatch.setitem(sys.modules, "statsforecast.models", models)


def test_auto_ets_is_a_baseline_where_it_is_installed(statsforecast):
    forecaster = Forecaster(**SMALL | {"steps": 3, "ets_series": 2}).fit(table())
    scores = forecaster.evaluate().test
    assert scores["AutoETS"].mae == pytest.approx(scores["repeat"].mae)
    assert forecaster.evaluate(table()).test["AutoETS"].mae == pytest.approx(scores["repeat"].mae)
    fewer = Forecaster(**SMALL | {"steps": 3, "ets_series": 1}).fit(table())
    assert "AutoETS" not in fewer.evaluate().test
    assert any("2 series, ets_series=1" in note for note in fewer.fitted.notes)


def test_without_it_the_command_that_installs_it_is_said_once(monkeypatch):
    monkeypatch.setattr(statistical, "available", lambda: False)
    said = []
    Forecaster(**SMALL | {"steps": 3, "ets_series": 9}).fit(table(), say=said.append)
    assert [text for text in said if "pip install 'elman[forecast]'" in text] == [
        text for text in said if "AutoETS" in text
    ]
    assert len([text for text in said if "AutoETS" in text]) == 1


def test_a_tie_is_no_gain(fitted):
    evaluation = fitted.evaluate()
    best = evaluation.best_baseline
    tied = dataclasses.replace(
        evaluation,
        validation=evaluation.validation | {"GRU": evaluation.validation[best]},
        test=evaluation.test | {"GRU": evaluation.test[best]},
    )
    assert not tied.beats_best_baseline
    assert "does NOT beat" in tied.verdict()
    assert "(as good; on the test as good)" in tied.verdict()


def test_interpolated_values_are_no_truth():
    values = np.sin(np.arange(60.0))
    missing = np.zeros(60, bool)
    missing[[50, 51, 57]] = True
    shape = Shape(h=5, window=10, segment=5, season=1, validation=2, test=2)
    part = prepare("a", values, shape, missing)
    (tested,) = cut([part], shape, "test")
    assert np.isnan(tested.truth).tolist() == missing[50:].reshape(2, 5).tolist()
    assert not np.isnan(tested.windows).any()
    unseen = prepare("b", values, shape, np.ones(60, bool))
    assert not np.isnan(cut([unseen], shape, "test")[0].truth).any()
