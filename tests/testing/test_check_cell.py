"""`check_cell`: what it returns, and what it says of a cell that breaks a promise."""

import warnings

import pytest
import torch

from elman import init
from elman.cells import GRU, Cell
from elman.ops import exp, maximum, mean, relu, sigmoid, tanh
from elman.testing import CellCheckFailed, check_cell

QUICK = {"dtypes": [torch.float64]}
QUICKEST = {"smooth": False, **QUICK}


class Everything(Cell):
    """Every part of a declaration at once, and no U."""

    gates = ("z", "n")
    recurrent = ()
    state = ("c", "top")
    params = {"tau": init.log_uniform(1, 100), "bend": init.constant(0.0)}
    constants = {"floor": 0.1}
    inputs = ("dt", "raw")

    def update(x, u, s, p):
        kept = exp(-x.dt / p.tau)
        c = kept * s.c + (1 - kept) * sigmoid(x.z) * (x.n - mean(x.n)) + p.bend * x.raw
        return c, maximum(s.top * sigmoid(x.z), p.floor)

    def read(s, x, p):
        return s.c / s.top, s.top * x.raw

    def start(p):
        return 0.0, 1 / p.tau


class Staged(Cell):
    """Two stages of U, whose rows are not the gates."""

    gates = ("r", "n")
    recurrent = ("r", "far")

    def update(x, u, s, p):
        r = sigmoid(x.r + u.r)
        return tanh(x.n + u.far(r * s.h)) + 0.5 * relu(r) * s.h


@pytest.mark.parametrize("cell", [Everything, Staged])
def test_every_part_of_a_declaration_is_checked(cell) -> None:
    report = check_cell(cell)
    assert report.worst <= 1
    assert report["finite differences"].notes == (
        "8 tensors" if cell is Everything else "6 tensors",
    )
    assert report["engines"].notes == ("native",)
    assert report["projection"].notes == ("refused, as it must be",)


def test_the_report_prints_as_a_table(leaky) -> None:
    report = check_cell(leaky, **QUICKEST)
    lines = str(report).splitlines()
    assert lines[0] == f"Leaky: {len(report.checks)} checks passed"
    assert lines[1].split() == ["check", "compared", "worst/allowed", "note"]
    assert len(lines) == len(report.checks) + 2
    with pytest.raises(KeyError, match="no check 'nope'; there are declared names, "):
        report["nope"]


def test_the_callers_random_state_is_left_alone(leaky) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check_cell(leaky, **QUICKEST)
    assert torch.equal(torch.rand(2), expected)


def test_slow_engines_are_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_cell(GRU, **QUICKEST)


@pytest.mark.errors
@pytest.mark.parametrize("wrong", ["GRU", 3, int])
def test_only_a_cell_class_is_checked(wrong) -> None:
    with pytest.raises(TypeError, match="check_cell: needs a Cell class, got "):
        check_cell(wrong)


# --- cells that break a promise ------------------------------------------------------------------


class Unread(Cell):
    gates = ("n", "z")

    def update(x, u, s, p):
        return tanh(x.n + u.n + u.z)


class OnTorchAlone(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return torch.tanh(x.n + u.n)


class Noisy(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return tanh(x.n + u.n) if torch.rand(()) < 0.5 else tanh(x.n - u.n)


class AcrossRows(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return tanh(x.n + u.n) * (1 + x.n.mean())


class Detached(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        h = s.h.detach() if isinstance(s.h, torch.Tensor) else s.h
        return tanh(x.n + u.n) + 0.5 * h


class Counting(Cell):
    gates = ("n",)
    calls = 0

    def update(x, u, s, p):
        Counting.calls += 1
        return tanh(x.n + u.n + 0.01 * (Counting.calls % 7))


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (Unread, "fails 'declared names' .*'z' is declared; nothing reads x.z"),
        (OnTorchAlone, "fails 'declared names' .*write it in the functions of elman.ops"),
        (Noisy, "Noisy fails "),
        (AcrossRows, "AcrossRows fails 'lengths'"),
        (Detached, "fails 'finite differences' .*gradients disagree with finite differences"),
        (Counting, "Counting fails "),
    ],
)
def test_a_cell_that_breaks_a_promise(cell, message) -> None:
    with pytest.raises(CellCheckFailed, match=message):
        check_cell(cell, **QUICK)


def test_any_other_error_says_what_was_being_checked() -> None:
    class Fragile(Cell):
        gates = ("n",)

        def update(x, u, s, p):
            if x.n.shape[0] == 2 and isinstance(x.n, torch.Tensor):
                raise RuntimeError("two rows")
            return tanh(x.n + u.n)

    with pytest.raises(RuntimeError, match="two rows") as caught:
        check_cell(Fragile, **QUICK)
    assert "while checking Fragile: 'finite differences' (float64, B=2" in caught.value.__notes__[0]
