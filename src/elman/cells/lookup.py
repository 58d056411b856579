"""Built-in cells by name."""

import difflib
from collections.abc import Iterable

import elman.cells
from elman.cells.cell import Cell


def builtin() -> dict[str, type[Cell]]:
    """Every cell that `elman.cells` exports, by name."""
    exported = (getattr(elman.cells, name) for name in elman.cells.__all__)
    return {
        c.__name__: c
        for c in exported
        if isinstance(c, type) and issubclass(c, Cell) and c is not Cell
    }


def by_name(name: str, cells: Iterable[type[Cell]] = ()) -> type[Cell]:
    """The cell called `name`, whatever the case of its letters: first among `cells`, then built in.

    Raises:
        ValueError: no cell has that name; says which are known and the nearest.
    """
    known = builtin() | {c.__name__: c for c in cells}
    folded = {known_name.lower(): cell for known_name, cell in known.items()}
    if name.lower() in folded:
        return folded[name.lower()]
    near = difflib.get_close_matches(name.lower(), folded, n=1)
    hint = f" Did you mean {folded[near[0]].__name__}?" if near else ""
    raise ValueError(f"no cell is called {name!r}; known: {', '.join(sorted(known))}.{hint}")
