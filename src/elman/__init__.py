"""Recurrent neural networks: write a recurrence as its equations, train it, run it on a stream."""

from elman import cells, engine, init, nn, ops, state, testing, trace
from elman.cells import Cell
from elman.nn import load, save
from elman.trace import describe

__version__ = "0.1.0"

__all__ = [
    "Cell",
    "__version__",
    "cells",
    "describe",
    "engine",
    "init",
    "load",
    "nn",
    "ops",
    "save",
    "state",
    "testing",
    "trace",
]
