"""The benchmarks are scripts beside one another in a folder: how a test imports one."""

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch) -> Callable[[str], ModuleType]:
    """Imports a benchmark by name; a timing is one call."""
    monkeypatch.syspath_prepend(str(BENCH))
    # The tests of the folder runtime/ make pytest hold it for a package of that name.
    for name in {path.stem for path in BENCH.glob("*.py")} & sys.modules.keys():
        if getattr(sys.modules[name], "__file__", None) is None:
            monkeypatch.delitem(sys.modules, name)
    once = partial(importlib.import_module("timing").interleaved, seconds=0.0)
    monkeypatch.setattr(importlib.import_module("contest"), "interleaved", once)
    return importlib.import_module
