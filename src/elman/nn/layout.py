"""The parameters that a layer of a cell has: their names and shapes."""

from elman.cells import Cell


def check_sizes(cell: type[Cell], input_size: int, hidden_size: int) -> None:
    """Refuse a cell that no input enters, and sizes that its `raw` input does not allow."""
    if not cell.gates:
        raise ValueError(f"{cell.__name__} has no gates, so no input enters it")
    if "raw" in cell.inputs and input_size != hidden_size:
        raise ValueError(
            f"{cell.__name__} reads x.raw, which needs input_size = hidden_size; "
            f"got {input_size} and {hidden_size}"
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
