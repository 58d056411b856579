"""The command line: the whole job, and what is said when something is wrong."""

import json
import re
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from command_line import elman
from elman import Cell
from elman.cli import main
from elman.cli.run_folder import new_run, slug, to_toml
from elman.ops import tanh
from elman.tasks.forecast import Forecaster


class Mine(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return s.h + 0.5 * (tanh(x.n + u.n) - s.h)


CELL_FILE = """
from elman import Cell
from elman.ops import tanh

class Half(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return 0.5 * (s.h + tanh(x.n + u.n))

other = 3
"""

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


def test_the_whole_job(file, capsys):
    assert elman("train", "forecast", file, *SMALL) == 0
    out, err = capsys.readouterr()
    assert "GRU" in out.split("\n")[0]
    assert "best baseline" in out.split("\n")[0]
    assert "seasonal naive (7)" in out
    assert "shop" in err
    assert "tells rows of the same time apart" in err
    run = Path("runs/forecast-shop_sales-001")
    assert f"elman predict {run}" in err
    names = {"model.safetensors", "settings.toml", "metrics.json", "history.jsonl", "report.html"}
    assert {path.name for path in run.iterdir()} == names | {"checkpoints"}
    settings = tomllib.loads((run / "settings.toml").read_text())
    assert settings["data"]["path"] == str(file.resolve())
    assert settings["forecast"]["id_col"] == "shop"
    assert settings["forecast"]["freq"] == "1d"
    assert settings["fit"]["steps"] == 6
    metrics = json.loads((run / "metrics.json").read_text())
    assert {row["id"] for row in metrics["per_series"]} == {"north", "süd"}
    html = (run / "report.html").read_text()
    assert html.count("<svg") == 3
    assert "süd" in html

    # Another run does not touch the first; forecasts need nothing but the model file.
    assert elman("train", "forecast", file, *SMALL) == 0
    assert Path("runs/forecast-shop_sales-002/report.html").exists()
    model = run / "model.safetensors"
    file.unlink()
    capsys.readouterr()
    assert elman("predict", model) == 0
    out, err = capsys.readouterr()
    rows = out.strip().split("\n")
    assert rows[0] == "shop,day,elman,elman-lo-80,elman-hi-80,elman-lo-95,elman-hi-95"
    assert len(rows) == 1 + 2 * 4
    assert rows[5].startswith("süd,2024-01-29,")
    assert elman("predict", run, "-o", "f.csv") == 0
    assert Path("f.csv").read_text() == out
    assert elman("evaluate", run) == 0
    assert "seasonal naive (7)" in capsys.readouterr().out


def test_new_data_is_forecast_from_and_evaluated(file, capsys):
    assert elman("train", "forecast", file, *SMALL) == 0
    run = "runs/forecast-shop_sales-001"
    newer = Path("newer.csv")
    newer.write_text("shop,day,sales\nnorth,2024-01-29,5\nnorth,2024-01-30,6\n")
    capsys.readouterr()
    assert elman("predict", run, "--data", newer) == 0
    assert "north,2024-01-31," in capsys.readouterr().out
    assert elman("evaluate", run, "--data", file) == 0
    assert elman("evaluate", run, "--data", newer) == 2
    assert "newer.csv" in capsys.readouterr().err


def test_a_file_is_described_with_the_command_to_train_on_it(file, capsys):
    assert elman("data", file, "--target-col", "sales") == 0
    out = capsys.readouterr().out
    assert "2, 28 steps each" in out
    assert f"elman train forecast '{file}' --h 7 --target-col sales" in out


def test_who_asks_of_a_text_is_told_where_it_is_understood(tmp_path, capsys):
    path = tmp_path / "reviews.csv"
    path.write_text("review,sentiment\na fine film,good\n")
    for file, hinted in ((path, True), (tmp_path / "gone.csv", False)):
        assert elman("data", file) == 2
        assert ("elman train language, classify and translate" in capsys.readouterr().err) == hinted


def test_a_run_goes_on_after_it_was_killed_and_ends_the_same(file, capsys):
    assert elman("train", "forecast", file, *SMALL, "--checkpoint-every", "1") == 0
    first, second = (Path(f"runs/forecast-shop_sales-00{k}") for k in (1, 2))
    assert elman("train", "forecast", file, *SMALL, "--checkpoint-every", "1") == 0
    for name in ("model.safetensors", "metrics.json", "report.html"):
        (second / name).unlink()
    newest = max((second / "checkpoints").iterdir())
    newest.unlink()
    capsys.readouterr()
    assert elman("predict", second) == 2
    assert "train forecast --resume" in capsys.readouterr().err
    assert elman("train", "forecast", "--resume", second) == 0
    model = "model.safetensors"
    assert (first / model).read_bytes() == (second / model).read_bytes()


def test_what_a_run_began_with_stays(file, capsys):
    assert elman("train", "forecast", file, *SMALL) == 0
    run = "runs/forecast-shop_sales-001"
    assert elman("train", "forecast", "--resume", run, "--hidden", "5") == 2
    assert "--hidden is fixed" in capsys.readouterr().err
    assert elman("train", "forecast", "--resume", "runs") == 2
    assert "a run is a folder with settings.toml" in capsys.readouterr().err
    file.write_text(file.read_text() + "north,2024-01-29,3\n")
    assert elman("train", "forecast", "--resume", run) == 2
    assert "has changed since" in capsys.readouterr().err


def test_cells_of_a_script_and_of_a_file_are_known(file, capsys):
    assert elman("train", "forecast", file, *SMALL, "--cell", "mine", cells=[Mine]) == 0
    run = "runs/forecast-shop_sales-001"
    assert elman("predict", run, cells=[Mine]) == 0
    Path("my.py").write_text(CELL_FILE)
    assert elman("train", "forecast", file, *SMALL, "--cell", "my.py:Half") == 0
    run = "runs/forecast-shop_sales-002"
    capsys.readouterr()
    assert elman("predict", run) == 2
    assert "Half" in capsys.readouterr().err
    assert elman("predict", run, "--cell", "my.py:Half") == 0


MISTAKES = {
    "no verb of that name": (["trian"], 'Did you mean "train"'),
    "an unknown flag": (["train", "forecast", "FILE", "--h", "4", "--hiden", "3"], "--hidden"),
    "no file": (["train", "forecast", "--h", "4"], "FILE must be given"),
    "no horizon": (["train", "forecast", "FILE"], "--h must be given"),
    "no number": (["train", "forecast", "FILE", "--h", "x"], "--h"),
    "h too large": (["train", "forecast", "FILE", "--h", "20"], "at most 7"),
    "a missing file": (["train", "forecast", "none.csv", "--h", "4"], "no such file"),
    "a missing column": (
        ["train", "forecast", "FILE", "--h", "4", "--target-col", "sale"],
        "did you mean 'sales'",
    ),
    "an unknown cell": (["train", "forecast", "FILE", "--h", "4", "--cell", "GRUU"], "GRU"),
    "no cell file": (["train", "forecast", "FILE", "--h", "4", "--cell", "a.py:B"], "a.py"),
    "no such cell in it": (
        ["train", "forecast", "FILE", "--h", "4", "--cell", "my.py:B"],
        "B must",
    ),
    "not a cell": (["train", "forecast", "FILE", "--h", "4", "--cell", "my.py:other"], "int"),
    "a bad setting": (["train", "forecast", "FILE", "--h", "4", "--dropout", "2"], "dropout must"),
    "a bad training setting": (["train", "forecast", "FILE", "--h", "4", "--lr", "-1"], "lr must"),
    "a level that is a share": (["train", "forecast", "FILE", "--h", "4", "--level", "0.8"], "80?"),
    "a level that is text": (["train", "forecast", "FILE", "--h", "4", "--level", "x"], "--level"),
    "no such config": (["train", "forecast", "FILE", "--config", "c.toml"], "c.toml: no such file"),
    "no windows": (
        ["train", "forecast", "FILE", "--h", "4", "--n-windows", "-1"],
        "n_windows must be 1",
    ),
    "no such run": (["predict", "runs/none"], "runs/none"),
    "a run that is no model": (["predict", "FILE"], "shop sales.csv"),
    "no such demo": (["demo", "weather"], "known: forecast"),
    "no such data": (["data", "none.csv"], "none.csv"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_with_2_a_message_and_no_traceback(name, file, capsys):
    words, message = MISTAKES[name]
    Path("my.py").write_text(CELL_FILE)
    assert elman(*(str(file) if word == "FILE" else word for word in words)) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert not Path("runs").exists(), "nothing is made before the arguments are right"


def test_debug_shows_where(file):
    with pytest.raises(ValueError, match="must be given"):
        main((), ["train", "forecast", "--debug"])


def test_help_says_each_flag_with_its_meaning_and_default(capsys):
    assert elman("--help") == 0
    assert "elman demo forecast" in capsys.readouterr().out
    assert elman("train", "forecast", "--help") == 0
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    for words in (
        "--h INT steps to forecast at a time",
        "--hidden INT units of a recurrent layer. [default: 64]",
        "--minutes FLOAT minutes of training",
        "--lr FLOAT peak learning rate, per step. [default: 0.001]",
        "--resume PATH",
    ):
        assert words in text
    assert "object at 0x" not in text
    assert elman("--version") == 0
    assert re.fullmatch(r"\d+\.\d+.*\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (["train", "classify", "--hidde", "3"], "train classify"),
        (["export", "x.safetensors", "--onxn", "y"], "export"),
        (["--hlep"], ""),
    ],
)
def test_an_unknown_flag_points_at_the_help_of_its_command(words, known, capsys):
    assert elman(*words) == 2
    assert " ".join(f"See: elman {known} --help".split()) in capsys.readouterr().err


def test_the_doctor_and_clipping_while_it_trains(file, capsys):
    words = ["--doctor", 3, "--clip-steps", 0.5, "--clip", "auto"]
    assert elman("train", "forecast", file, *SMALL, *words) == 0
    run = Path("runs/forecast-shop_sales-001")
    settings = tomllib.loads((run / "settings.toml").read_text(encoding="utf-8"))
    assert settings["forecast"]["clip_steps"] == 0.5
    assert "<h2>What the doctor says</h2>" in (run / "report.html").read_text(encoding="utf-8")
    seen = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["training"]["examination"]
    assert set(seen["layers"]) == {"recurrent.l0"}
    assert Forecaster.load(run).fitted.model.recurrent.clip_steps == 0.5
    capsys.readouterr()
    assert elman("train", "forecast", file, *SMALL, "--clip-steps", 0) == 2
    assert "clip_steps: must be above 0" in capsys.readouterr().err


def test_a_report_without_the_doctor_does_not_mention_it(file):
    assert elman("train", "forecast", file, *SMALL) == 0
    run = Path("runs/forecast-shop_sales-001")
    assert "doctor" not in (run / "report.html").read_text(encoding="utf-8").split("Settings")[0]
    training = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["training"]
    assert training["examination"] is None
    assert training["history"] == "history.jsonl"


def test_flags_and_examples_of_other_models_are_refused_by_name(file, capsys):
    assert elman("train", "forecast", file, *SMALL) == 0
    run = Path("runs/forecast-shop_sales-001")
    for words, message in {
        ("predict", run, "--beam", 3): "--beam is for translators; got a forecaster",
        ("predict", run, file): "FILE and --text are for classifiers and translators; give --data",
        ("predict", run, "--text", "a"): "FILE and --text are for classifiers and translators",
        ("evaluate", run, "--length-penalty", 1): "--length-penalty is for translators; got a fore",
        ("evaluate", run, "--rate", 1): "--rate is for language models; got a forecaster",
        ("predict", "gone", "--beam", 3): "--beam is for translators; got another model: gone",
        ("predict", "gone", "--h", 3): "gone: there is no such file",
    }.items():
        capsys.readouterr()
        assert elman(*words) == 2
        assert message in capsys.readouterr().err


def test_demos_are_listed(capsys):
    assert elman("demo") == 0
    assert "elman demo forecast" in capsys.readouterr().out


def test_numbers_of_runs_are_never_reused(tmp_path):
    names = [new_run(tmp_path / "runs", "forecast", "a.csv").name for _ in range(3)]
    assert names == ["forecast-a-001", "forecast-a-002", "forecast-a-003"]
    (tmp_path / "runs" / "forecast-a-002").rmdir()
    assert new_run(tmp_path / "runs", "forecast", "a.csv").name == "forecast-a-004"


def test_runs_that_start_at_once_get_different_numbers(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_run(tmp_path, "forecast", "a.csv"), range(40)))
    assert len(set(made)) == 40


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sales 2024.csv.gz", "sales_2024"),
        ("../../etc/passwd", "passwd"),
        ("数.csv", "data"),
        ("v1.2 final.csv", "v1_2_final"),
    ],
)
def test_names_of_runs_are_safe(name, expected):
    assert slug(name) == expected


def test_settings_survive_toml():
    values = {"a": 'x"\\\n\x7f数', "b": True, "c": (0.9, 1e-8), "d": 3, "e": None}
    read = tomllib.loads(to_toml({"s": values}))["s"]
    assert read == {"a": values["a"], "b": True, "c": [0.9, 1e-8], "d": 3}


def test_ctrl_c_ends_with_130_and_the_command_that_goes_on(file):
    words = ["train", "forecast", str(file), "--h", "4", "--steps", "100000"]
    script = "from elman.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", script, *words], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("step 1/"):
                break
        process.send_signal(2)
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert "elman train forecast --resume runs/forecast-shop_sales-001" in rest
    assert "Traceback" not in rest


def test_a_run_that_is_not_there_is_said_without_numbers(tmp_path, capsys):
    missing = tmp_path / "forecast-none-001"
    assert elman("predict", missing) == 2
    assert capsys.readouterr().err.startswith(f"elman: cannot read {missing}: there is no such")
