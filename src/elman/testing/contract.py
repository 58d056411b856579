"""`check_cell`: everything the library promises of any cell."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from elman.cells import Cell
from elman.engine import SlowPathWarning
from elman.testing import declaration, gradients, options, sequences
from elman.testing.case import SIZES, SMALL, Case, Size
from elman.testing.engines import engines
from elman.testing.report import CellCheckFailed, Check, Report

CheckFunction = Callable[[Case], Any]

ONCE: dict[str, CheckFunction] = {
    "declared names": declaration.declared_names,
    "docstring": declaration.docstring,
}
SMOOTH: dict[str, CheckFunction] = {
    "finite differences": gradients.finite_differences,
    "double backward": gradients.double_backward,
}
EVERY_SIZE: dict[str, CheckFunction] = {
    "step by step": sequences.step_by_step,
    "blocks": sequences.blocks,
    "no steps": sequences.no_steps,
    "default state": sequences.default_state,
    "lengths": sequences.lengths,
    "padding": sequences.padding,
    "documents": sequences.documents,
    "directions": sequences.directions,
    "projection": options.projection,
    "regularisation": options.regularisation,
    "numpy": options.numpy,
    "engines": engines,
}


def check_cell(
    cell: type[Cell],
    *,
    constants: Mapping[str, float] | None = None,
    smooth: bool = True,
    require_docstring: bool = False,
    dtypes: Sequence[torch.dtype] = (torch.float64, torch.float32),
    seed: int = 0,
) -> Report:
    """Check everything the library promises of any cell, with random distinct weights.

    Outputs, final states and the gradients of inputs, weights, biases and first states are
    compared, with random gradients from above, at sizes of 1, of primes and beyond a vector's
    width: step by step, in blocks and whole; ragged, packed and padded; in both directions; in
    every engine that can run the cell; on NumPy arrays; and against finite differences.

    Args:
        cell: the class, never an instance.
        constants: values for the cell's constants, by name.
        smooth: whether to compare with finite differences; set it to False for a cell that jumps.
        require_docstring: whether a docstring in the order of the built-in cells is demanded.
        dtypes: precisions to check in: the first at every size, others at the largest; finite
            differences are taken in float64 alone.
        seed: of all random numbers; the caller's random state is left as it was.

    Returns:
        The checks passed, with the worst difference of each in units of what is allowed.

    Raises:
        CellCheckFailed: names the check, the case, what differs and by how much.

    Example:
        >>> import elman
        >>> from elman.ops import tanh
        >>> class Leaky(elman.Cell):
        ...     gates = ("n",)
        ...     def update(x, u, s, p):
        ...         return 0.9 * s.h + 0.1 * tanh(x.n + u.n)
        >>> report = elman.testing.check_cell(Leaky)
        >>> report.worst < 1
        True
    """
    if not is_cell(cell):
        raise TypeError(f"check_cell: needs a Cell class, got {cell!r}")
    small = [Case(cell, fit(cell, SMALL), torch.float64, constants or {})]
    every = [Case(cell, fit(cell, size), dtypes[0], constants or {}) for size in SIZES]
    every += [Case(cell, fit(cell, SIZES[-1]), dtype, constants or {}) for dtype in dtypes[1:]]
    plan = [(name, check, small) for name, check in ONCE.items()]
    if require_docstring:
        plan.append(("docstring order", declaration.docstring_order, small))
    if smooth:
        plan += [(name, check, small) for name, check in SMOOTH.items()]
    plan += [(name, check, every) for name, check in EVERY_SIZE.items()]
    return Report(
        cell.__name__,
        tuple(Check.of(name, _findings(name, check, cases, seed)) for name, check, cases in plan),
    )


def is_cell(cell: Any) -> bool:
    """Whether it is a `Cell` class."""
    return isinstance(cell, type) and issubclass(cell, Cell)


def _findings(name: str, check: CheckFunction, cases: list[Case], seed: int) -> Iterator[Any]:
    for case in cases:
        with own_world(seed):
            try:
                yield from check(case)
            except AssertionError as error:
                raise CellCheckFailed(
                    f"{case.cell.__name__} fails {name!r} ({case}): {error}"
                ) from error
            except Exception as error:
                error.add_note(f"while checking {case.cell.__name__}: {name!r} ({case})")
                raise


@contextmanager
def own_world(seed: int) -> Iterator[None]:
    """Random numbers from a seed, the caller's left as they were, and no warning of slowness."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # Slow engines are checked on purpose; torch says so of its own, too.
        warnings.simplefilter("ignore", SlowPathWarning)
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        torch.manual_seed(seed)
        yield


def fit(cell: type[Cell], size: Size) -> Size:
    """`raw` needs an input as wide as the state."""
    return size._replace(input=size.hidden) if "raw" in cell.inputs else size
