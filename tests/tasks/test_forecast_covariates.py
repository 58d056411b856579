"""Covariates through the estimator: known ahead, known so far, static; saved, renewed, missing."""

import numpy as np
import polars as pl
import pytest

from elman.data import DataError
from elman.tasks.forecast import Forecaster
from elman.tasks.forecasting.encoding import Column, Encoding
from elman_runtime import ModelFileError, model_file

LISTS = {
    "futr_exog_list": ["sale", "kind"],
    "hist_exog_list": ["visits"],
    "stat_exog_list": ["size"],
}
SMALL = {"h": 4, "hidden": 8, "steps": 150, "lr": 0.01, "season": 1, "evaluate_every": 50}


def table(length=300, names=("a", "b"), ahead=0):
    """Values that a sale lifts by 20 (noise: 1), known as far ahead as asked."""
    frames = []
    for k, name in enumerate(names):
        draw = np.random.Generator(np.random.Philox(k))
        sale = (draw.random(1000) < 0.2).astype(float)[: length + ahead]
        y = 50 + 20 * sale + draw.normal(size=1000)[: length + ahead]
        frames.append(
            pl.DataFrame(
                {
                    "unique_id": [name] * (length + ahead),
                    "ds": list(range(length + ahead)),
                    "y": [*y[:length].tolist(), *[None] * ahead],
                    "sale": sale,
                    "kind": ["big" if one else "small" for one in sale],
                    "visits": [*(y[:length] * 3).tolist(), *[None] * ahead],
                    "size": [float(k)] * (length + ahead),
                }
            )
        )
    return pl.concat(frames)


def future(length=300, ahead=4, names=("a", "b")):
    return table(length, names, ahead).filter(pl.col("ds") >= length).drop("y", "visits", "size")


@pytest.fixture(scope="module")
def fitted():
    return Forecaster(**SMALL, **LISTS).fit(table())


def test_what_is_known_ahead_is_used(fitted):
    frame = fitted.predict(futr_df=future())
    sale = future()["sale"].to_numpy()
    made = frame["elman"].to_numpy()
    assert made[sale == 1] == pytest.approx(70, abs=6)
    assert made[sale == 0] == pytest.approx(50, abs=6)
    evaluation = fitted.evaluate()
    for name in ("GRU", "NLinear", "feedforward"):
        assert evaluation.test[name].mae < 0.5 * evaluation.test["repeat"].mae, name


def test_without_the_future_it_says_how_to_give_it(fitted):
    with pytest.raises(ValueError, match=r"\(sale, kind\) for the next 4 steps.*make_future"):
        fitted.predict()
    rows = fitted.make_future_dataframe()
    assert rows.columns == ["unique_id", "ds"]
    assert rows["ds"].to_list() == [300, 301, 302, 303] * 2
    lacking = future().filter((pl.col("unique_id") == "a") | (pl.col("ds") < 302))
    missing = fitted.get_missing_future(lacking)
    assert missing.rows() == [("b", 302), ("b", 303)]
    with pytest.raises(DataError, match="get_missing_future"):
        fitted.predict(futr_df=lacking)
    assert fitted.make_future_dataframe(h=9).height == 18


def test_the_future_may_be_in_the_table_itself_and_is_kept(fitted, tmp_path):
    whole = Forecaster(**SMALL | {"steps": 5}, **LISTS).fit(table(ahead=4))
    again = whole.predict(futr_df=future())
    assert whole.predict()["elman"].to_numpy() == pytest.approx(again["elman"].to_numpy())
    whole.save(tmp_path / "m")
    loaded = Forecaster.load(tmp_path / "m")
    assert loaded.predict().equals(whole.predict())
    fitted.save(tmp_path / "n")
    loaded = Forecaster.load(tmp_path / "n")
    assert loaded.predict(futr_df=future()).equals(fitted.predict(futr_df=future()))
    assert loaded.evaluate(table()).test["GRU"].mae == pytest.approx(
        fitted.evaluate().test["GRU"].mae
    )
    stored = model_file.read(tmp_path / "m")
    tensors = dict(stored.tensors)
    tensors["extra.known.hist"] = tensors["extra.known.hist"][:, 1:]
    model_file.write(tmp_path / "m", stored.meta, tensors)
    with pytest.raises(ModelFileError, match="covariates hist of shape"):
        Forecaster.load(tmp_path / "m")


def test_new_rows_bring_their_covariates(fitted):
    longer = table(302)
    ahead = future(302)
    whole = fitted.predict(longer, futr_df=ahead)
    tail = fitted.predict(longer.filter(pl.col("ds") >= 300), futr_df=ahead)
    assert tail["elman"].to_numpy() == pytest.approx(whole["elman"].to_numpy(), rel=1e-5)
    # Known series keep their static covariates; new ones have none to keep.
    without = fitted.predict(longer.drop("size"), futr_df=ahead)
    assert without["elman"].to_numpy() == pytest.approx(whole["elman"].to_numpy(), rel=1e-5)
    new = longer.filter(pl.col("unique_id") == "a").with_columns(unique_id=pl.lit("new"))
    ahead = ahead.filter(pl.col("unique_id") == "a").with_columns(unique_id=pl.lit("new"))
    with pytest.raises(ValueError, match=r"static_df must have .* of .new."):
        fitted.predict(new.drop("size"), futr_df=ahead)
    static = pl.DataFrame({"unique_id": ["new"], "size": [0.0]})
    assert fitted.predict(new.drop("size"), futr_df=ahead, static_df=static).height == 4


def test_rolling_beyond_takes_the_future_that_far_and_holds_the_rest(fitted):
    said = []
    frame = fitted.predict(futr_df=future(ahead=6), h=6, say=said.append)
    assert frame.height == 12
    assert "visits held at the last value" in said[0]
    first = frame.filter(pl.col("ds") < 304)["elman"].to_numpy()
    assert first == pytest.approx(fitted.predict(futr_df=future())["elman"].to_numpy(), rel=1e-5)


def test_cross_validation_takes_covariates_up_to_and_after_the_cutoff():
    forecaster = Forecaster(**SMALL, **LISTS)
    frame = forecaster.cross_validation(table(), n_windows=2)
    error = (frame["y"] - frame["elman"]).abs().mean()
    assert error < 4, "a sale is known ahead of each cutoff"
    later = pl.col("ds") >= 296
    changed = table().with_columns(
        y=pl.when(later).then(0.0).otherwise("y"),
        visits=pl.when(later).then(9e3).otherwise("visits"),
    )
    other = forecaster.cross_validation(changed, n_windows=2)
    early = pl.col("cutoff") < 295
    assert frame.filter(early)["elman"].to_list() == other.filter(early)["elman"].to_list()
    assert frame.filter(~early)["elman"].to_list() == other.filter(~early)["elman"].to_list()


def test_categories_are_columns_and_an_unknown_one_is_none_of_them():
    encoding = Encoding(futr=(Column("kind", 2), Column("price", 0, 10.0, 2.0)))
    found = encoding.encode("futr", np.asarray([[1.0, 12.0], [0.0, 8.0]]))
    assert found.tolist() == [[1, 0, 1], [0, 0, -1]]
    assert encoding.encode("hist", np.zeros((2, 0))) is None
    assert encoding.sizes == {"n_hist": 0, "n_futr": 3, "n_stat": 0}


def test_lists_of_covariates_are_checked():
    with pytest.raises(TypeError, match="futr_exog_list must be a list"):
        Forecaster(h=3, futr_exog_list="sale")
    with pytest.raises(DataError, match="sale"):
        Forecaster(h=3, futr_exog_list=["sales"]).fit(table())
    many = table().with_columns(kind=pl.col("ds").cast(pl.String) + "x")
    with pytest.raises(ValueError, match="at most 64 categories"):
        Forecaster(**SMALL, futr_exog_list=["kind"]).fit(many)
