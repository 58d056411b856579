"""What a task offers so that networks can be compared on it, and examined by the doctor.

A page of `elman.tasks` enrols by a name `Contest`: a class as the protocol below says. Nothing
else knows which tasks there are.
"""

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn

import elman.tasks
from elman.cells import Cell
from elman.train import FitResult, FitSettings

FEEDFORWARD, CONVOLUTION = "feedforward", "causal convolution"
"""The networks without a recurrence that stand beside cells."""

Kind = type[Cell] | str
"""What a network is built of: a cell, `FEEDFORWARD` or `CONVOLUTION`."""


@dataclass(frozen=True)
class View:
    """What networks get to see of what lies before.

    - `steps`: how many of the last steps; None for all.
    - `shuffled`: share of these steps, the oldest, whose order is drawn anew for each example.
    """

    steps: int | None = None
    shuffled: float = 0.0


WHOLE = View()


class Contest(Protocol):
    """A task on some data. Lower scores are better.

    - `task`: its name on the command line.
    - `settings`: the dataclass of its settings; `fitting`: how it trains unless told otherwise.
    - `fixed`: settings that a comparison does not take.
    - `metric`, `step`: what is scored, and what a step of the recurrence is, in words.
    - `steps`: of the recurrence before a prediction.
    - `sizes`: hidden units and dropout that the settings ask for.
    - `budget`: how it trains.
    - `understood`: of the data, a line each.
    - `trains_views`: whether a network is trained for each view, or one that saw all is measured.
    """

    task: ClassVar[str]
    settings: ClassVar[type[Any]]
    fitting: ClassVar[FitSettings]
    fixed: ClassVar[tuple[str, ...]]
    metric: str
    step: str
    steps: int
    sizes: tuple[int, float]
    budget: FitSettings
    understood: tuple[str, ...]
    trains_views: bool

    def __init__(self, data: Any, **settings: Any) -> None:
        """Read the data; settings are fields of `settings` and of `elman.train.FitSettings`.

        Raises:
            TypeError, ValueError: a setting is unknown or breaks its rule.
            elman.data.DataError: the data cannot be used.
        """

    def network(self, kind: Kind, hidden: int, dropout: float, view: View = WHOLE) -> nn.Module:
        """A network at its start, drawn by torch's generator."""

    def fit(self, model: nn.Module, fitting: FitSettings, **options: Any) -> FitResult:
        """Train; the best weights by validation stay. `options` are those of `elman.train.fit`."""

    def score(self, model: nn.Module, which: str, view: View = WHOLE) -> float:
        """The metric on "validation" or "test"; of what was trained for a view, give it WHOLE."""

    def baselines(self, which: str) -> dict[str, float]:
        """The metric of what needs no training by gradients, by name."""

    def batch(self) -> Any:
        """One micro-batch of training."""

    def loss(self, model: nn.Module, batch: Any, carry: Any = None) -> tuple[Tensor, Any]:
        """As `elman.train.fit` and `elman.doctor.examine` take it."""


def refuse(given: Iterable[str], fixed: tuple[str, ...]) -> None:
    """Raises ValueError for a setting that a comparison does not take."""
    for name in given:
        if name in fixed:
            words = ", ".join(fixed)
            raise ValueError(f"a comparison does not take {words}; got {name}; leave it out")


def contests() -> dict[str, type[Contest]]:
    """What every task that enrolled offers, by the task's name, which is that of its page."""
    pages = [m.name for m in pkgutil.iter_modules(elman.tasks.__path__) if not m.ispkg]
    offered = {name: _offered(name) for name in pages}
    return {name: one for name, one in offered.items() if one is not None}


def contest_of(task: str) -> type[Contest]:
    """What the task called `task` offers. Raises ValueError, with the names there are."""
    pages = [m.name for m in pkgutil.iter_modules(elman.tasks.__path__) if not m.ispkg]
    found = _offered(task) if task in pages else None
    if found is None:
        raise ValueError(f"task must be one of {', '.join(contests())}; got {task!r}; choose one")
    return found


def _offered(page: str) -> type[Contest] | None:
    found = getattr(importlib.import_module(f"elman.tasks.{page}"), "Contest", None)
    return None if found is Contest else found
