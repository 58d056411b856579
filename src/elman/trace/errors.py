"""What to say of equations that cannot be traced, and where they stand."""

import linecache
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch

import elman.ops

# Frames of these are not the user's.
_OURS = {Path(__file__).parent, Path(elman.ops.__file__)}
_LIBRARIES = {Path(np.__file__).parent, Path(torch.__file__).parent}


class TraceError(TypeError):
    """The equations of a cell say something that instructions cannot.

    The message has the file, the line and its source, the rule, and how to write it instead.
    """

    def __init__(self, rule: str, repair: str, where: str = "") -> None:
        self.rule, self.repair, self.where = rule, repair, where
        super().__init__(f"{where}{rule}; {repair}")


@contextmanager
def locating(function: Callable[..., Any]) -> Iterator[None]:
    """Whatever is raised within becomes a TraceError that says where in the user's code."""
    try:
        yield
    except TraceError as error:
        where = _where(function, error.__traceback__)
        raise TraceError(error.rule, error.repair, where) from None
    except Exception as error:
        where = _where(function, error.__traceback__)
        rule = f"{type(error).__name__}: {error}"
        raise TraceError(rule, _repair_of(error), where) from error


def _repair_of(error: Exception) -> str:
    if isinstance(error, TypeError):
        return (
            "an update uses + - * /, comparisons and the functions of elman.ops, "
            "and no others: elman.ops.exp instead of math.exp, numpy.exp or torch.exp"
        )
    if isinstance(error, AttributeError):
        return "read what the class body declares: gates, recurrent, state, inputs, params"
    return "an update runs once on symbols when it is traced, and must not fail there"


def _where(function: Callable[..., Any], trace: TracebackType | None) -> str:
    """The innermost line of the user's code, or that of the function itself."""
    frames = [f for f in traceback.extract_tb(trace) if not _is_library(Path(f.filename))]
    code = function.__code__
    file, number = code.co_filename, code.co_firstlineno
    if frames:
        file, number = frames[-1].filename, frames[-1].lineno or number
    source = linecache.getline(file, number).strip()
    return f'{function.__qualname__}, File "{file}", line {number}:\n    {source}\n'


def _is_library(file: Path) -> bool:
    return bool({file, *file.parents} & (_OURS | _LIBRARIES))
