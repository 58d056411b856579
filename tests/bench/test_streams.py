"""The benchmarks of streams: equal numbers, small sizes."""

from argparse import Namespace

import pytest


@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_step_is_that_of_torch(bench, cell, batch):
    step = bench("step")
    record = step.run(cell, 6, batch, Namespace(rounds=1, threads=2))
    ours = {"elman"} if batch == 1 else {"elman", "elman by handle"}
    assert ours <= set(record["check"])
    assert all(record["check"][name] <= 1 for name in ours)
    text = step.verdict(record, (cell, 6, batch))
    assert ("us a stream" in text) == (batch > 1)


def test_a_wrong_step_is_not_timed(bench):
    step = bench("step")
    problem = step.Problem("GRU", 5, 1)
    right = {"torch": problem.of_cell(), "elman": problem.of_stream()}
    bench("contest").check(right, "torch", ["y"], 40)
    problem.x = problem.x * 1.01
    wrong = {"torch": step.Problem("GRU", 5, 1).of_cell(), "elman": problem.of_stream()}
    with pytest.raises(AssertionError, match="elman: y"):
        bench("contest").check(wrong, "torch", ["y"], 40)


def test_imports_and_latency_are_measured(bench):
    runtime = bench("runtime")
    found = runtime.measure(50, 1, 4)
    assert 0 < found["import elman_runtime"] <= found["import with Stream"]
    assert found["import with Stream"] < found["import, load, open"]
    for row in found["latency"].values():
        assert 0 < row["p50"] <= row["p99"] <= row["p99.9"] <= row["max"]
    assert found["bytes"] > 0


def test_a_pass_of_kills_is_judged(bench, tmp_path, monkeypatch):
    kill = bench("kill_stream")
    monkeypatch.setattr(kill, "ROWS", 300)
    monkeypatch.setattr(kill, "KILLS_A_PASS", 1)
    place = kill.Place(tmp_path, "runtime")
    alone = tmp_path / "alone.state"
    running = place.start(alone, alone.with_suffix(".csv"))
    running.communicate(timeout=60)
    assert running.returncode == 0
    record = kill.one_pass(place, 0, 0.3, alone)
    assert record["good"]
    assert record["missing"] == record["different"] == 0
    # A run left alone that is another one: seen.
    text = alone.with_suffix(".csv").read_text().splitlines()
    text[7] = text[8]
    alone.with_suffix(".csv").write_text("\n".join(text) + "\n")
    (tmp_path / "0.state").unlink()
    assert not kill.one_pass(place, 0, 0.3, alone)["good"]
    assert "FAILED" in kill.line(0, {**record, "good": False})
