"""Recurrent neural networks: write a recurrence as its equations, train it, run it on a stream."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from elman import cells, doctor, engine, export, init, nn, ops, state, testing, trace
from elman.cells import Cell
from elman.doctor import inspect
from elman.nn import accelerate, load, save
from elman.trace import describe

if TYPE_CHECKING:
    from elman.tasks.classify import Classifier
    from elman.tasks.language import LanguageModel
    from elman.tasks.translate import Translator

__version__ = "0.1.0"

__all__ = [
    "Cell",
    "Classifier",
    "LanguageModel",
    "Translator",
    "__version__",
    "accelerate",
    "cells",
    "describe",
    "doctor",
    "engine",
    "export",
    "init",
    "inspect",
    "load",
    "nn",
    "ops",
    "save",
    "state",
    "testing",
    "trace",
]


def __getattr__(name: str) -> Any:
    # The tasks come with their first use: a layer alone needs none of what they import.
    if name == "Classifier":
        from elman.tasks.classify import Classifier

        return Classifier
    if name == "LanguageModel":
        from elman.tasks.language import LanguageModel

        return LanguageModel
    if name == "Translator":
        from elman.tasks.translate import Translator

        return Translator
    if name in ("compare", "demo"):
        return import_module(f"elman.{name}")
    raise AttributeError(f"module 'elman' has no attribute {name!r}")
