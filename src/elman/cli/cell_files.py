"""Cells named on the command line: built in, given by a script, or `my.py:MyCell`."""

import importlib.util
import sys
from pathlib import Path

from elman.cells import Cell, by_name


def find_cell(text: str, cells: tuple[type[Cell], ...]) -> type[Cell]:
    """The cell that `--cell` names.

    Only the command line may name a file with code in it; no file ever does.

    Raises:
        ValueError: there is no such cell, file or class.
    """
    file, colon, name = text.rpartition(":")
    if not colon or not file.endswith(".py"):
        return by_name(text, cells)
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"--cell {text}: {file} must be a Python file; got none; check the path")
    found = getattr(_module(path), name, None)
    if not (isinstance(found, type) and issubclass(found, Cell)):
        raise ValueError(
            f"--cell {text}: {name} must be a subclass of elman.Cell in {file}; "
            f"got {type(found).__name__ if found is not None else 'nothing of that name'}"
        )
    return found


def _module(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(f"_cell_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"--cell: {path} cannot be imported; give a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    # A cell's State is found again through its module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
