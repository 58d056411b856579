"""`elman train classify`, predict and evaluate: the whole job, and every mistake."""

import csv
import io
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from command_line import elman

SMALL = ["--hidden", "6", "--embedding", "8", "--epochs", "3", "--no-feedforward"]
SMALL += ["--lr", "0.02", "--checkpoint-every", "1"]
NAMES = ["--text", "review", "--label", "sentiment"]
RUN = Path("runs/classify-my_reviews-001")


def write_reviews(path, count=60, labels=True):
    draw = np.random.Generator(np.random.Philox(0))
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["review", "sentiment", "stars"][: 3 if labels else 1])
        for k in range(count):
            word = ("fine", "großartig", "fun") if k % 2 else ("dull", "poor", "bad")
            text = f"a {draw.choice(word)} film, {draw.choice(['truly', 'really'])} number {k}"
            rows.writerow([text, "good" if k % 2 else "bad", k][: 3 if labels else 1])
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run in it."""
    folder = tmp_path_factory.mktemp("classify")
    path = write_reviews(folder / "my reviews.csv")
    words = ["train", "classify", path, *NAMES, *SMALL, "--runs", folder / "runs"]
    assert elman(*words) == 0
    return folder


@pytest.fixture
def here(trained, tmp_path, monkeypatch):
    shutil.copytree(trained, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def test_a_run_has_all_its_files(here):
    metrics = json.loads((RUN / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["task"] == "classify"
    both = ["GRU + bag of words", "GRU alone"]
    assert metrics["methods"] == [*both, "majority", "bag of words"]
    settings = tomllib.loads((RUN / "settings.toml").read_text(encoding="utf-8"))
    assert settings["classify"]["text"] == "review"
    assert settings["data"]["file"].endswith("my reviews.csv")
    report = (RUN / "report.html").read_text(encoding="utf-8")
    heads = ["Results beside the baselines", "What was taken for what", "What mattered"]
    heads += ["Worst mistakes", "Calibration", "Learning curve", "What was understood"]
    assert all(f"<h2>{head}</h2>" in report for head in heads)
    assert "color-mix(in srgb" in report
    assert "Of the network alone, without the scores of the bag of words." in report
    assert metrics["best_baseline"] in report
    first = report.split('<p class="verdict')[1].split("</p>")[0]
    assert ("does NOT beat" in first) != metrics["beats_best_baseline"]


def test_results_go_to_standard_output_and_the_rest_elsewhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_reviews(Path("my reviews.csv"))
    assert elman("train", "classify", "my reviews.csv", *NAMES, *SMALL) == 0
    out, err = capsys.readouterr()
    assert out.startswith("GRU ")
    assert "bag of words" in out
    assert "stars" in err
    assert f"elman predict {RUN} FILE" in err


def test_predictions_are_csv(here, capsys):
    write_reviews(Path("new.csv"), 5, labels=False)
    assert elman("predict", RUN, "new.csv") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["row"] for row in rows] == ["2", "3", "4", "5", "6"]
    assert set(rows[0]) == {"row", "label", "p(bad)", "p(good)"}
    assert float(rows[0]["p(bad)"]) + float(rows[0]["p(good)"]) == pytest.approx(1, abs=1e-3)
    assert elman("predict", RUN, "--text", "a fine film", "-o", "one.csv") == 0
    assert len(Path("one.csv").read_text().splitlines()) == 2
    assert elman("predict", RUN, "--data", "my reviews.csv") == 0
    assert len(capsys.readouterr().out.splitlines()) == 61


def test_lines_are_judged_whatever_the_column_of_texts_was_called(here, capsys, monkeypatch):
    lines = "a fine film\n\ngroßartig\r\n".encode()
    Path("new.txt").write_bytes(lines)
    assert elman("predict", RUN, "new.txt") == 0
    expected = capsys.readouterr().out
    assert [row.split(",")[0] for row in expected.splitlines()] == ["row", "1", "2", "3"]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert elman("predict", RUN) == 0
    assert capsys.readouterr().out == expected


def test_another_name_of_the_column_is_told_as_a_trained_model_needs_it(here, capsys):
    Path("other.csv").write_text("words,mood\na fine film,good\n")
    for words in (["predict", RUN, "other.csv"], ["evaluate", RUN, "--data", "other.csv"]):
        assert elman(*words) == 2
        err = capsys.readouterr().err
        assert "for a model that is trained, call the column 'review' as in training" in err


def test_standard_input_that_cannot_be_judged_is_refused(here, capsys, monkeypatch):
    for data, words in ((b"", "must have a text on a line"), (b"a\n\xe4\n", "line 2: the text")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert elman("predict", RUN) == 2
        assert f"standard input: {words}" in capsys.readouterr().err


def test_a_stream_of_tokens_says_what_reads_text(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_reviews(Path("my reviews.csv"))
    assert elman("train", "classify", "my reviews.csv", *NAMES, *SMALL, "--causal") == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"3\n4\n")))
    assert elman("stream", RUN) == 0
    out, err = capsys.readouterr()
    assert [line.split(",")[0] for line in out.splitlines()[-3:]] == ["row", "0", "1"]
    assert f"classify {RUN / 'model.safetensors'} --by-word` reads lines of text" in err


def test_a_folder_is_measured_whatever_the_columns_were_called(here, capsys):
    for label, text in (("good", "a fine film"), ("bad", "a dull film")):
        Path("texts", label).mkdir(parents=True)
        Path("texts", label, "1.txt").write_text(text, encoding="utf-8")
    assert elman("evaluate", RUN, "--data", "texts") == 0
    assert "Test: 2 examples" in capsys.readouterr().out


def test_evaluation_of_the_run_and_of_a_file(here, capsys):
    assert elman("evaluate", RUN) == 0
    assert "bag of words" in capsys.readouterr().out
    assert elman("evaluate", RUN / "model.safetensors", "--data", "my reviews.csv") == 0
    out = capsys.readouterr().out
    assert "Test: 60 examples" in out
    assert "Rows: what it is" in out


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(here, capsys):
    before = (RUN / "model.safetensors").read_bytes()
    for name in ("model.safetensors", "metrics.json", "report.html"):
        (RUN / name).unlink()
    newest = max((RUN / "checkpoints").iterdir())
    newest.unlink()
    assert elman("predict", RUN, "my reviews.csv") == 2
    assert "finish it with: elman train classify --resume" in capsys.readouterr().err
    assert elman("train", "classify", "--resume", RUN) == 0
    assert (RUN / "model.safetensors").read_bytes() == before


def test_a_run_does_not_go_on_with_another_file(here, capsys):
    settings = (RUN / "settings.toml").read_text(encoding="utf-8")
    path = Path(tomllib.loads(settings)["data"]["file"])
    own = Path("changed.csv")
    shutil.copy(path, own)
    own.write_text(own.read_text(encoding="utf-8") + "one more,good,3\n", encoding="utf-8")
    changed = settings.replace(str(path), str(own.resolve()))
    (RUN / "settings.toml").write_text(changed, encoding="utf-8")
    assert elman("train", "classify", "--resume", RUN) == 2
    assert "got files that have changed since" in capsys.readouterr().err
    assert elman("train", "classify", "--resume", RUN, "--hidden", "9") == 2
    assert "--hidden is fixed by the run" in capsys.readouterr().err


def test_settings_of_a_run_train_another(here, capsys):
    assert elman("train", "classify", "--config", RUN, "--epochs", "1") == 0
    settings = tomllib.loads(Path("runs/classify-my_reviews-002/settings.toml").read_text())
    assert settings["fit"]["epochs"] == 1
    assert settings["classify"]["hidden"] == 6


def test_parts_may_be_files_of_their_own(here, capsys):
    write_reviews(Path("dev.csv"), 20)
    write_reviews(Path("held.csv"), 30)
    more = ["--validation", "dev.csv", "--test", "held.csv"]
    assert elman("train", "classify", "my reviews.csv", *NAMES, *SMALL, *more) == 0
    out, err = capsys.readouterr()
    assert "Test: 30 examples" in out
    assert "  examples    60 to train, 20 to validation, 30 to test\n" in err
    assert "  classes     bad (30), good (30)\n" in err
    assert "note: validation has 20 examples alone: what it chooses is uncertain\n" in err
    report = Path("runs/classify-my_reviews-002/report.html").read_text(encoding="utf-8")
    assert "validation from dev.csv; test from held.csv" in report


def test_folders_and_numbers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("pos", "neg"):
        Path("texts", name).mkdir(parents=True)
        for k in range(12):
            word = "fine" if name == "pos" else "dull"
            Path("texts", name, f"{k}.txt").write_text(f"a {word} film {k}", encoding="utf-8")
    assert elman("train", "classify", "texts", *SMALL) == 0
    assert elman("predict", "runs/classify-texts-001", "texts") == 0
    assert "neg/0.txt" in capsys.readouterr().out
    rows = [
        f"d{k},{t},{np.sin(t * (1 + k % 2) + k):.4f},{'ab'[k % 2]}{chr(10)}"
        for k in range(20)
        for t in range(8)
    ]
    Path("sensors.csv").write_text("device,at,x,fault\n" + "".join(rows))
    names = ["--id", "device", "--time", "at", "--label", "fault"]
    assert elman("train", "classify", "sensors.csv", *names, *SMALL) == 0
    assert elman("predict", "runs/classify-sensors-001", "sensors.csv") == 0
    assert "\nd0," in capsys.readouterr().out
    report = Path("runs/classify-sensors-001/report.html").read_text(encoding="utf-8")
    assert "taken to be missing" in report
    assert elman("predict", "runs/classify-sensors-001") == 2
    assert "a classifier of numbers does not read standard input" in capsys.readouterr().err


MISTAKES = {
    "no file": (["train", "classify"], "FILE must be given"),
    "a missing file": (["train", "classify", "gone.csv"], "gone.csv: path: the file must exist"),
    "a column that is not there": (
        ["train", "classify", "my reviews.csv", "--text", "revie"],
        "did you mean 'review'",
    ),
    "two things to judge": (
        ["predict", RUN, "a.csv", "--text", "x"],
        "--text must be given without FILE",
    ),
    "a flag of forecasts": (
        ["predict", RUN, "my reviews.csv", "--h", "3"],
        "--h is for forecasters; got a classifier",
    ),
    "a flag of language": (
        ["evaluate", RUN, "--dynamic"],
        "--dynamic is for language models; got a",
    ),
    "an unknown setting": (["train", "classify", "my reviews.csv", "--tokens", "bits"], "tokens"),
    "no such cell": (
        ["train", "classify", "my reviews.csv", "--cell", "GRUU"],
        "no cell is called",
    ),
}


def test_what_cannot_be_trained_on_leaves_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text("review,sentiment\n" + "fine,good\n" * 9)
    assert elman("train", "classify", "one.csv", *NAMES) == 2
    assert "at least two classes are needed" in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told_without_a_traceback(name, here, capsys):
    words, expected = MISTAKES[name]
    assert elman(*words) == 2
    err = capsys.readouterr().err
    assert expected in err
    assert "Traceback" not in err


def test_it_runs_as_a_command_and_says_its_help(tmp_path):
    found = subprocess.run(
        [sys.executable, "-m", "elman.cli", "train", "classify", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "--label-separator" in found.stdout
    assert "word vectors to start from" in found.stdout
