"""`elman train language`, generate, score and evaluate: the whole job, and every mistake."""

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import broken_texts as broken
from command_line import elman
from elman import Cell
from elman.ops import tanh
from elman.tasks.language import LanguageModel

SMALL = ["--hidden", "8", "--steps", "6", "--evaluate-every", "3", "--length", "20"]
SMALL += ["--batch-size", "4", "--no-feedforward", "--checkpoint-every", "1"]
RUN = Path("runs/language-my_book-001")


class Mine(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return s.h + 0.5 * (tanh(x.n + u.n) - s.h)


def write_book(folder):
    path = folder / "my book.txt"
    lines = [f"{k} größe bottles hanging on the wall, said no. {k % 7}" for k in range(40)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_book(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, made once."""
    folder = tmp_path_factory.mktemp("trained")
    with contextlib.chdir(folder):
        assert elman("train", "language", write_book(folder), *SMALL) == 0
        return folder / RUN


@pytest.fixture
def run(file, trained):
    """A copy of it, beside the same text."""
    shutil.copytree(trained, RUN)
    settings = (RUN / "settings.toml").read_text()
    named = json.dumps([str(file)])
    (RUN / "settings.toml").write_text(re.sub("files = .*", f"files = {named}", settings))
    return RUN


def test_the_whole_job(file, capsys):
    words = [word for word in SMALL if word != "--no-feedforward"]
    assert elman("train", "language", file, *words) == 0
    out, err = capsys.readouterr()
    assert out.startswith("LSTM ")
    assert "best baseline" in out.split("\n")[0]
    for name in ("feedforward", "5-gram", "unigram", "uniform", "It writes, at temperature 0.8"):
        assert name in out
    assert "validation" in err
    assert f"elman generate {RUN}" in err
    names = {"model.safetensors", "settings.toml", "metrics.json", "history.jsonl", "report.html"}
    names |= {"tokens.bin", "corpus.safetensors", "checkpoints"}
    assert {path.name for path in RUN.iterdir()} == names
    settings = tomllib.loads((RUN / "settings.toml").read_text())
    assert settings["data"]["files"] == [str(file.resolve())]
    assert settings["language"]["hidden"] == 8
    assert settings["fit"]["steps"] == 6
    metrics = json.loads((RUN / "metrics.json").read_text())
    assert metrics["test"]["LSTM"]["bits"] > 0
    assert [one["temperature"] for one in metrics["samples"]] == [0.5, 0.8, 1.0]
    html = (RUN / "report.html").read_text()
    for words in ("Samples", "distinct 2", "8-grams copied", "What surprised it", "<svg"):
        assert words in html
    # The model file alone writes and scores.
    model = RUN / "model.safetensors"
    file.unlink()
    assert elman("generate", model, "--length", "30", "--seed", "4") == 0
    first = capsys.readouterr().out
    assert elman("generate", RUN, "--length", "30", "--seed", "4") == 0
    assert capsys.readouterr().out == first


def test_text_is_written_on_from_prompts(run, capsys):
    assert elman("generate", run, "--prompt", "said", "--length", "20") == 0
    out, err = capsys.readouterr()
    assert out.startswith("said")
    assert len(out) == len("said") + 20 + 1
    assert err == ""
    assert elman("generate", run, "--prompt", "said", "--length", "20", "--prompt", "a,b") == 0
    two = capsys.readouterr().out
    assert two.startswith(f"--- 1\n{out}")
    assert "--- 2\na,b" in two
    Path("p.txt").write_text("said\na,b\n")
    assert elman("generate", run, "--prompts", "p.txt", "--length", "20") == 0
    assert capsys.readouterr().out == two
    assert elman("generate", run, "--prompt", "日é", "--length", "5", "--stop", "zz") == 0
    out, err = capsys.readouterr()
    assert "read as unknown: '日' 'é'" in err
    assert out.startswith("日é")
    assert elman("generate", run, "--length", "0") == 0
    assert capsys.readouterr().out == "\n"


def test_a_text_is_scored_as_numbers_and_as_a_picture(run, file, capsys, monkeypatch):
    assert elman("score", run, "--text", "bottles ☃", "--picture", "p.html") == 0
    out, err = capsys.readouterr()
    assert re.search(r"log-probability +-\d+\.\d+ nats", out)
    assert "9 characters, 9 tokens" in out
    assert "scored as unknown: '☃'" in err
    assert "<span class=s" in Path("p.html").read_text()
    assert elman("score", run, "--text", "bottles", "--each") == 0
    rows = capsys.readouterr().out.strip().split("\n")
    assert rows[0] == "token,log_probability,surprise_bits"
    assert len(rows) == 8
    Path("t.txt").write_text("bottles")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"bottles")))
    assert elman("score", run, "t.txt") == 0
    assert elman("score", run) == 0
    out = capsys.readouterr().out
    assert out[: len(out) // 2] == out[len(out) // 2 :]


def test_standard_input_that_is_no_text_is_refused(run, capsys, monkeypatch):
    for data, words in ((b"ab\n\xff", "line 2"), (b"", "standard input: must have text")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        assert elman("score", run) == 2
        assert words in capsys.readouterr().err


def test_evaluating_shows_measures_again_and_learns(run, file, capsys):
    assert elman("evaluate", run) == 0
    out, err = capsys.readouterr()
    assert "The table stored when it was trained on my book.txt" in err
    assert "5-gram" in out
    assert elman("evaluate", run, "--data", file) == 0
    out, err = capsys.readouterr()
    assert "Measured now" in err
    assert "unigram" in out
    assert "5-gram" not in out
    assert elman("evaluate", run, "--dynamic") == 0
    out = capsys.readouterr().out
    static, dynamic = (
        float(re.search(rf"{n} +(\S+) bits", out)[1]) for n in ("trained", "dynamic")
    )
    assert dynamic < static
    assert elman("evaluate", run, "--dynamic", "--rate", "0.001", "--data", file) == 0
    assert elman("evaluate", run / "model.safetensors", "--dynamic") == 2
    assert "text must be given" in capsys.readouterr().err
    assert elman("evaluate", run, "--per-series", "e.csv") == 2
    assert "--per-series is for forecasters" in capsys.readouterr().err


def test_the_doctor_and_clipping_while_it_trains(file):
    words = [*SMALL, "--doctor", 3, "--clip-steps", 0.5]
    assert elman("train", "language", file, *words) == 0
    settings = tomllib.loads((RUN / "settings.toml").read_text(encoding="utf-8"))
    assert settings["language"]["clip_steps"] == 0.5
    assert "<h2>What the doctor says</h2>" in (RUN / "report.html").read_text(encoding="utf-8")
    training = json.loads((RUN / "metrics.json").read_text(encoding="utf-8"))["training"]
    assert set(training["examination"]["layers"]) == {"recurrent.l0"}
    assert LanguageModel.load(RUN).fitted.network.recurrent.clip_steps == 0.5


def test_a_run_goes_on_after_it_was_killed_and_ends_the_same(file, capsys):
    assert elman("train", "language", file, *SMALL) == 0
    first, second = RUN, Path("runs/language-my_book-002")
    shutil.copytree(first, second)
    for name in ("model.safetensors", "metrics.json", "report.html"):
        (second / name).unlink()
    max((second / "checkpoints").iterdir()).unlink()
    capsys.readouterr()
    assert elman("generate", second) == 2
    assert "train language --resume" in capsys.readouterr().err
    file.unlink()  # the run has its text
    assert elman("train", "language", "--resume", second) == 0
    model = "model.safetensors"
    assert (first / model).read_bytes() == (second / model).read_bytes()
    assert elman("train", "language", "--resume", second, "--hidden", "5") == 2
    assert "--hidden is fixed" in capsys.readouterr().err
    (second / "tokens.bin").write_bytes(b"")
    assert elman("train", "language", "--resume", second) == 2
    assert "start a new run" in capsys.readouterr().err


def test_a_run_that_did_not_store_its_text_reads_it_again(run, file, capsys):
    (run / "corpus.safetensors").unlink()
    before = (run / "model.safetensors").read_bytes()
    assert elman("train", "language", "--resume", run) == 0
    assert (run / "model.safetensors").read_bytes() == before
    (run / "corpus.safetensors").unlink()
    file.write_text(file.read_text() + "more")
    assert elman("train", "language", "--resume", run) == 2
    assert "have changed since" in capsys.readouterr().err


def test_the_settings_that_a_run_wrote_repeat_it(run, capsys):
    assert elman("train", "language", "--config", run) == 0
    second = Path("runs/language-my_book-002")
    model = "model.safetensors"
    assert (run / model).read_bytes() == (second / model).read_bytes()
    Path("c.toml").write_text("[language]\nhiden = 3\n")
    assert elman("train", "language", "x.txt", "--config", "c.toml") == 2
    assert "did you mean 'hidden'" in capsys.readouterr().err


def test_several_files_are_documents(file, capsys):
    Path("b.txt").write_text("another document. " * 20)
    assert elman("train", "language", file, "b.txt", *SMALL, "--tokens", "bytes", "--final") == 0
    out, err = capsys.readouterr()
    assert "2 documents: my book.txt, b.txt" in err
    assert "Trained on validation too" in out
    assert "bits a byte" in out


def test_a_cell_of_a_script_is_known(file, capsys):
    assert elman("train", "language", file, *SMALL, "--cell", "mine", cells=[Mine]) == 0
    capsys.readouterr()
    assert elman("generate", RUN, "--length", "5") == 2
    assert "Mine" in capsys.readouterr().err
    assert elman("generate", RUN, "--length", "5", cells=[Mine]) == 0
    assert elman("score", RUN, "--text", "a", cells=[Mine]) == 0


MISTAKES = {
    "no file": (["train", "language"], "FILE must be given"),
    "a missing file": (["train", "language", "none.txt"], "no such file"),
    "a folder": (["train", "language", "."], "name the files in it"),
    "an unknown flag": (["train", "language", "FILE", "--hiden", "3"], "--hidden"),
    "a bad setting": (["train", "language", "FILE", "--dropout", "2"], "dropout must"),
    "no such tokens": (["train", "language", "FILE", "--tokens", "words"], "--tokens"),
    "an unknown encoding": (["train", "language", "FILE", "--encoding", "x"], "encoding must"),
    "an unknown cell": (["train", "language", "FILE", "--cell", "LSTMM"], "LSTM"),
    "threads below 0": (["train", "language", "FILE", "--threads", "-1"], "--threads"),
    "no such run": (["generate", "runs/none"], "runs/none"),
    "a run that is no model": (["generate", "FILE"], "my book.txt"),
    "a text that is no model": (["score", "FILE", "FILE"], "my book.txt"),
    "no such run to go on with": (["train", "language", "--resume", "runs/x"], "settings.toml"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_ends_with_2_a_message_and_no_traceback(name, file, capsys):
    words, message = MISTAKES[name]
    assert elman(*(str(file) if word == "FILE" else word for word in words)) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in err
    assert out == ""
    assert not Path("runs").exists(), "nothing is made before the arguments are right"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", "--length", "-1"], "length must be"),
        (["generate", "--top-p", "0"], "top_p must be"),
        (["generate", "--temperature", "x"], "--temperature"),
        (["generate", "--prompts", "none.txt"], "no such file"),
        (["score", "none.txt"], "no such file"),
        (["score", "--text", ""], "must have text"),
        (["score", "--text", "a", "b.txt"], "without FILE"),
        (["score", "--text", "a", "--picture", "no/p.html"], "no"),
        (["predict"], "elman generate"),
    ],
)
def test_mistakes_with_a_model_are_said(words, message, run, capsys):
    verb, *rest = words
    assert elman(verb, run, *rest) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.parametrize("name", broken.REFUSED)
def test_a_broken_text_is_refused_and_leaves_nothing(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    data, words = broken.REFUSED[name]
    Path("b.txt").write_bytes(data)
    flags = [w for key, value in broken.SETTINGS.get(name, {}).items() for w in (f"--{key}", value)]
    assert elman("train", "language", "b.txt", *flags) == 2
    out, err = capsys.readouterr()
    assert err.startswith("elman: b.txt: ")
    assert all(word in err for word in words)
    assert out == ""
    assert not Path("runs").exists()


def test_subwords_without_the_library_say_what_to_install(file, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert elman("train", "language", file, "--tokens", "subwords") == 2
    assert "pip install 'elman[text]'" in capsys.readouterr().err


def test_help_says_each_flag_with_its_meaning_and_default(capsys):
    assert elman("train", "language", "--help") == 0
    text = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    for words in ("--tokens", "--hidden INT units of a recurrent layer.", "--minutes FLOAT"):
        assert words in text
    assert "object at 0x" not in text
    for verb, words in (("generate", "--min-p"), ("score", "--picture")):
        assert elman(verb, "--help") == 0
        assert words in capsys.readouterr().out


def test_what_is_written_comes_as_it_is_written_and_a_closed_pipe_is_no_error(run):
    script = "from elman.cli import main; main()"
    words = ["generate", str(run), "--length", "100000000"]
    with subprocess.Popen(
        [sys.executable, "-c", script, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert len(process.stdout.read(300)) == 300, "long before it is done"
        process.stdout.close()
        err = process.stderr.read().decode()
    assert process.returncode == 0, err
    assert "Traceback" not in err


def test_ctrl_c_ends_with_130_and_the_command_that_goes_on(file):
    words = ["train", "language", str(file), "--steps", "100000", "--hidden", "8"]
    script = "from elman.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", script, *words], stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr:
            if line.startswith("step 1/"):
                break
        process.send_signal(2)
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert f"elman train language --resume {RUN}" in rest
