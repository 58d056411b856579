"""The benchmarks are scripts beside one another in a folder: how a test imports one."""

import importlib
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
    once = partial(importlib.import_module("timing").interleaved, seconds=0.0)
    monkeypatch.setattr(importlib.import_module("contest"), "interleaved", once)
    return importlib.import_module
