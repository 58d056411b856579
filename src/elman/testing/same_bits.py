"""Check that what an engine makes of a row depends on that row alone, to the last bit.

torch's own matrix products, of W and x before a layer and of gradients after it, depend on how
many rows there are. So W is one in which they cannot: all products and sums of two are exact.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from elman.engine import use
from elman.nn import Recurrent
from elman.testing.case import Arguments, Case, Size, outcome
from elman.testing.sequences import identical, ragged
from elman.testing.surroundings import threads
from elman.testing.tolerance import Difference

# More rows than the engine runs side by side, and no multiple of that.
SIZES = (Size(13, 4, 1, 17), Size(29, 2, 1, 5))
QUICK = {torch.float64: SIZES[1], torch.float32: SIZES[0]}


def same_bits(case: Case, engine: str) -> Iterator[Difference]:
    """A row in a batch, alone, beside other rows, and by two threads: outputs and gradients."""
    gates, hidden = len(case.cell.gates), case.size.hidden
    if "raw" not in case.cell.inputs:
        case = replace(case, size=case.size._replace(input=max(1, (gates * hidden + 1) // 2)))
    layer = case.layer(bidirectional=True)
    make_exact_(layer)
    layer.requires_grad_(False)  # theirs are sums over rows
    for a in (case.arguments(layer), ragged(case.arguments(layer))):
        with use(engine):
            yield from _compared(layer, a)


def make_exact_(layer: Recurrent) -> None:
    """One power of two in each row of W, in each column at most two: nothing is rounded."""
    with torch.no_grad():
        for suffix in layer.suffixes:
            weight = getattr(layer, f"weight_ih_{suffix}")
            columns = weight.shape[1]
            for row, values in enumerate(weight.zero_()[: 2 * columns]):
                values[row % columns] = 0.5 if row % 3 else -1.0


def _compared(layer: Recurrent, a: Arguments) -> Iterator[Difference]:
    batch = a.x.shape[0]
    with threads(1):
        whole = outcome(layer, a)
    with threads(2):
        twice = outcome(layer, a)
    for name, value in whole.items():
        yield identical(f"2 threads instead of 1: {name}", twice[name], value)
    row = batch // 2
    for what, other, at in (("alone", _alone(a, row), 0), ("beside NaN", _beside(a, row), row)):
        found = outcome(layer, other)
        for name, value in whole.items():
            yield identical(f"row {row} {what}: {name}", found[name][at], value[row])


def _alone(a: Arguments, row: int) -> Arguments:
    rows = slice(row, row + 1)
    lengths = None if a.lengths is None else a.lengths[rows]
    return replace(a.part(rows, slice(None)), lengths=lengths)


def _beside(a: Arguments, row: int) -> Arguments:
    """The same row, and all others NaN."""
    others = torch.arange(a.x.shape[0]) != row
    x, grad_y = a.x.clone(), a.grad_y.clone()
    x[others], grad_y[others] = torch.nan, torch.nan
    return replace(a, x=x, grad_y=grad_y)
