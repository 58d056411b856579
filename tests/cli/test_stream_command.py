"""`elman stream`, and the same without torch: rows in, rows out, killed and started again."""

import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import elman_runtime
import stream_models as models
from elman.cli import main
from elman.tasks.forecast import Forecaster
from elman_runtime import Stream

ROOT = Path(__file__).parents[2]


HEAD = "row,y.0,y.1"


@pytest.fixture
def model(tmp_path):
    return models.gru(tmp_path / "model.safetensors")


@pytest.fixture
def stream(monkeypatch, capfdbinary):
    """Runs `elman stream` on bytes; gives status, output and what was said."""

    def run(given, *words, verb="stream"):
        given = given.encode() if isinstance(given, str) else given
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with pytest.raises(SystemExit) as end:
            main(argv=[verb, *map(str, words)])
        out, err = capfdbinary.readouterr()
        return end.value.code, out, err.decode()

    return run


def csv_of(x):
    return "".join(",".join(map(str, row)) + "\n" for row in x)


def numbers(out):
    return np.array([line.split(",")[1:] for line in out.decode().splitlines()[1:]], np.float32)


def test_csv_goes_through_with_the_number_of_its_row(stream, model):
    x = models.noise(5)
    status, out, err = stream("a,b,c\r\n" + csv_of(x[:3]) + "\n \n" + csv_of(x[3:]), model)
    assert status == 0
    assert out.decode().splitlines()[0] == HEAD
    assert [line.split(",")[0] for line in out.decode().splitlines()[1:]] == list("01234")
    # In as few digits as give the same float32 back.
    assert np.array_equal(numbers(out), Stream(model).push(x))
    assert "program 'step', 3 numbers in a row (3 of x), out 2 of y, delay 0 rows" in err
    assert "a state of constant size" in err
    assert "5 rows taken; next comes row 5" in err


def test_the_three_formats_say_the_same(stream, model):
    x = models.noise(4)
    expected = Stream(model).push(x)
    lines = [json.dumps(x[0].tolist()), json.dumps({"x": x[1].tolist(), "id": 7})]
    lines += [json.dumps([[float(v)] for v in x[2]]), "", json.dumps(x[3].tolist())]
    _, out, _ = stream("\n".join(lines), model, "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["row"] for row in rows] == [0, 1, 2, 3]
    assert np.array_equal(np.array([row["y"] for row in rows], np.float32), expected)
    status, out, _ = stream(x.astype("<f4").tobytes(), model, "--format", "raw")
    assert status == 0
    found = [struct.unpack("<q2f", out[k : k + 16]) for k in range(0, len(out), 16)]
    assert [row[0] for row in found] == [0, 1, 2, 3]
    assert np.array_equal(np.array([row[1:] for row in found], np.float32), expected)
    _, mixed, _ = stream(csv_of(x), model, "--output-format", "raw")
    assert mixed == out


def test_columns_are_found_by_name(stream, model):
    x = models.noise(3)
    table = "".join(f"{k};{c};x;{a};{b}\n" for k, (a, b, c) in enumerate(x))
    words = ["--columns", "a,b,c", "--delimiter", ";"]
    status, out, _ = stream('time;"c";note;a;b\n' + table, model, *words)
    assert status == 0
    assert np.array_equal(numbers(out), Stream(model).push(x))
    status, _, err = stream("a;b\n1;2\n", model, *words)
    assert status == 2
    assert "line 1: the header must have the column 'c'; got a, b" in err
    status, _, err = stream("1,2,3\n", model, "--columns", "a,b,c")
    assert status == 2
    assert "line 1: must be a header, to find a, b, c" in err
    rows = "".join(json.dumps({"a": 1, "b": 2, "c": k}) + "\n" for k in range(2))
    status, out, _ = stream(rows, model, "--format", "jsonl", "--columns", "c,a,b")
    assert status == 0
    expected = Stream(model).push([[0, 1, 2], [1, 1, 2]])[1]
    assert np.array_equal(np.float32(json.loads(out.splitlines()[1])["y"]), expected)


def test_several_inputs_stand_side_by_side(stream, tmp_path):
    model = models.several(tmp_path / "m.safetensors")
    status, out, err = stream("3,1,2,3\n10,0,0,1\n", model)
    assert status == 0
    assert "4 numbers in a row (token, 3 of x), out 2 of y, 8 of squashed" in err
    assert out.decode().startswith("row,y.0,y.1,squashed.0,")
    y, _ = Stream(model).push((np.array([3, 10]), [[1, 2, 3], [0, 0, 1]]))
    assert np.array_equal(numbers(out)[:, :2], y)
    for token, words in (("11", "must be 0 to 10; got 11"), ("1.5", "must be whole numbers")):
        status, _, err = stream(f"3,1,2,3\n{token},0,0,1\n", model)
        assert status == 2
        assert "line 2: " in err
        assert words in err


def test_a_window_gives_nan_until_it_is_full(stream, tmp_path):
    model = models.window(tmp_path / "m.safetensors")
    x = models.noise(6, models.SERIES)
    status, out, err = stream(csv_of(x), model)
    assert status == 0
    assert "remembers the last 5 rows" in err
    assert np.array_equal(numbers(out), Stream(model).push(x).reshape(6, -1), equal_nan=True)
    _, out, _ = stream(csv_of(x), model, "--output-format", "jsonl")
    assert json.loads(out.splitlines()[0])["y"][0] == [None, None]


@pytest.mark.parametrize("missing", ["", "nan", "NA", "inf", "-inf", "null", "1e60"])
def test_what_is_not_finite_is_refused_held_or_skipped(stream, model, missing):
    text = f"1,2,3\n4,{missing},6\n7,8,9\n"
    status, out, err = stream(text, model)
    assert status == 2
    assert "elman: line 2: x: 'x' must be finite; got" in err
    assert "next comes row 1" in err
    assert len(out.splitlines()) == 2
    for on_bad, rows in (("hold", [0, 0, 2]), ("skip", [0, 2])):
        status, out, err = stream(text, model, "--on-bad", on_bad)
        assert status == 0
        assert "3 rows taken, 1 of them not finite" in err
        x = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)[rows]
        assert np.array_equal(numbers(out)[-1], Stream(model).push(x)[-1])


@pytest.mark.parametrize(
    ("given", "words", "said"),
    [
        ("1,2,3\n1,2\n", [], "line 2: must have 3 values (3 of x); got 2"),
        ("1,2\n1,2\n", [], "line 1: must have 3 values"),
        ("1,2,3\n\n1,b,3\n", [], "line 3: column 2: must be a number; got 'b'"),
        ("1,2,1_0\n1,2,3\n", ["--header", "no"], "line 1: column 3: must be a number"),
        (b"1,2,3\n1,\xff,3\n", [], "line 2: must be UTF-8; got the byte 0xff"),
        ('1,2,3\n1,"2,3\n', [], "line 2: must be a row of CSV"),
        ("[1,2,3]\n[1,2\n", ["--format", "jsonl"], "line 2: must be JSON"),
        ("[1,2,3]\n" + "[" * 9999 + "\n", ["--format", "jsonl"], "line 2: must be JSON"),
        ("[1,2,3]\n[1,2]\n", ["--format", "jsonl"], "line 2: must have 3 values"),
        ('[1,2,3]\n{"y": 1}\n', ["--format", "jsonl"], "line 2: must have 'x'; got ['y']"),
        ('[1,2,"3"]\n', ["--format", "jsonl"], "line 1: must hold numbers; got '3'"),
        ("[1,2,true]\n", ["--format", "jsonl"], "line 1: must hold numbers; got True"),
        (b"\0" * 17, ["--format", "raw"], "byte 12: a row must be 12 bytes; got 5 at the end"),
        ("", ["--format", "xml"], "--format must be one of csv, jsonl, raw; got 'xml'"),
        ("", ["--output-format", "xml"], "--output-format must be one of"),
        ("", ["--on-bad", "drop"], "on_bad must be one of raise, hold, skip"),
        ("", ["--save-every", "0"], "--save-every must be 1 row or more"),
        ("", ["--delimiter", "::"], "--delimiter must be one character"),
        ("", ["--resume"], "--resume goes with --state FILE"),
        ("", ["--columns", "a,b"], "--columns must name 3 (3 of x); got 2"),
        ("", ["--program", "main"], "needs the end of a sequence; use program='step'"),
    ],
)
def test_mistakes_name_the_line_and_the_repair(stream, model, given, words, said):
    status, _, err = stream(given, model, *words)
    assert status == 2
    assert f"elman: {said}" in err or said in err.splitlines()[-1]
    assert "Traceback" not in err


def test_no_rows_are_no_mistake(stream, model):
    status, out, err = stream("", model)
    assert (status, out.decode()) == (0, HEAD + "\n")
    assert "0 rows taken; next comes row 0" in err
    status, out, _ = stream("\ufeffa,b,c\n1,2,3", model, "--header", "yes")
    assert status == 0
    assert len(out.splitlines()) == 2


def test_a_folder_of_a_run_will_do(stream, model, tmp_path):
    assert stream("1,2,3\n", tmp_path)[0] == 0
    status, _, err = stream("1,2,3\n", tmp_path / "none")
    assert status == 2
    assert "cannot read" in err


def test_the_state_is_gone_on_from(stream, model, tmp_path):
    x, kept = models.noise(10), tmp_path / "s.state"
    words = [model, "--state", kept, "--save-every", 3]
    whole = stream(csv_of(x), model)[1]
    status, first, err = stream(csv_of(x[:4]), *words)
    assert "s.state: is not there yet; next comes row 0" in err
    assert f"4 rows taken; next comes row 4; state saved in {kept}" in err
    status, second, err = stream(csv_of(x[4:7]), *words)
    assert "s.state: next comes row 4; the input must begin there" in err
    status, third, err = stream("a,b,c\n" + csv_of(x), *words, "--resume")
    assert "s.state: next comes row 7; those before it are passed over" in err
    assert status == 0
    assert first + second + third == whole
    status, _, err = stream(csv_of(x[:9]), *words, "--resume")
    assert status == 2
    assert "the input must have the 10 rows that the state has taken; got 9" in err
    # A row that is wrong ends it, and what came before is kept.
    kept.unlink()
    assert stream(csv_of(x[:5]) + "oh\n", *words)[0] == 2
    assert Stream.load(kept, model).count == 5
    assert Stream.load(kept, model).note == {"rows": 5}


def test_the_state_of_another_model_is_refused(stream, model, tmp_path):
    kept = tmp_path / "s.state"
    assert stream("1,2,3\n", model, "--state", kept)[0] == 0
    before = kept.read_bytes()
    other = models.gru(tmp_path / "other.safetensors", seed=3)
    status, _, err = stream("1,2,3\n", other, "--state", kept)
    assert status == 2
    assert "must be of this model" in err
    kept.write_bytes(before[:-1])
    status, _, err = stream("1,2,3\n", model, "--state", kept)
    assert status == 2
    assert "checksum" in err
    assert "Traceback" not in err


def test_a_forecaster_goes_on_from_the_end_of_a_series(stream, tmp_path):
    times = np.arange("2024-01-01", "2024-03-11", dtype="datetime64[D]")
    values = 10 + np.sin(np.arange(len(times)) * 2 * np.pi / 7)
    table = {"unique_id": ["a"] * len(times), "ds": times, "y": values}
    forecaster = Forecaster(h=3, hidden=4, steps=4, freq="1d").fit(table)
    path = tmp_path / "model.safetensors"
    forecaster.save(path)
    known = forecaster.stream()
    expected = [known.step([v]) for v in (9.0, 11.0)]
    expected = [one[0] if isinstance(one, tuple) else one for one in expected]
    kept = ["--state", tmp_path / "s.state"]
    status, first, err = stream("9\n", path, *kept)
    assert status == 0
    assert "next comes row 1" in err
    status, second, _ = stream("9\n11\n", path, *kept, "--resume", "--series", "a")
    assert status == 0
    rows = (first + second).decode().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["0", "1"]
    for row, wanted in zip(rows, expected, strict=True):
        assert np.array_equal(np.float64(row.split(",")[1:4]), wanted)
    status, _, err = stream("", path, "--series", "b")
    assert status == 2
    assert "series must be one of 'a'; got 'b'" in err


def test_only_forecasters_have_series(stream, model):
    status, _, err = stream("", model, "--series", "a")
    assert status == 2
    assert "--series is for forecasters" in err


# --- processes -----------------------------------------------------------------------------------


def process(model, *words, **more):
    """`python -m elman_runtime stream`, as a program of its own that has no torch."""
    command = [sys.executable, "-m", "elman_runtime", "stream", str(model), *map(str, words)]
    path = str(Path(elman_runtime.__file__).parents[1])
    more = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, **more)


def test_the_program_without_torch_does_the_same(stream, model):
    x = csv_of(models.noise(4))
    _, expected, said = stream(x, model)
    out, err = (running := process(model)).communicate(x.encode(), timeout=60)
    assert (running.returncode, out) == (0, expected)
    assert err.decode() == said.replace("elman:", "elman_runtime:")
    out, err = (running := process(model, "--columns", "a,b")).communicate(b"", timeout=60)
    assert running.returncode == 2
    assert b"elman_runtime: --columns must name 3" in err
    assert b"Traceback" not in err


def test_a_row_is_answered_before_the_next_is_there(model):
    with process(model) as running:
        for k in range(3):
            running.stdin.write(b"1,2,3\n")
            running.stdin.flush()
            if k == 0:
                assert running.stdout.readline() == f"{HEAD}\n".encode()
            assert running.stdout.readline().startswith(f"{k},".encode())
        running.stdin.close()
        assert running.wait(60) == 0
        running.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(model, tmp_path, number):
    kept = tmp_path / "s.state"
    with process(model, "--state", kept) as running:
        running.stdin.write(b"1,2,3\n4,5,6\n")
        running.stdin.flush()
        for _ in range(3):
            running.stdout.readline()
        running.send_signal(number)  # it waits for a row now
        assert running.wait(60) == 128 + number
        said = running.stderr.read().decode()
    assert f"stopped by {number.name}; 2 rows taken; next comes row 2; state saved" in said
    assert "Traceback" not in said
    assert Stream.load(kept, model).count == 2


def test_a_reader_that_goes_is_no_mistake(model, tmp_path):
    kept = tmp_path / "s.state"
    with process(model, "--state", kept) as running:
        running.stdout.close()
        _, err = b"", b""
        try:
            running.stdin.write(b"1,2,3\n" * 5)
            running.stdin.close()
        except BrokenPipeError:
            pass
        assert running.wait(60) == 0
        err = running.stderr.read()
    assert b"Traceback" not in err
    assert not kept.exists()  # nobody has the outputs: they come again


def test_killed_at_random_moments_nothing_is_lost_or_doubled(model, tmp_path):
    x = models.noise(4000)
    given, kept = tmp_path / "in.csv", tmp_path / "s.state"
    given.write_text(csv_of(x))
    expected = Stream(model).push(x)
    found, draw, kills = {}, random.Random(5), 0
    for _ in range(60):
        path = tmp_path / "out.csv"
        with given.open("rb") as source, path.open("wb") as sink:
            words = ["--state", kept, "--save-every", 150, "--resume"]
            running = process(model, *words, stdin=source, stdout=sink, stderr=subprocess.DEVNULL)
            if kills < 6:
                limit = time.monotonic() + 60
                while path.stat().st_size == 0 and time.monotonic() < limit:
                    time.sleep(0.001)
                time.sleep(draw.uniform(0, 0.03))
                running.kill()
                kills += running.wait() == -signal.SIGKILL
            else:
                assert running.wait(60) == 0
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n") and not line.startswith("row"):
                row, *values = line.strip().split(",")
                values = np.float32(values)
                # What was written twice was written alike.
                assert np.array_equal(found.setdefault(int(row), values), values)
        if running.returncode == 0:
            break
    assert kills >= 3
    assert list(found) == list(range(len(x)))
    assert np.array_equal(np.array([found[k] for k in range(len(x))]), expected)
    assert Stream.load(kept, model).count == len(x)
