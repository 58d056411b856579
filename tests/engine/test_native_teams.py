"""Few rows of many units: threads share out the units, and wait for each other at every product."""

from dataclasses import replace

import pytest
import torch

from elman.cells import builtin
from elman.engine import native_plain, use
from elman.testing.case import Case, Size, outcome
from elman_runtime import native

pytestmark = pytest.mark.skipif(
    not native.available, reason="elman-runtime was installed without its compiled module"
)
# In float64, 128 units are enough for two threads in every instruction set.
SIZE = Size(2, 3, 3, 131)
OWN = ("outputs", "final", "gradient of state")
"""What no product of torch's has a part in: its bits are the engine's own."""


def masked(case: Case, **options):
    """A layer in training with its masks drawn anew, but equal, for each run."""
    layer = case.layer(**options)

    def run(layer, a):
        torch.manual_seed(7)
        y, state = layer(a.x, a.state, lengths=a.lengths, reset=a.reset, **a.inputs)
        return y, state

    return layer, run


def results(layer, a, run, engine: str, threads: int):
    torch.set_num_threads(threads)
    with use(engine):
        return outcome(layer, a, run)


def held(case: Case, layer, a, run) -> None:
    """Two threads and three give the reference's numbers, and one thread's bits."""
    expected = results(layer, a, run, "reference", 1)
    alone = results(layer, a, run, "native", 1)
    for threads in (2, 3):
        found = results(layer, a, run, "native", threads)
        for name, value in found.items():
            if name.startswith(OWN):
                assert torch.equal(value, alone[name]), f"{threads} threads: {name}"
        for _ in case.agree(f"{threads} threads", found, expected):
            pass


@pytest.mark.parametrize("name", sorted(n for n, c in builtin().items() if c.recurrent))
def test_every_cell_that_multiplies_its_state(name, threads) -> None:
    case = Case(builtin()[name], SIZE, torch.float64)
    layer, run = masked(case)
    held(case, layer, case.arguments(layer), run)


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM", "MGU"])
def test_options(name, threads) -> None:
    case = Case(builtin()[name], SIZE._replace(batch=3), torch.float64)
    layer, run = masked(case, zoneout=0.3, state_dropout=0.4)
    reset = torch.tensor([[False, True, False]]).expand(3, 3)
    a = replace(case.arguments(layer), lengths=torch.tensor([3, 0, 2]), reset=reset)
    held(case, layer, a, run)


@pytest.mark.parametrize(
    "options", [{"proj_size": 129}, {"clip_steps": 0.1}, {"bidirectional": True}]
)
def test_what_needs_whole_rows_and_what_runs_backwards(options, threads) -> None:
    case = Case(builtin()["LSTM"], SIZE, torch.float64)
    layer, run = masked(case, **options)
    held(case, layer, case.arguments(layer), run)


def test_many_rows_of_a_matrix_beyond_the_cache(threads) -> None:
    case = Case(builtin()["GRU"], Size(9, 2, 3, 260), torch.float64)  # U has 1.6 MB
    layer, run = masked(case)
    held(case, layer, case.arguments(layer), run)


def test_input_weights_so_large_that_threads_share_their_packing(threads) -> None:
    case = Case(builtin()["GRU"], Size(2, 2, 300, 150), torch.float64)  # 450 is no whole panels
    layer, run = masked(case)
    a = replace(case.arguments(layer), lengths=None, reset=None)
    assert native_plain.serves(a.x)
    held(case, layer, a, run)


def test_the_units_of_a_scan_of_one_row(threads) -> None:
    case = Case(builtin()["LRU"], Size(1, 4, 3, 390), torch.float64)  # three parts of 130
    layer, run = masked(case)
    held(case, layer, case.arguments(layer), run)
