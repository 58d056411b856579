"""The benchmarks of a cell of one's own, of scans, and of the peak."""

from argparse import Namespace

import pytest
import torch


def test_the_cell_of_ones_own_is_what_is_written_by_hand(bench):
    custom = bench("custom_cell")
    flags = Namespace(batch=3, steps=5, hidden=6, rounds=1, compile=False)
    record = custom.run(flags)
    assert record["check"]["elman"] <= 1
    assert record["flops"] == 3 * 3 * 5 * 3 * 6 * (6 + 6) * 2
    assert record["absent"]["loop, torch.compile"] == "not asked for (--compile)"


def test_a_wrong_cell_of_ones_own_is_not_timed(bench, monkeypatch):
    custom = bench("custom_cell")

    def loop(x, h, *weights):
        y, h = custom.loop(x, h, *weights)
        return y, h * 1.001

    problem = custom.Problem(3, 5, 6)
    pair = {"elman": problem.of_elman(), "loop": problem.of_loop(loop)}
    with pytest.raises(AssertionError, match="elman: h"):
        bench("contest").check(pair, "loop", custom.LABELS, 50)


@pytest.mark.parametrize("cell", ["MinGRU", "LRU"])
@pytest.mark.parametrize("size", [(2, 37, 5, 5), (1, 1, 1, 1), (3, 64, 4, 1)])
def test_every_form_of_a_scan_is_the_cell(bench, cell, size):
    scan = bench("scan")
    record = scan.run(cell, scan.Size(*size), Namespace(rounds=1))
    strict = {name for name in record["check"] if name != "log space"}
    assert all(record["check"][name] <= 1 for name in strict)
    assert set(record["eager"]) | {"elman", "W x alone"} <= set(record["seconds"])


def test_the_verdict_on_a_scan_takes_the_product_out(bench):
    scan, timing = bench("scan"), bench("timing").Timing
    times = {"elman": 3.0, "loop": 8.0, "doubling": 6.0, "W x alone": 2.0, "JAX scan": 1.0}
    seconds = {name: timing(t, t, t) for name, t in times.items()}
    record, layer = {"seconds": seconds, "eager": ["loop", "doubling"]}, scan.Size(8, 9, 4, 4)
    text = scan.verdict(record, layer)
    assert "best eager form, doubling: 2.00 x (reach 5, stretch 15; W x allows 3.0 x)" in text
    assert text.endswith("without W x 4.0 x")
    # The targets are those of a layer.
    alone = layer._replace(inputs=1)
    assert "doubling: 2.00 x (W x allows 3.0 x)" in scan.verdict(record, alone)
    assert str(layer) == "B 8 T 9 C 4, the layer, I = 4"
    assert str(alone) == "B 8 T 9 C 4, the recurrence alone, I = 1"


def test_the_forms_of_a_scan_by_hand(bench):
    scan = bench("scan")
    a = torch.tensor([0.5, 0.25, 2.0])[:, None, None]
    b = torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    for form in (scan.loop, scan.doubling):
        assert form(a, b, torch.tensor([[4.0]])).flatten().tolist() == [3.0, 2.75, 8.5]


def test_the_peak_is_the_native_limit_where_there_is_one(bench, monkeypatch):
    peak = bench("peak")
    real = peak.importlib.import_module

    def module(**has):
        found = Namespace(**has)
        swap = {"elman_runtime._native": found}
        return lambda name: swap[name] if name in swap else real(name)

    monkeypatch.setattr(peak.importlib, "import_module", module())
    assert peak.fma_peak(2) is None
    monkeypatch.setattr(peak.importlib, "import_module", module(fma_peak=lambda t: t * 1e11))
    assert peak.fma_peak(2) == 2e11
    assert peak.fma_peak(2, torch.float64) == 1e11
    assert peak.limit_of({"fma": 2e11, "mm": 1e11}) == (2e11, "FMA limit")
    assert peak.limit_of({"fma": None, "mm": 1e11}) == (1e11, "best torch.mm")


def test_the_rate_of_a_product_is_positive_for_every_shape(bench, monkeypatch):
    peak = bench("peak")
    monkeypatch.setattr(peak, "SHAPES", ((4, 5, 6), (7, 8, 9)))
    rates = peak.mm_rates(rounds=1)
    assert list(rates) == ["4x5x6", "7x8x9"]
    assert min(rates.values()) > 0
