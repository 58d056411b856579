"""Covariates: aligned with the values, coded, filled in, and known ahead."""

import numpy as np
import polars as pl
import pytest

from elman.data import (
    DataError,
    get_missing_future,
    make_future_dataframe,
    read_future,
    read_panel,
    to_native,
)

TABLE = pl.DataFrame(
    {
        "unique_id": ["b"] * 5 + ["a"] * 6,
        "ds": [1, 2, 4, 5, 6, 1, 2, 3, 4, 5, 6],
        "y": [1.0, 2, 4, 5, 6, 10, 20, 30, 40, None, None],
        "price": [1.0, 2, 4, 5, 6, 1, 2, 3, 4, 5, 6],
        "promo": ["no", "yes", "no", "no", "yes", "no", "no", None, "yes", "no", "no"],
        "size": [3] * 5 + [4] * 6,
    }
)
LISTS = {
    "hist_exog_list": ["price"],
    "futr_exog_list": ["promo"],
    "stat_exog_list": ["size"],
}
FUTURE = pl.DataFrame(
    {"unique_id": ["b", "b", "b"], "ds": [7, 8, 10], "promo": ["no", "new", "yes"]}
)


def said(panel):
    return "\n".join(panel.understood.lines())


def test_covariates_lie_beside_the_values():
    panel = read_panel(TABLE, **LISTS)
    a, b = panel.series
    assert (a.values.size, b.values.size) == (4, 6)
    assert a.hist[:, 0].tolist() == [1, 2, 3, 4]
    assert b.hist[:, 0].tolist() == [1, 2, 3, 4, 5, 6], "interpolated where there was no row"
    assert panel.categories == {"promo": ("no", "yes")}
    assert b.futr[:, 0].tolist() == [1, 2, 2, 1, 1, 2], "a category is carried on"
    # Rows without a value at the end are steps that are known ahead.
    assert a.futr[:, 0].tolist() == [1, 1, 1, 2, 1, 1]
    assert (a.static.tolist(), b.static.tolist()) == ([4], [3])
    assert panel.hist_exog_list == ("price",)
    assert "price: 1 of 10 values were missing; interpolated" in said(panel)
    assert "promo: 2 of 10 values were missing; the last one goes on" in said(panel)
    assert "categories promo (2)" in said(panel)
    assert "known 0 to 2 steps after the last value" in said(panel)


def test_shapes_without_covariates():
    one = read_panel(TABLE.select("unique_id", "ds", "y")).series[0]
    assert (one.hist.shape, one.futr.shape, one.static.shape) == ((4, 0), (4, 0), (0,))


def test_the_future_goes_on_as_far_as_it_has_no_gap():
    panel = read_panel(TABLE, **LISTS, futr_df=FUTURE)
    assert panel.series[1].futr[6:, 0].tolist() == [1, 0], "not 10, for 9 is missing"
    assert "futr_df: promo: new categories, taken as unknown: new (known: no, yes)" in said(panel)
    # Where both have a row, that of futr_df counts.
    other = FUTURE.with_columns(unique_id=pl.lit("a"), ds=pl.col("ds") - 2)
    assert read_panel(TABLE, **LISTS, futr_df=other).series[0].futr[4:, 0].tolist() == [1, 0]


def test_static_covariates_from_a_table_of_their_own(tmp_path):
    static = pl.DataFrame({"unique_id": ["z", "a", "b"], "region": ["east", "west", "east"]})
    given = {"stat_exog_list": ["region"], "static_df": static}
    table = TABLE.select("unique_id", "ds", "y")
    panel = read_panel(table, **given)
    assert [one.static.tolist() for one in panel.series] == [[2], [1]]
    assert "from static_df" in said(panel)
    static.write_csv(tmp_path / "static.csv")
    again = read_panel(table, stat_exog_list=["region"], static_df=tmp_path / "static.csv")
    assert again.categories == panel.categories
    for broken, words in (
        (static.filter(pl.col("unique_id") != "a"), "each series has a row; got none for a"),
        (static.with_columns(region=pl.lit(None, pl.String)), "row 1, column 'region'.*empty cell"),
        (
            pl.concat([static, static.with_columns(region=pl.lit("up"))]),
            "row 4, .*the same in each",
        ),
        (static.rename({"region": "place"}), "'region'.*unique_id, place"),
    ):
        with pytest.raises(DataError, match=words):
            read_panel(table, stat_exog_list=["region"], static_df=broken)


def test_a_table_read_again_is_coded_as_the_first_was():
    panel = read_panel(TABLE, **LISTS)
    newer = TABLE.with_columns(promo=pl.col("promo").replace({"no": "never"}))
    again = read_panel(newer, **LISTS, categories=panel.categories)
    assert again.categories == panel.categories
    assert set(again.series[1].futr[:, 0].tolist()) == {0, 2}
    assert "promo: new categories, taken as unknown: never (known: no, yes)" in said(again)


def test_the_future_is_asked_for_and_what_lacks_is_named():
    panel = read_panel(TABLE, **LISTS)
    rows = make_future_dataframe(panel, 2)
    assert rows.to_dict(as_series=False) == {"unique_id": ["a", "a", "b", "b"], "ds": [5, 6, 7, 8]}
    assert get_missing_future(panel, FUTURE, 2).equals(rows.head(2))
    whole = rows.with_columns(promo=pl.lit("yes"))
    assert get_missing_future(panel, whole, 2).is_empty()
    values, words = read_future(panel.ends, whole.reverse(), 2)
    assert values.shape == (2, 2, 1)
    assert (set(values.ravel().tolist()), words) == ({2.0}, ())
    assert get_missing_future(read_panel(TABLE), rows.head(3), 2).equals(rows.tail(1))


def test_pandas_gets_pandas():
    pd = pytest.importorskip("pandas")
    panel = read_panel(to_native(TABLE, "pandas"), **LISTS)
    rows = make_future_dataframe(panel, 1)
    assert isinstance(rows, pd.DataFrame)
    assert len(get_missing_future(panel, rows.assign(promo="no"), 1)) == 0
    assert len(get_missing_future(panel, rows.assign(promo="no").head(1), 1)) == 1


ROWS = pl.DataFrame({"unique_id": ["a", "a", "b", "b"], "ds": [5, 6, 7, 8], "promo": ["no"] * 4})

LACKING = {
    "a row": (ROWS.head(3), "got none of 8 for 'b' .1 rows.*get_missing_future"),
    "a cell": (
        ROWS.with_columns(promo=pl.Series(["no", None, "no", "no"])),
        "row 1, column 'promo'.*empty cell",
    ),
    "a column": (ROWS.drop("promo"), "futr_exog_list must be a column"),
    "the names": (ROWS.drop("unique_id"), "id_col must be a column"),
    "one meaning": (
        pl.concat([ROWS, ROWS.with_columns(promo=pl.lit("yes"))]),
        "row 0 and row 4.*two that differ",
    ),
    "whole numbers": (ROWS.with_columns(ds=pl.Series(["2024-01-01"] * 4)), "such as 0.*dates"),
}


@pytest.mark.parametrize("name", LACKING)
def test_a_broken_future_is_refused(name):
    frame, words = LACKING[name]
    with pytest.raises(DataError, match=words) as error:
        read_future(read_panel(TABLE, **LISTS), frame, 2)
    assert str(error.value).startswith("futr_df: ")


def test_the_future_of_steps_of_two_lies_on_them():
    table = pl.DataFrame({"ds": [0, 2, 4, 6], "y": [1.0, 2, 3, 4], "x": [1.0, 2, 3, 4]})
    panel = read_panel(table, futr_exog_list=["x"])
    with pytest.raises(DataError, match="times go on 2 apart, after 6; got 7"):
        read_future(panel, {"ds": [7, 8], "x": [1.0, 2.0]}, 1)
    assert read_future(panel, {"ds": [8], "x": [1.0]}, 1)[0].tolist() == [[[1.0]]]


def test_wrong_arguments_are_refused():
    panel = read_panel(TABLE)
    for call, words in (
        (lambda: read_panel(TABLE, futr_exog_list="price"), "must be a list of names"),
        (lambda: read_panel(TABLE, futr_exog_list=["price"], hist_exog_list=["price"]), "once"),
        (lambda: read_panel(TABLE, futr_df=FUTURE), "futr_df needs futr_exog_list"),
        (lambda: read_panel(TABLE, static_df=FUTURE), "static_df needs stat_exog_list"),
        (lambda: read_future(panel, FUTURE, 1), "futr_exog_list"),
        (lambda: make_future_dataframe(panel, 0), "h must be a whole number"),
    ):
        with pytest.raises((TypeError, ValueError), match=words):
            call()


def test_a_wide_table_has_no_covariates_but_a_future():
    table = pl.DataFrame({"ds": [1, 2, 3], "b": [1.0, 2, 3], "a": [4.0, None, 6], "z": ["x"] * 3})
    panel = read_panel(table, target_col="all")
    assert panel.ids == ["a", "b"]
    assert panel.series[0].values.tolist() == [4, 5, 6]
    assert (panel.names.value, panel.names.target, panel.understood.ignored) == ("y", "all", ("z",))
    rows = make_future_dataframe(panel, 1)
    assert rows.to_dict(as_series=False) == {"unique_id": ["a", "b"], "ds": [4, 4]}
    again = read_panel(table, time_col=panel.names.time, target_col=panel.names.target)
    assert np.array_equal(again.series[1].values, panel.series[1].values)
    with pytest.raises(DataError, match=r"nothing else.*leave hist_exog_list out"):
        read_panel(table, target_col="a,b", hist_exog_list=["z"])
