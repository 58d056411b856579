"""The grid of layers: its points, that all contestants agree, and what is printed of them."""

import dataclasses
import subprocess
import sys
from argparse import Namespace
from typing import NamedTuple
from xml.etree import ElementTree

import pytest


@pytest.fixture
def layers(bench):
    return bench("layers")


@pytest.fixture
def table(bench):
    return bench("layers_table")


def given(**changed):
    cells = ["RNN", "GRU", "LSTM"]
    everything = {"hidden": None, "batch": None, "cells": cells, "mode": ["train", "infer"]}
    return Namespace(**{**everything, **changed})


def test_operations_are_those_counted_by_hand(layers):
    # A GRU of 2 units, one row and step: 3 gates of 2 rows, each 2 + 2 products and as many sums.
    assert layers.Point("GRU", 2, 1, 1, "infer").flops == 3 * 2 * (2 + 2) * 2
    assert layers.Point("GRU", 2, 5, 7, "train").flops == 3 * 5 * 7 * 48
    # With a projection to one unit: 4 gates of 2 rows see 2 + 1, and one row sees 2.
    assert layers.Point("LSTM", 2, 1, 1, "infer", projection=1).flops == (4 * 2 * 3 + 2) * 2


def test_the_grid_is_whole_and_flags_choose_from_it(layers, table):
    every = layers.points(given())
    assert len(every) == len(set(every)) == 2 * (3 * 4 * 4 + len(layers.EXTRA))
    kept = table.grid([dataclasses.asdict(point) for point in every])
    assert len(kept) == 2 * 3 * 4 * 4
    some = layers.points(given(hidden=[512], batch=[16, 64], cells=["LSTM"], mode=["train"]))
    assert [(p.batch, p.steps) for p in some] == [(16, 100), (64, 100), (64, 100), (16, 25)]


def points(layers):
    yield from (layers.Point(cell, 6, 3, 5, mode) for cell in layers.GATES for mode in layers.MODES)
    yield layers.Point("GRU", 6, 3, 5, dtype="float64")
    yield layers.Point("LSTM", 6, 3, 5, projection=2)
    yield layers.Point("LSTM", 6, 3, 5, "infer", projection=2)


def test_all_contestants_agree_at_every_kind_of_point(layers):
    asked = Namespace(peers=["jax", "onnxruntime"], rounds=1, recurrent=True)
    for point in points(layers):
        record = layers.run(point, asked)
        assert set(record["seconds"]) >= {"elman", "torch", "Recurrent"}, point
        # Who has no time has a reason, and the other way round.
        peers = {"JAX", "ONNX Runtime"}
        assert peers == (set(record["seconds"]) & peers) | set(record["absent"]), point
        assert set(record["check"]) == set(record["seconds"]) - {"torch"}, point
        assert record["engine"] in layers.elman.engine.ENGINES


@pytest.mark.parametrize("block", [0, 1])
def test_swapped_gates_are_not_timed(layers, block):
    point = layers.Point("GRU", 6, 3, 5)
    problem = layers.Problem(point)
    weight = problem.ours.weight_hh_l0.data.view(3, 6, 6)
    weight[[block, block + 1]] = weight[[block + 1, block]]
    pair = {name: problem.of_torch(getattr(problem, name)) for name in ("ours", "theirs")}
    with pytest.raises(AssertionError, match="ours: y"):
        layers.measure(
            {name: lambda name=name: pair[name] for name in pair},
            reference="theirs",
            labels=point.labels,
            terms=point.terms,
            rounds=1,
        )


class Timing(NamedTuple):
    median: float
    low: float
    high: float


def timing(seconds):
    return Timing(seconds, seconds, seconds)


def record(cell, hidden, batch, mode, ours, theirs, jax=None, **more):
    seconds = {"elman": timing(ours), "torch": timing(theirs)}
    if jax:
        seconds["JAX"] = timing(jax)
    shape = {"cell": cell, "hidden": hidden, "batch": batch, "steps": 100, "mode": mode}
    rest = {"dtype": "float32", "projection": 0, "flops": 10**9, "engine": "native", "absent": {}}
    return {**shape, **rest, "seconds": seconds, "peak": {"fma": None, "mm": 1e11}, **more}


def test_a_line_has_ratios_to_torch_and_to_the_fastest_and_the_share_of_the_peak(table):
    line = table.line(record("GRU", 64, 1, "train", 0.02, 0.08, 0.01))
    words = line.split()
    assert words[:6] == ["train", "GRU", "H", "64", "B", "1"]
    assert words[-4:] == ["4.00", "0.50", "50.0", "0.50"]
    fma = table.line(record("GRU", 64, 1, "train", 0.02, 0.08, peak={"fma": 2e11, "mm": 1e11}))
    assert fma.split()[-4:] == ["4.00", "4.00", "50.0", "0.25"]


def test_means_are_geometric_and_by_cell_and_batch(table):
    records = [
        record("GRU", 64, 1, "train", 0.01, 0.02, 0.005),
        record("GRU", 128, 1, "train", 0.01, 0.08),
        record("GRU", 64, 32, "train", 0.01, 0.03),
        record("GRU", 64, 128, "train", 0.01, 0.03),
        record("GRU", 64, 1, "train", 1.0, 0.1, dtype="float64"),
        record("GRU", 800, 1, "train", 1.0, 0.1),
    ]
    rows = [row.split() for row in table.summary(records).splitlines() if row[:4] == "GRU "]
    # 2 and 8 times faster than torch; half and 8 times as fast as the fastest peer.
    assert rows[0] == ["GRU", "train", "B", "=", "1", "2", "4.00", "8", "15", "2.00", "0.50"]
    assert rows[1][4:] == ["32", "2", "3.00", "1.7", "2.2", "3.00", "3.00"]
    assert len(rows) == 2


def test_what_is_slower_than_the_fastest_peer_is_named_worst_first(table):
    records = [
        record("GRU", 64, 1, "train", 0.01, 0.02, 0.0091),
        record("LSTM", 64, 8, "infer", 0.01, 0.02, 0.0089),
        record("RNN", 64, 8, "infer", 0.01, 0.005, 0.02),
        record("LSTM", 64, 8, "infer", 0.01, 0.001, dtype="float64"),
    ]
    text = table.summary(records)
    at = text.index("any point below 0.9 of the fastest peer: 2")
    worst, second = text[at:].splitlines()[1:3]
    assert worst.startswith("  infer RNN  H 64  B 8   T 100: 0.50 of torch")
    assert second.startswith("  infer LSTM H 64  B 8   T 100: 0.89 of JAX")
    assert "T 100 float64: 0.10 x torch" in text


def test_who_took_no_part_is_in_the_summary(table):
    absent = {"JAX": "not installed"}
    text = table.summary([record("GRU", 64, b, "train", 1, 2, absent=absent) for b in (1, 8)])
    assert "no time of JAX: not installed (2 points)" in text


def test_the_picture_is_drawn_from_the_grid(table, tmp_path):
    records = [
        record(cell, hidden, batch, "train", 0.01, 0.02, 0.015)
        for cell in ("RNN", "GRU")
        for hidden in (64, 128)
        for batch in (1, 8)
    ]
    text = table.draw(records, tmp_path / "images" / "layers.svg").read_text()
    ElementTree.fromstring(text)
    assert "GRU, times faster than torch" in text
    with pytest.raises(SystemExit, match="no point"):
        table.draw(records[:0], tmp_path / "none.svg")


def test_a_refused_point_is_said_and_the_rest_goes_on(layers, monkeypatch, capsys):
    def run(point, _):
        assert point.mode != "train", "elman: y[0]: got 1, expected 2"
        return record("GRU", 4, 2, "infer", 0.01, 0.02)

    asked = given(hidden=[4], batch=[2], cells=["GRU"], picture=False, recurrent=False)
    other = {"threads": 1, "engine": None, "again": True, "append": False, "peers": []}
    monkeypatch.setattr(layers, "flags", lambda: Namespace(**vars(asked), **other))
    monkeypatch.setattr(layers, "limit", lambda _: "")
    monkeypatch.setattr(layers, "run", run)
    assert layers.main() == 1
    out = capsys.readouterr().out
    assert "not timed: elman: y[0]: got 1, expected 2" in out
    assert "infer GRU  H 4   B 2   T 100" in out


def test_the_command_runs_where_the_peers_are_not_asked_for(layers):
    flags = ["--hidden", "4", "--batch", "2", "--cells", "GRU", "--rounds", "1", "--threads", "1"]
    done = subprocess.run(
        [sys.executable, layers.__file__, *flags, "--peers"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "infer GRU  H 4   B 2   T 100" in done.stdout
    assert "no time of JAX: not asked for (2 points)" in done.stdout
