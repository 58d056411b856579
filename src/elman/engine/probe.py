"""A trial step of a cell, so that a mistake in its equations is found when a layer is made."""

import torch

from elman.cells import Cell
from elman.engine.call import Weights
from elman.engine.step import Names, parameters, step


def output_width(cell: type[Cell], hidden: int, first: int) -> int:
    """How wide a layer's output is in one direction: H, P, or H times the values read out.

    Raises:
        ValueError, TypeError: one step of the cell fails, with the cell's name.
    """
    if first == 1 < hidden:
        # A projected state of one unit would broadcast, so that a read of it goes unseen.
        output_width(cell, 3, 2)
    gates, recurrent = len(cell.gates), len(cell.recurrent)
    weights = Weights(
        torch.zeros(gates * hidden, 1),
        weight_hh=torch.zeros(recurrent * hidden, first) if recurrent else None,
        weight_hr=torch.zeros(first, hidden) if first != hidden else None,
        params={name: torch.ones(hidden) for name in cell.params},
    )
    columns = {g: torch.zeros(1, hidden) for g in cell.gates}
    columns |= {name: torch.zeros(1, hidden) for name in cell.inputs}
    widths = [first, *(hidden for _ in cell.state[1:])]
    state = cell.State(*(torch.zeros(1, width) for width in widths))
    p = parameters(weights, dict(cell.constants))
    hint = " (proj_size needs an update that reads the first state through u alone)"
    hint = hint if first != hidden else ""
    try:
        output, new = step(cell, Names(**columns), state, p, weights)
    except (AttributeError, TypeError, RuntimeError) as error:
        raise ValueError(f"{cell.__name__}: a trial step fails: {error}{hint}") from error
    for name, value, width in zip(cell.state, new, widths, strict=True):
        if value.shape[-1] != width:
            raise ValueError(
                f"{cell.__name__}: state {name} becomes {value.shape[-1]} wide, not {width}{hint}"
            )
    return int(output.shape[-1])
