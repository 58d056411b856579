"""`elman doctor`."""

import json

import pytest
import torch

import elman
from elman import Cell
from elman.cli import main
from elman.ops import tanh
from elman.tasks.classify import Classifier
from elman.tasks.forecast import Forecaster
from elman.tasks.language import LanguageModel


class Mine(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return tanh(x.n + u.n)


def run(*words, cells=()):
    with pytest.raises(SystemExit) as end:
        main(cells, ["doctor", *map(str, words)])
    return end.value.code


@pytest.fixture
def layer(tmp_path):
    path = tmp_path / "layer.safetensors"
    elman.save(elman.nn.Recurrent("LSTM", 3, 8), path)
    return path


def test_a_healthy_layer(layer, capsys):
    assert run(layer) == 0
    shown = capsys.readouterr()
    assert "Healthy" in shown.out
    assert "random inputs" in shown.err


def test_an_ill_one_exits_with_1_and_is_written_down(tmp_path, capsys):
    sick, path = elman.nn.Recurrent("GRUD", 3, 8), tmp_path / "sick.safetensors"
    elman.init.forget_bias_(sick, -8.0)
    elman.save(sick, path)
    assert run(path, "-o", tmp_path / "seen.json") == 1
    assert "elman.init.forget_bias_(model, 1.0)" in capsys.readouterr().out
    assert json.loads((tmp_path / "seen.json").read_text())["verdicts"][0]["kind"] == "vanishing"
    for ending in ("html", "svg"):
        assert run(path, "--output", tmp_path / f"seen.{ending}", "--deep") == 1
        assert "<svg" in (tmp_path / f"seen.{ending}").read_text()


def test_a_need_of_memory(layer):
    assert run(layer, "--memory", 2) == 0
    assert run(layer, "--memory", 60) == 1


def test_ones_own_cell(tmp_path):
    path = tmp_path / "mine.safetensors"
    elman.save(elman.nn.Recurrent(Mine, 3, 8), path)
    assert run(path, cells=[Mine]) == 0
    assert run(path) == 0  # the file has its equations


def test_the_run_of_a_forecast(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    rows = [
        f"2024-01-{1 + k // 24:02d} {k % 24:02d}:00:00,{(k % 24 - 12) ** 2}" for k in range(600)
    ]
    table = tmp_path / "s.csv"
    table.write_text("\n".join(["ds,y", *rows]))
    with pytest.raises(SystemExit):
        main((), ["train", "forecast", str(table), "--h", "6", "--hidden", "8", "--steps", "20"])
    capsys.readouterr()
    assert run("runs/forecast-s-001") in (0, 1)
    shown = capsys.readouterr()
    assert "recurrent.l0 (GRU, 8 units)" in shown.out
    assert "ends of 1 series" in shown.err


def test_a_forecast_with_covariates(tmp_path):
    steps = range(200)
    table = {
        "ds": [*steps],
        "y": [float(k % 7) for k in steps],
        "past": [float(k % 5) for k in steps],
        "known": [float(k % 3) for k in steps],
    }
    settings = {"hist_exog_list": ("past",), "futr_exog_list": ("known",)}
    forecaster = Forecaster(h=4, hidden=8, steps=10, **settings).fit(table)
    forecaster.save(tmp_path / "model.safetensors")
    assert run(tmp_path / "model.safetensors") in (0, 1)


def test_the_run_of_a_language_model(tmp_path, capsys):
    text = "the cat sat on the mat and the dog sat on the log. " * 200
    LanguageModel("GRU", hidden=12, steps=10).fit(text).save(tmp_path / "model.safetensors")
    assert run(tmp_path / "model.safetensors") in (0, 1)
    assert "recurrent.l0 (GRU, 12 units)" in capsys.readouterr().out


def test_mistakes_are_explained(tmp_path, layer, capsys):
    assert run(tmp_path / "nothing") == 2
    assert run(layer, "-o", tmp_path / "seen.doc") == 2
    assert "must end in .json" in capsys.readouterr().err


def test_a_classifier_is_examined_on_data_alone(tmp_path, capsys):
    texts = [f"{word} film number {k}" for k in range(30) for word in ("good", "dull")]
    examples = {"text": texts, "label": ["pos", "neg"] * 30}
    path = tmp_path / "model.safetensors"
    Classifier("GRU", hidden=4, steps=2).fit(examples).save(path)
    assert run(path) == 2
    assert "elman doctor classify DATA" in capsys.readouterr().err
