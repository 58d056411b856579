"""Checks of what a layer is given, and the clearing of padding."""

import numpy as np
import pytest
import torch

from elman.cells import GRU
from elman.nn import Recurrent
from elman.nn.sequence import as_lengths, as_reset, clear

X = torch.zeros(3, 5, 2)


@pytest.mark.parametrize(
    "lengths",
    [
        [5, 0, 2],
        (5, 0, 2),
        torch.tensor([5, 0, 2]),
        torch.tensor([5, 0, 2], dtype=torch.int32),
        torch.tensor([5, 0, 2], dtype=torch.uint8),
        pytest.param(np.array([5, 0, 2]), marks=pytest.mark.errors),
    ],
    ids=lambda v: f"{type(v).__name__} {getattr(v, 'dtype', '')}",
)
def test_lengths_of_every_kind(lengths) -> None:
    found = as_lengths(lengths, X)
    assert found.tolist() == [5, 0, 2]
    assert found.dtype == torch.int64


def test_no_lengths() -> None:
    assert as_lengths(None, X) is None
    assert as_reset(None, X) is None
    assert clear(X, None) is X


@pytest.mark.errors
@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([5, 2], ValueError, r"lengths must be \(3,\), one a row of x, got \(2,\)"),
        (torch.ones(3, 1).long(), ValueError, r"got \(3, 1\)"),
        (4, ValueError, r"got \(\)"),
        ([5.0, 2.0, 1.0], TypeError, "lengths must be integers, got torch.float32"),
        (torch.tensor([True, False, True]), TypeError, "lengths must be integers, got torch.bool"),
        ([5, 6, 2], ValueError, r"lengths\[1\] is 6; x has 5 steps, so 0 to 5"),
        ([5, 2, -1], ValueError, r"lengths\[2\] is -1; x has 5 steps, so 0 to 5"),
    ],
)
def test_lengths_that_do_not_fit(lengths, error, message) -> None:
    with pytest.raises(error, match=message):
        as_lengths(lengths, X)
    with pytest.raises(error, match=message):
        Recurrent(GRU, 2, 4)(X, lengths=lengths)


@pytest.mark.errors
@pytest.mark.parametrize(
    ("reset", "error", "message"),
    [
        (
            torch.zeros(3, 4, dtype=torch.bool),
            ValueError,
            r"reset must be \(batch, time\) = ",
        ),
        (torch.zeros(3, dtype=torch.bool), ValueError, r"got \(3,\)"),
        (
            torch.zeros(3, 5),
            TypeError,
            r"reset must be boolean, got torch.float32: write ",
        ),
    ],
)
def test_a_reset_that_does_not_fit(reset, error, message) -> None:
    with pytest.raises(error, match=message):
        as_reset(reset, X)
    with pytest.raises(error, match=message):
        Recurrent(GRU, 2, 4)(X, reset=reset)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 2), (3, 5, 2, 2)])
def test_clear_zeroes_what_lies_beyond_and_its_gradient(shape) -> None:
    x = torch.full(shape, torch.nan)
    lengths = torch.tensor([5, 0, 2])
    for row, n in enumerate(lengths):
        x[row, :n] = 1.0
    x.requires_grad_()
    cleared = clear(x, lengths)
    assert cleared.sum() == 7 * np.prod(shape[2:])
    cleared.sum().backward()
    assert x.grad.sum() == 7 * np.prod(shape[2:])
    assert (x.grad[1] == 0).all()


def test_no_rows_and_no_steps() -> None:
    layer = Recurrent(GRU, 2, 4, bidirectional=True)
    y, state = layer(torch.zeros(0, 5, 2), lengths=[])
    assert y.shape == (0, 5, 8)
    y, state = layer(torch.zeros(3, 0, 2), lengths=[0, 0, 0], reset=torch.zeros(3, 0).bool())
    assert y.shape == (3, 0, 8)
    assert state[1].h.shape == (3, 4)
