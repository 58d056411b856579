"""Checks of the NumPy path, of projection and of the order of dropout, against a NumPy layer."""

from collections.abc import Iterator
from typing import Any

import torch

from elman.cells import Cell
from elman.engine import use
from elman.nn import Masks, Recurrent
from elman.testing.case import Case, State
from elman.testing.numpy_twin import NumpyLayer
from elman.testing.reads import reads
from elman.testing.tolerance import Difference

Findings = Iterator[Difference | str]


def numpy(case: Case) -> Findings:
    """`update` and `read` on NumPy arrays give what they give on tensors, in the same precision."""
    for bias in (True, False):
        layer = case.layer(bias=bias)
        for wide in (False, True):
            yield from _against_numpy(case, layer, None, wide=wide)


def regularisation(case: Case) -> Findings:
    """In order: state dropout on what U multiplies, U, update, projection, zoneout, store."""
    proj_size = case.size.hidden // 2 if takes_projection(case.cell) else 0
    layer = case.layer(proj_size=proj_size, zoneout=0.3, state_dropout=0.4, weight_drop=0.2)
    masks = layer.draw_masks(case.size.batch, case.size.time)
    yield from _against_numpy(case, layer, masks)
    yield from _against_numpy(case, layer.eval(), None)
    if not case.cell.recurrent:
        yield "no U to drop from"


def projection(case: Case) -> Findings:
    """`proj_size` is refused where `update` reads the first state other than through u."""
    sizes = {1, case.size.hidden // 2, case.size.hidden - 1} - {0}
    sizes = {size for size in sizes if size < case.size.hidden}
    if takes_projection(case.cell):
        for size in sizes:
            yield from _against_numpy(case, case.layer(proj_size=size), None)
        return
    for size in sizes:
        _refused(case, size)
    yield "refused, as it must be"


def _refused(case: Case, size: int) -> None:
    try:
        case.layer(proj_size=size)
    except ValueError:
        return
    raise AssertionError(f"proj_size={size} was taken, though update reads s.{case.cell.state[0]}")


def takes_projection(cell: type[Cell]) -> bool:
    """Whether the first state may have a size of its own: only U reads it, and nothing else."""
    found = reads(cell)
    return bool(cell.recurrent) and cell.state[0] not in found["s"] and not found["u of"]


def _against_numpy(
    case: Case, layer: Recurrent, masks: Masks | None, *, wide: bool = False
) -> Findings:
    a = case.arguments(layer.eval() if masks is None else layer, wide=wide)
    assert a.state is not None
    with torch.no_grad(), use("reference"):
        y, final = layer(a.x, a.state, masks=masks, **a.inputs)
    expected, last = NumpyLayer(layer, masks).run(a.x, a.state[0], a.inputs)
    if expected.dtype != y.numpy().dtype:
        raise AssertionError(f"NumPy: {expected.dtype} from {y.dtype}")
    yield from case.agree("NumPy", _named(layer, y, final), _named(layer, expected, (tuple(last),)))


def _named(layer: Recurrent, y: Any, final: State) -> dict[str, Any]:
    states = zip(layer.cell.state, final[0], strict=True)
    return {"outputs": y} | {f"final state {name}": leaf for name, leaf in states}
