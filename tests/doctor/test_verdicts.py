"""The doctor on networks made ill in a known way, and on healthy ones (those of the benchmark)."""

import importlib
from pathlib import Path

import pytest
import torch

from elman.cells.lookup import builtin
from elman.doctor import examine
from elman.nn import Recurrent

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def networks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("doctor_networks")


ILL = [
    ("RNN, U x 0.1", "vanishing"),
    ("LSTM, forget bias -6", "vanishing"),
    ("GRU, all but six steps of memory needed", "vanishing"),
    ("RNN, U x 4", "exploding"),
    ("torch LSTM, U x 15", "exploding"),
    ("GRU, inputs x 1000", "inputs"),
    ("LSTM, inputs x 1e-6", "inputs"),
    ("LSTM, input gate closed", "stuck"),
    ("GRU, z open: nothing enters", "stuck"),
    ("RNNReLU, half of biases -10", "dead"),
    ("GRU, head reads the input", "ignored"),
    ("LSTM, output detached", "ignored"),
    ("GRU, Adam lr 1", "learning rate"),
    ("GRU, loss rises", "learning rate"),
    ("GRU, NaN in the inputs", "not finite"),
]


@pytest.mark.parametrize(("name", "kind"), ILL)
def test_an_illness_is_named_and_has_a_repair(networks, name, kind):
    _, make = networks.ILL[name]
    made = make(networks.Size(6, 40, 5, 14))
    found = examine(made.model, made.batch, **made.options)
    assert found.kinds == (kind,)
    assert found.status == 1
    verdict = found.verdicts[0]
    assert verdict.repair
    assert verdict.evidence
    assert verdict.words.endswith(".")


def test_healthy_networks_are_let_alone(networks):
    for name, (_, make) in networks.HEALTHY.items():
        if name.endswith("default") or "chrono" in name:
            made = make(networks.Size(6, 40, 5, 14))
            assert examine(made.model, made.batch, **made.options).kinds == (), name


@pytest.mark.parametrize("cell", list(builtin().values()))
def test_a_memory_that_is_too_short_has_a_line_that_mends_it(cell):
    """Every cell that can be started with a long memory; RNN, CfC, LayerNormGRU cannot."""
    torch.manual_seed(0)
    inputs = 24 if "raw" in cell.inputs else 3
    layer = Recurrent(cell, inputs, 24)
    more = {name: torch.rand(3, 90) for name in cell.inputs if name != "raw"}
    batch = {"x": torch.randn(3, 90, inputs), **more}
    found = examine(layer, batch, memory=80)
    if found.healthy:
        return
    line = found.verdicts[0].repair
    if cell.__name__ in ("RNN", "CfC", "LayerNormGRU"):
        assert "a cell with a forget gate" in line
        return
    assert line.startswith("elman.init.")
    exec(line, {"elman": importlib.import_module("elman"), "model": layer})
    assert examine(layer, batch, memory=80).healthy, line


REPAIRED = [
    ("RNN, U x 0.1", "elman.init.orthogonal_(model.weight_hh_l0)"),
    ("LSTM, forget bias -6", "elman.init.forget_bias_(model, 1.0)"),
    ("LSTM, U x 8", "elman.init.orthogonal_(model.weight_hh_l0, gates=4)"),
    ("GRU, inputs x 1000", "x = (x - x.mean((0, 1))) / x.std((0, 1))"),
    ("LSTM, input gate closed", "elman.init.recommended_(model)"),
    ("RNNReLU, bias -10", "elman.init.recommended_(model)"),
    ("RNNReLU, U x 1e20", "elman.init.orthogonal_(model.weight_hh_l0)"),
]


@pytest.mark.parametrize(("name", "line"), REPAIRED)
def test_the_repair_that_is_named_mends_it(networks, name, line):
    _, make = networks.ILL[name]
    made = make(networks.Size(6, 40, 5, 14))
    found = examine(made.model, made.batch, **made.options)
    assert line in found.verdicts[0].repair
    names = {"model": made.model, "elman": importlib.import_module("elman"), "torch": torch}
    names["x"] = made.batch["x"]
    exec(line, names)
    made.batch["x"] = names["x"]
    assert examine(made.model, made.batch, **made.options).healthy
