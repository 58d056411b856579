"""States in the programs of `torch.export`, by names that a file can hold."""

from typing import Any

from torch.utils import _pytree

from elman.cells import Cell

_KNOWN: set[type[object]] = set()


def register_states(*cells: type[Cell]) -> None:
    """Let `torch.export.save` write the states of these cells, and `torch.export.load` read them.

    A program's file names the types of its results, and torch knows but those that were
    registered: by this call before saving, and by the same call in the process that loads.
    Importing elman registers nothing. What returns no state, as a module of yours that gives back
    `layer(x)[0]`, needs no call.

    Raises:
        TypeError: one is no cell.

    Example:
        >>> import io, torch
        >>> from elman.cells import MinGRU
        >>> from elman.nn import Recurrent
        >>> register_states(MinGRU)
        >>> layer, x = Recurrent(MinGRU, 2, 5).eval(), torch.zeros(1, 3, 2)
        >>> file = io.BytesIO()
        >>> torch.export.save(torch.export.export(layer, (x,)), file)
    """
    for cell in map(_checked, cells):
        if cell.State in _KNOWN:
            continue
        name = f"{cell.__module__}.{cell.__qualname__}.State"
        # The call that torch's own refusal to save names; it has no public one.
        _pytree._register_namedtuple(cell.State, serialized_type_name=name)
        _KNOWN.add(cell.State)


def _checked(cell: Any) -> type[Cell]:
    if isinstance(cell, type) and issubclass(cell, Cell):
        return cell
    raise TypeError(f"cells must be Cell classes; got {cell!r}; give such as elman.cells.GRU")
