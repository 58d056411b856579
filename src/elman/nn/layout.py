"""The parameters that a layer of a cell has: their names and shapes."""

from typing import Any

import torch
from torch import Tensor, nn

from elman.cells import Cell


def check_sizes(cell: type[Cell], input_size: int, hidden_size: int, proj_size: int) -> None:
    """Refuse a cell that no input enters, and sizes that do not go together."""
    if proj_size >= hidden_size:
        raise ValueError(
            f"proj_size: must be smaller than hidden_size = {hidden_size}, got {proj_size}"
        )
    if proj_size and not cell.recurrent:
        raise ValueError(
            f"proj_size: must be 0, for it narrows what U multiplies and {cell.__name__} has no U, "
            f"got {proj_size}"
        )
    if not cell.gates:
        raise ValueError(f"{cell.__name__} has no gates, so no input enters it")
    if "raw" in cell.inputs and input_size != hidden_size:
        raise ValueError(
            f"{cell.__name__} reads x.raw, which needs input_size = hidden_size; "
            f"got {input_size} and {hidden_size}"
        )


def check_stack(cell: type[Cell], hidden_size: int, layers: int, output_size: int) -> None:
    """Refuse layers on top of one another whose own input would not fit their state."""
    if "raw" in cell.inputs and layers > 1 and output_size != hidden_size:
        raise ValueError(
            f"layers: {cell.__name__} reads x.raw, so a second layer needs outputs of "
            f"hidden_size = {hidden_size}; they are {output_size} wide"
        )


def parameter_shapes(
    cell: type[Cell], hidden: int, first: int, bias: bool, input_size: int, initial: bool
) -> dict[str, tuple[int, ...]]:
    """Name -> shape for one layer in one direction, under torch's names without their suffix.

    `first` is the width of the first state (P); `initial` asks for a learned initial state.
    """
    rows, recurrent = len(cell.gates) * hidden, len(cell.recurrent) * hidden
    shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, input_size)}
    if recurrent:
        shapes["weight_hh"] = (recurrent, first)
    if bias:
        shapes |= {"bias_ih": (rows,)} | ({"bias_hh": (recurrent,)} if recurrent else {})
    if first != hidden:
        shapes["weight_hr"] = (first, hidden)
    shapes |= dict.fromkeys(cell.params, (hidden,))
    if initial:
        widths = (first, *(hidden for _ in cell.state[1:]))
        shapes |= {f"{name}_0": (width,) for name, width in zip(cell.state, widths, strict=True)}
    return shapes


def parameter_of(module: nn.Module, name: str) -> Any:
    """By name, at each call: a parametrisation or functional_call changes what is found.

    Past the module's own search where it can be.
    """
    own = module._parameters
    return own[name] if name in own else getattr(module, name)


def constrained(cell: type[Cell], weight_hh: Tensor) -> Tensor:
    """What multiplies in place of U (R * H, H), as the cell's `constrain` makes it of each gate."""
    if cell.constrain is None:
        return weight_hh
    blocks = weight_hh.chunk(len(cell.recurrent))
    return torch.cat([cell.constrain(block) for block in blocks])
