"""`elman compare`, `elman demo NAME`, `elman doctor TASK DATA`."""

import json

import pytest

from elman.cli import main
from elman.demo import lessons

CELL = """
from elman import Cell
from elman.ops import tanh


class Mine(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return tanh(x.n + u.n)
"""
QUICK = ("--hidden", "6", "--steps", "5", "--seeds", "1", "--curve-seeds", "0")


def run(*words):
    with pytest.raises(SystemExit) as end:
        main((), [*map(str, words)])
    return end.value.code


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{k},{(k % 12 - 6) ** 2 + k % 5}" for k in range(300)]
    (tmp_path / "s.csv").write_text("\n".join(["ds,y", *rows]))
    return tmp_path / "s.csv"


@pytest.fixture
def text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text("the rose is red, the violet's blue. " * 100)
    return tmp_path / "t.txt"


def test_a_forecast_is_compared_with_ones_own_cell(table, capsys):
    (table.parent / "my.py").write_text(CELL)
    words = ("--h", 4, "--season", 12, "--cells", "gru", "--cell", "my.py:Mine", *QUICK)
    for _ in range(2):
        assert run("compare", "forecast", table, *words) == 0
    shown = capsys.readouterr()
    assert "recurrent network is" in shown.out
    assert "Mine" in shown.out
    assert "Wrote runs/compare-forecast-s-002" in shown.err, "a second one writes over nothing"
    folder = table.parent / "runs" / "compare-forecast-s-001"
    stored = json.loads((folder / "metrics.json").read_text())
    assert [one["name"] for one in stored["contestants"]][:2] == ["GRU", "Mine"]
    assert "<svg" in (folder / "report.html").read_text()
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert 'cells = ["GRU", "Mine"]' in (folder / "settings.toml").read_text()


def test_a_text_is_compared(text, capsys):
    words = ("--length", 16, "--batch-size", 4, *QUICK)
    assert run("compare", "language", text, "--cells", "rnn", *words) == 0
    assert "nats a character" in capsys.readouterr().out


def test_reviews_are_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = {True: ("fine", "fun"), False: ("dull", "poor")}
    rows = [f"film {k % 9} is {words[k % 2 > 0][k % 3 > 0]},{k % 2}" for k in range(60)]
    (tmp_path / "r.csv").write_text("\n".join(["text,label", *rows]))
    assert run("compare", "classify", "r.csv", "--cells", "gru", "--embedding", 4, *QUICK) == 0
    shown = capsys.readouterr()
    assert "error rate" in shown.out
    assert "bag of words" in shown.out
    assert (tmp_path / "runs" / "compare-classify-r-001" / "picture.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--cells", "gru"), "h must be given"),
        (("--h", "4", "--seeds", "0"), "seeds must be 1 or more"),
        (("--h", "4", "--cells", "nothing"), "no cell is called"),
        (("--h", "4", "--cell", "my.py:Mine"), "must be a Python file"),
        (("--h", "4", "--level", "80"), "level"),
    ],
)
def test_mistakes_are_explained(table, capsys, words, said):
    assert run("compare", "forecast", table, *words) == 2
    assert said in capsys.readouterr().err
    assert not (table.parent / "runs").exists(), "no folder is left behind"


def test_demonstrations_are_listed_and_one_of_no_name_is_refused(capsys):
    assert run("demo") == 0
    shown = capsys.readouterr().out
    assert all(f"elman demo {name}" in shown for name in ("forecast", *lessons()))
    assert run("demo", "vanishin") == 2
    assert "no demo is called 'vanishin'; known: forecast" in capsys.readouterr().err


def test_a_lesson_writes_a_page_and_a_notebook(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("demo", "clipping") == 0
    folder = tmp_path / "runs" / "demo-clipping-001"
    assert "<svg" in (folder / "report.html").read_text()
    assert json.loads((folder / "clipping.ipynb").read_text())["nbformat"] == 4
    shown = capsys.readouterr()
    assert "no longer a number" in shown.out, "without clipping it explodes"
    assert "Wrote runs/demo-clipping-001" in shown.err


def test_the_doctor_on_a_task_and_data(table, text, capsys):
    brief = ("--hidden", 8, "--steps", 5)
    assert run("doctor", "forecast", table, "--h", 4, *brief) in (0, 1)
    shown = capsys.readouterr()
    assert "recurrent.l0 (GRU, 8 units)" in shown.out
    assert "Training GRU, 5 steps" in shown.err
    assert run("doctor", "language", text, "--cell", "rnn", "--memory", 200, *brief) == 1
    assert "200 steps of memory are needed" in capsys.readouterr().out
    (table.parent / "s.toml").write_text('[language]\nlength = 12\ntokens = "bytes"\n')
    assert run("doctor", "language", text, "--config", "s.toml", *brief) in (0, 1)
    assert "of 12" in capsys.readouterr().out


def test_the_doctor_explains_mistakes(table, capsys):
    assert run("doctor", "weather", table) == 2
    assert "task must be one of" in capsys.readouterr().err
    assert run("doctor", table, "--steps", 5) == 2
    assert "need data" in capsys.readouterr().err
