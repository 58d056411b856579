"""A cell on a page: its equations, its tape, what a step costs."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from elman.cells import Cell
from elman.trace.cost import Cost, cost
from elman.trace.tracer import trace
from elman_runtime.tape import Tape


@dataclass(frozen=True)
class Description:
    """What there is to say of a cell; shows itself in a notebook."""

    name: str
    summary: str
    """The first line of the docstring."""
    equations: str
    r"""LaTeX, lines ended by `\\` and aligned at `&`; empty where the docstring has none."""
    tape: Tape
    hidden: int
    inputs: int
    cost: Cost

    def __str__(self) -> str:
        parts = [f"{self.name}: {self.summary}", self.equations, str(self.tape).rstrip()]
        return "\n\n".join(part for part in [*parts, self._costs()] if part)

    def _costs(self) -> str:
        rows = (f"  {name:<11}{value:>12,}" for name, value in asdict(self.cost).items())
        return "\n".join([f"with {self.hidden} units and {self.inputs} inputs:", *rows])

    def _repr_latex_(self) -> str | None:
        if not self.equations:
            return None
        return f"$$\\begin{{aligned}}\n{self.equations}\n\\end{{aligned}}$$"

    def _repr_markdown_(self) -> str:
        head = f"**{self.name}** {self.summary}"
        blocks = (f"```text\n{text.rstrip()}\n```" for text in (str(self.tape), self._costs()))
        return "\n\n".join(part for part in (head, self._repr_latex_(), *blocks) if part)


def describe(
    cell: type[Cell],
    hidden: int = 128,
    inputs: int = 128,
    *,
    constants: Mapping[str, float] | None = None,
) -> Description:
    """The equations of a cell, as its docstring has them, its tape, and what a step costs.

    Raises:
        TraceError: the cell cannot be traced.

    Example:
        >>> import elman
        >>> from elman.trace import describe
        >>> print(describe(elman.cells.RNN).equations)
        h_t = \\tanh(W x_t + b_{ih} + U h_{t-1} + b_{hh})
    """
    text = inspect.cleandoc(cell.__doc__ or "")
    tape = trace(cell, constants)
    found = cost(tape, hidden, inputs, bias=getattr(cell, "bias", True))
    summary = text.split("\n", 1)[0]
    return Description(cell.__name__, summary, _equations(text), tape, hidden, inputs, found)


def _equations(text: str) -> str:
    """The lines under `.. math::`."""
    found = re.search(r"^\.\. math::\n((?:[ \t]+.*\n|\n)+)", text + "\n", re.MULTILINE)
    return inspect.cleandoc(found[1]) if found else ""
