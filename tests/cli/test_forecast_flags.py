"""Flags of forecasting: intervals, cross-validation, settings from a file, weights, covariates."""

import json
import tomllib
from pathlib import Path

import pytest

from command_line import elman

SMALL = ["--h", "4", "--hidden", "4", "--steps", "6", "--evaluate-every", "3"]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        f"{shop},2024-01-{1 + d:02d},{(d % 7) * 3 + k * 10 + (d * 7919 % 13) / 7}"
        for k, shop in enumerate(("north", "süd"))
        for d in range(28)
    ]
    path = tmp_path / "shop sales.csv"
    path.write_text("shop,day,sales\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_flags_of_predicting_and_evaluating(file, capsys):
    words = [*SMALL, "--level", "50", "--support", "nonnegative", "--ensemble", "2", "--refit"]
    assert elman("train", "forecast", file, *words) == 0
    out, err = capsys.readouterr()
    assert "GRU 50" in out
    assert "again on all rows" in err
    assert "pip install 'elman[forecast]'" in err
    run = Path("runs/forecast-shop_sales-001")
    assert (run / "member-2" / "history.jsonl").exists()
    flags = ["--h", "6", "--level", "80,90", "--ids", "süd"]
    assert elman("predict", run, *flags) == 0
    out, err = capsys.readouterr()
    rows = out.strip().split("\n")
    assert rows[0] == "shop,day,elman,elman-lo-80,elman-hi-80,elman-lo-90,elman-hi-90"
    assert len(rows) == 7
    assert "6 are made by going on" in err
    assert elman("predict", run, "--level", "none") == 0
    assert capsys.readouterr().out.startswith("shop,day,elman\n")
    assert elman("evaluate", run) == 0
    out, err = capsys.readouterr()
    assert "The table stored when it was trained on shop sales.csv" in err
    assert "Values within the intervals" in out
    assert elman("evaluate", run, "--per-series", "errors.csv") == 2
    assert "measure again" in capsys.readouterr().err
    assert elman("evaluate", run, "--data", file, "--per-series", "errors.csv") == 0
    assert "Measured now" in capsys.readouterr().err
    assert "coverage-50" in Path("errors.csv").read_text()


def test_a_cross_validation_follows_training(file, capsys):
    assert elman("train", "forecast", file, *SMALL, "--n-windows", "2", "--step-size", "2") == 0
    run = Path("runs/forecast-shop_sales-001")
    out, err = capsys.readouterr()
    assert "Cross-validation" in out
    assert "cross_validation.csv" in err
    rows = (run / "cross_validation.csv").read_text().strip().split("\n")
    assert rows[0].startswith("shop,day,cutoff,sales,elman,elman-lo-80")
    assert len(rows) == 1 + 2 * 2 * 4
    assert rows[1].startswith("north,2024-01-23,2024-01-22,")
    assert "Cross-validation" in (run / "report.html").read_text()
    metrics = json.loads((run / "metrics.json").read_text())
    assert [row["cutoff"] for row in metrics["cross_validation"]["cutoffs"]] == [
        "2024-01-22",
        "2024-01-24",
    ]


def test_the_settings_that_a_run_wrote_repeat_it(file, capsys):
    assert elman("train", "forecast", file, *SMALL, "--level", "70") == 0
    first = Path("runs/forecast-shop_sales-001")
    assert elman("train", "forecast", "--config", first / "settings.toml") == 0
    second = Path("runs/forecast-shop_sales-002")
    model = "model.safetensors"
    capsys.readouterr()
    for run in (first, second):
        assert elman("predict", run) == 0
    out = capsys.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]
    settings = [tomllib.loads((run / "settings.toml").read_text()) for run in (first, second)]
    assert settings[0]["forecast"] == settings[1]["forecast"]
    # A flag counts more, and a folder stands for the file in it.
    assert elman("train", "forecast", file, "--config", first, "--hidden", "5") == 0
    third = tomllib.loads(Path("runs/forecast-shop_sales-003/settings.toml").read_text())
    assert (third["forecast"]["hidden"], third["forecast"]["level"]) == (5, [70])
    assert (first / model).exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[forecast]\nh = 4\nhiden = 3\n", "did you mean 'hidden'"),
        ("[forcast]\nh = 4\n", "did you mean 'forecast'"),
        ("h = 4\n", "outside of them"),
        ("[forecast\n", "must be TOML"),
        ("[forecast]\nh = 'x'\n", "h must be a whole number"),
        ("[fit]\nsteps = 3\n", "--h must be given"),
    ],
)
def test_a_config_that_is_wrong_is_refused(text, message, file, capsys):
    Path("c.toml").write_text(text)
    assert elman("train", "forecast", file, "--config", "c.toml") == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


def test_covariates_are_flags_and_files(file, capsys):
    lines = file.read_text().split("\n")[1:-1]
    rows = [f"{line},{int(line[-2] in '02468')}" for line in lines]
    file.write_text("shop,day,sales,promo\n" + "\n".join(rows) + "\n")
    Path("static.csv").write_text("shop,size\nnorth,1\nsüd,2\n", encoding="utf-8")
    days = [f"{shop},2024-01-{d},{d % 2}" for shop in ("north", "süd") for d in (29, 30, 31)]
    days += [f"{shop},2024-02-01,1" for shop in ("north", "süd")]
    Path("ahead.csv").write_text("shop,day,promo\n" + "\n".join(days) + "\n", encoding="utf-8")
    names = ["--futr-exog-list", "promo", "--stat-exog-list", "size", "--target-col", "sales"]
    words = ["train", "forecast", file, *SMALL, *names, "--static-df", "static.csv"]
    assert elman(*words) == 0
    run = Path("runs/forecast-shop_sales-001")
    assert "NLinear and feedforward see them too" in (run / "report.html").read_text()
    capsys.readouterr()
    assert elman("predict", run) == 2
    assert "futr_df must have the covariates" in capsys.readouterr().err
    assert elman("predict", run, "--futr-df", "ahead.csv") == 0
    first = capsys.readouterr().out
    assert len(first.strip().split("\n")) == 9
    assert elman("evaluate", run, "--data", file, "--static-df", "static.csv") == 0
    # Both tables are known to the settings; the future may come with training too.
    assert elman("train", "forecast", "--config", run, "--futr-df", "ahead.csv") == 0
    second = Path("runs/forecast-shop_sales-002")
    data = tomllib.loads((second / "settings.toml").read_text())["data"]
    assert data["static_df"].endswith("static.csv")
    (second / "model.safetensors").unlink()
    assert elman("train", "forecast", "--resume", second) == 0
    capsys.readouterr()
    assert elman("predict", second) == 0
    assert capsys.readouterr().out == first


def test_a_run_begins_with_the_weights_of_another(file, capsys):
    assert elman("train", "forecast", file, *SMALL) == 0
    first = "runs/forecast-shop_sales-001"
    assert elman("train", "forecast", file, "--from", first, "--steps", "4") == 0
    second = Path("runs/forecast-shop_sales-002")
    settings = tomllib.loads((second / "settings.toml").read_text())
    assert settings["data"]["start"].endswith("forecast-shop_sales-001")
    assert settings["forecast"]["hidden"] == 4
    before = (second / "model.safetensors").read_bytes()
    (second / "model.safetensors").unlink()
    assert elman("train", "forecast", "--resume", second) == 0
    assert (second / "model.safetensors").read_bytes() == before
    capsys.readouterr()
    assert elman("train", "forecast", file, "--from", first, "--hidden", "6") == 2
    assert "hidden must be that of the weights" in capsys.readouterr().err
    assert elman("train", "forecast", "--resume", second, "--config", first) == 2
    assert "leave them out" in capsys.readouterr().err
