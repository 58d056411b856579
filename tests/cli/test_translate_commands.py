"""`elman train translate`, predict and evaluate: the whole job, and every mistake."""

import contextlib
import gzip
import io
import json
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from command_line import elman

pytest.importorskip("tokenizers")
pytest.importorskip("sacrebleu")

TINY = ["--hidden", "8", "--embedding", "8", "--vocabulary", "280", "--no-feedforward"]
TINY += ["--batch-size", "8", "--beam", "2"]
SMALL = [*TINY, "--steps", "6", "--evaluate-every", "3", "--checkpoint-every", "1"]
RUN = Path("runs/translate-my_pairs-001")
GERMAN = ["eins", "zwei", "drei", "vier", "große", "Äpfel", "日本", "🎉"]
ENGLISH = ["one", "two", "three", "four", "large", "apples", "Japan", "party"]


def sides(count=60):
    draw = np.random.Generator(np.random.Philox(0))
    rows = [draw.choice(len(GERMAN), 3).tolist() for _ in range(count)]
    return [[" ".join(words[k] for k in row) for row in rows] for words in (GERMAN, ENGLISH)]


def table(count=60):
    return "".join(f"{a}\t{b}\n" for a, b in zip(*sides(count), strict=True))


def write_pairs(folder):
    path = folder / "my pairs.tsv"
    path.write_text(table(), encoding="utf-8")
    return path


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_pairs(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, made once."""
    folder = tmp_path_factory.mktemp("trained")
    with contextlib.chdir(folder):
        assert elman("train", "translate", write_pairs(folder), *SMALL) == 0
        return folder / RUN


@pytest.fixture
def run(file, trained):
    """A copy of it, beside the same pairs."""
    shutil.copytree(trained, RUN)
    settings = (RUN / "settings.toml").read_text()
    named = json.dumps([str(file)])
    (RUN / "settings.toml").write_text(re.sub("files = .*", f"files = {named}", settings))
    return RUN


def test_training_says_and_writes_everything(file, capfd):
    assert elman("train", "translate", file, *SMALL) == 0
    out, err = capfd.readouterr()
    assert re.match(r"GRU (does NOT beat|beats) the best baseline, \w+", out)
    assert all(name in out for name in ("dictionary", "memory", "copy", "chrF", "tok:13a"))
    assert "my pairs.tsv" in err
    assert f"elman predict {RUN} FILE" in err
    written = {path.name for path in RUN.iterdir()}
    names = {"model.safetensors", "settings.toml", "metrics.json", "history.jsonl", "report.html"}
    assert names <= written
    settings = tomllib.loads((RUN / "settings.toml").read_text())
    assert settings["data"]["files"] == [str(file)]
    assert settings["translate"]["hidden"] == 8
    metrics = json.loads((RUN / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["task"] == "translate"
    assert metrics["training"]["steps"] == 6
    report = (RUN / "report.html").read_text(encoding="utf-8")
    for words in ("Where it looked", "Samples", "IBM model 1", "Learning curve"):
        assert words in report
    assert any(word in report for word in ("große", "Äpfel", "日本", "🎉"))  # of what was held out


def test_aligned_files_zipped_or_not(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    german, english = ("\n".join(side).encode() for side in sides())
    Path("a.de.gz").write_bytes(gzip.compress(german))
    Path("a.en").write_bytes(english)
    flags = ["--validation", "a.de.gz,a.en", "--test", "a.de.gz,a.en"]
    assert elman("train", "translate", "a.de.gz", "a.en", *flags, *SMALL) == 0
    out, err = capfd.readouterr()
    assert "Test: 60 pairs" in out
    assert "60 of 60 sources of validation are in training too" in err
    data = tomllib.loads(Path("runs/translate-a-001/settings.toml").read_text())["data"]
    assert [Path(name).name for name in data["validation"]] == ["a.de.gz", "a.en"]


def test_settings_from_another_run(run, capfd):
    assert elman("train", "translate", "--config", run, "--steps", "1") == 0
    found = tomllib.loads(Path("runs/translate-my_pairs-002/settings.toml").read_text())
    assert found["translate"]["hidden"] == 8
    assert found["fit"]["steps"] == 1


def test_a_run_goes_on(run, capfd):
    assert elman("train", "translate", "--resume", run, "--steps", "8") == 0
    assert json.loads((run / "metrics.json").read_text())["training"]["steps"] == 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "7", "--hidden", "9"], "--hidden is fixed by the run that goes on"),
        (["--validation", "x.tsv"], "--resume goes on with the files and settings of the run"),
    ],
)
def test_a_run_that_cannot_go_on(run, capfd, words, message):
    assert elman("train", "translate", "--resume", run, *words) == 2
    assert message in capfd.readouterr().err


def test_a_run_does_not_go_on_with_other_pairs(run, file, capfd):
    file.write_text(table(61), encoding="utf-8")
    assert elman("train", "translate", "--resume", run, "--steps", "8") == 2
    assert "a run goes on with the pairs it began with" in capfd.readouterr().err


# Using it.


def test_a_file_is_translated_line_by_line(run, capfd):
    Path("letter.txt").write_text("eins zwei\n\ndrei\r\n", encoding="utf-8")
    assert elman("predict", run, "letter.txt") == 0
    out, _ = capfd.readouterr()
    lines = out.split("\n")
    assert len(lines) == 4
    assert lines[1] == lines[3] == ""
    assert elman("predict", run, "letter.txt", "-o", "out.txt") == 0
    assert Path("out.txt").read_text(encoding="utf-8") == out
    assert "Wrote out.txt: 3 lines" in capfd.readouterr().err


def test_standard_input_is_translated(run, capfd, monkeypatch):
    Path("letter.txt").write_text("eins zwei\n\ndrei", encoding="utf-8")
    assert elman("predict", run, "letter.txt") == 0
    expected = capfd.readouterr().out
    given = io.TextIOWrapper(io.BytesIO(b"eins zwei\n\ndrei"))
    monkeypatch.setattr("sys.stdin", given)
    assert elman("predict", run) == 0
    assert capfd.readouterr().out == expected


def test_a_text_is_translated(run, capfd):
    assert elman("predict", run, "--text", "eins") == 0
    assert capfd.readouterr().out.count("\n") == 1


def test_several_translations_are_rows(run, capfd):
    Path("letter.txt").write_text("eins zwei\n\ndrei", encoding="utf-8")
    flags = ["--n-best", "3", "--beam", "4", "--length-penalty", "0.5"]
    assert elman("predict", run, "letter.txt", *flags) == 0
    rows = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["1"] * 3 + ["2"] + ["3"] * 3
    scores = [float(row[1]) for row in rows[:3]]
    assert scores == sorted(scores, reverse=True)
    assert elman("predict", run, "letter.txt", "--n-best", "3") == 0


def test_a_model_file_will_do(run, capfd):
    assert elman("predict", run / "model.safetensors", "--text", "eins") == 0


def test_the_stored_table_and_that_of_other_pairs(run, file, capfd):
    assert elman("evaluate", run) == 0
    out, err = capfd.readouterr()
    assert "dictionary" in out
    assert "The table stored when it was trained" in err
    assert elman("evaluate", run, "--data", file, "--beam", "1") == 0
    out, err = capfd.readouterr()
    assert "Test: 60 pairs" in out
    german, english = sides(10)
    Path("a").write_text("\n".join(german), encoding="utf-8")
    Path("b").write_text("\n".join(english), encoding="utf-8")
    assert elman("evaluate", run, "--data", "a", "--target", "b") == 0
    assert "Test: 10 pairs" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["predict", RUN, "--text", "a", "--h", "3"], "--h is for forecasters; got a translator"),
        (["predict", RUN, "a", "--text", "a"], "--text must be given without FILE"),
        (["predict", RUN, "none.txt"], "none.txt: path: the file must exist"),
        (["predict", RUN, "--text", "a", "--beam", "0"], "beam must be 1 to 1,000; got 0"),
        (["predict", RUN, "--text", "a", "--n-best", "0"], "n_best must be 1 to 1,000; got 0"),
        (
            ["predict", RUN, "--text", "a", "--beam", "2", "--n-best", "3"],
            "n_best must not exceed beam",
        ),
        (["evaluate", RUN, "--target", "a"], "--target must be given with --data"),
        (["evaluate", RUN, "--dynamic"], "--dynamic is for language models; got a"),
        (["generate", RUN], "must hold a language model"),
    ],
)
def test_mistakes_in_using_it(run, capfd, words, message):
    assert elman(*words) == 2
    err = capfd.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_standard_input_in_another_encoding(run, capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"eins\ngr\xf6\xdfe\n")))
    assert elman("predict", run) == 2
    assert "standard input: line 2: the text must be UTF-8; got the byte 0xf6" in (
        capfd.readouterr().err
    )


# Broken inputs: names and contents of the files, and what is said, or None where it trains.

GOOD = table().encode()
LINES = GOOD.splitlines(keepends=True)
TWO = tuple("\n".join(side).encode() for side in sides())
BROKEN = {
    "no file": ({}, "t.tsv: path: the file must exist"),
    "empty": ({"t.tsv": b""}, "there must be pairs with text on both sides; got 0 lines"),
    "only empty lines": ({"t.tsv": b"\n \n\t\n"}, "got 3 lines, no pair"),
    "no tab": (
        {"t.tsv": b"".join(LINES).replace(b"\t", b" ")},
        "line 1: a pair is a source, a tab",
    ),
    "a tab in the text": (
        {"t.tsv": b"".join([*LINES[:6], b"a\tb\tc\n", *LINES[6:]])},
        "t.tsv: line 7: a pair is a source, a tab and its translation; got 3 fields; mend the line",
    ),
    "a tab missing": (
        {"t.tsv": b"".join([*LINES[:6], b"ab\n", *LINES[6:]])},
        "t.tsv: line 7: a pair is a source, a tab and its translation; got 1 field; mend",
    ),
    "a third field missing": (
        {"t.tsv": b"".join(line.rstrip() + b"\tx\n" for line in LINES) + b"a\tb\n"},
        "line 61: a pair is a source, a tab and its translation, and further fields in every line",
    ),
    "too few": ({"t.tsv": b"".join(LINES[:10])}, "training needs at least 20 pairs; got"),
    "one side empty everywhere": (
        {"t.tsv": b"".join(line.split(b"\t")[0] + b"\t\n" for line in LINES)},
        "there must be pairs with text on both sides; got 60 lines, no pair",
    ),
    "Latin-1": (
        {"t.tsv": GOOD.decode().replace("日本", "x").replace("🎉", "y").encode("latin-1")},
        "the text must be UTF-8; got the byte 0x",
    ),
    "UTF-16": ({"t.tsv": GOOD.decode().encode("utf-16")}, "the text must be UTF-8; got UTF-16"),
    "a NUL": ({"t.tsv": GOOD + b"a\0b\tc\n"}, "line 61: text has no NUL"),
    "a zip archive": ({"t.tsv": b"PK\x03\x04" + GOOD}, "got a zip archive or an office document"),
    "a picture": ({"t.tsv": b"\x89PNG\r\n" + GOOD}, "a text file is needed; got a picture"),
    "half a gzip": ({"t.tsv": gzip.compress(GOOD)[:-20]}, "a gzip file must be whole"),
    "a folder": ({"t.tsv/x": b""}, "a text file is needed; got a folder or device"),
    "unequal lines": (
        {"a": TWO[0], "b": TWO[1] + b"\nmore\nand more"},
        "a and b: line 61: line k of a is translated by line k of b; got 60 lines and 62",
    ),
    "one of two missing": ({"a": TWO[0]}, "b: path: the file must exist"),
    "one of two empty": ({"a": TWO[0], "b": b""}, "got 60 lines and 0"),
    "three files": ({"a": GOOD, "b": GOOD, "c": GOOD}, "FILE must be one table or two aligned"),
    "all too long": (
        {"t.tsv": b"".join(b"%d " % k + b"a b " * 60 + b"\tc\n" for k in range(60))},
        "sentences must have at most 100 tokens; got none that has",
    ),
    "a byte order mark": ({"t.tsv": b"\xef\xbb\xbf" + GOOD}, None),
    "ends of lines of Windows": ({"t.tsv": GOOD.replace(b"\n", b"\r\n")}, None),
    "some empty lines": ({"t.tsv": b"\n" + GOOD + b"\n\tx\n"}, None),
    "other separators of lines": ({"t.tsv": GOOD + "a\u2028b\x0cc\x85d\te\n".encode()}, None),
    "a line of 100,000 characters": ({"t.tsv": GOOD + b"a " * 50_000 + b"\tb\n"}, None),
    "a word of 100,000 characters": ({"t.tsv": GOOD + b"a" * 100_000 + b"\tb\n"}, None),
    "all the same": ({"a": b"a\n" * 60, "b": b"b\n" * 60}, "training needs at least 20 pairs"),
    "right to left and combining": (
        {"t.tsv": GOOD + "שלום עולם\tمرحبا\ne\u0301\ta\u0308\u0323\n".encode()},
        None,
    ),
    "markup": ({"t.tsv": GOOD + b"<script>alert(1)</script> $x^2$\t</pre>&amp;\n"}, None),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_inputs(name, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    contents, message = BROKEN[name]
    for path, raw in contents.items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_bytes(raw)
    files = [path.split("/")[0] for path in contents] or ["t.tsv"]
    files = ["a", "b"] if name == "one of two missing" else files
    code = elman("train", "translate", *files, *TINY, "--steps", "1")
    _, err = capfd.readouterr()
    assert "Traceback" not in err
    assert code == (0 if message is None else 2)
    if message is not None:
        assert message in err
        assert err.splitlines()[-1].startswith("elman: ")
        return
    report = next(Path("runs").glob("*/report.html")).read_text(encoding="utf-8")
    assert "<script" not in report


def test_no_file_is_named(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert elman("train", "translate") == 2
    assert "FILE must be one table or two aligned files; got 0" in capfd.readouterr().err


def test_the_help_names_every_flag(capfd):
    assert elman("train", "translate", "--help") == 0
    out = capfd.readouterr().out
    for flag in ("--validation", "--smoothing", "--word-dropout", "--beam", "--minutes", "--runs"):
        assert flag in out
