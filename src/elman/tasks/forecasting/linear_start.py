"""Where networks start: the best linear map from window to forecast, solved for, not trained.

Ridge regression towards the naive forecast (Hoerl and Kennard, 1970); how close it keeps to it is
chosen on validation, and so is whether logarithms are taken. Training then starts level with the
linear baseline, which a few hundred values of a short series would never reach by gradients.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elman.nn.baselines import LinearMap, naive_
from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.windows import Batch, Validation, Windows
from elman.train import FitResult

MOST_WINDOWS = 20_000
PENALTIES = (1e-3, 1e-2, 0.1, 1.0, 10.0, 1e3)
"""Over the mean square of a value of the window. The largest is next to the naive forecast."""
_CLEARLY = 0.98  # of the error without logarithms, for which they are taken

Matrix = np.ndarray[Any, np.dtype[np.float64]]


class Start(NamedTuple):
    """A linear map, the penalty it was solved with, and its error on validation."""

    linear: LinearMap
    penalty: float
    error: float


def choose_transform(parts: list[Part], shape: Shape, transform: str) -> Shape:
    """The sizes, with `log` as asked for; "auto" takes it where a linear map is better by it."""
    able = all(_positive(part) for part in parts)
    if transform != "auto" or not able:
        return dataclasses.replace(shape, log=transform == "log" and able)
    shapes = [dataclasses.replace(shape, log=log) for log in (False, True)]
    plain, logs = (solve(parts, one).error for one in shapes)
    return shapes[logs < _CLEARLY * plain]


def _positive(part: Part) -> bool:
    training = part.values[: part.train_end]
    return bool(training.min() > 0)


def solve(parts: list[Part], shape: Shape, penalty: float | None = None) -> Start:
    """The linear map, with the penalty that is best on validation unless one is given."""
    windows = Windows(parts, shape, 1, seed=0)
    equations = Equations.of(windows.some(MOST_WINDOWS), shape)
    if penalty is not None:
        return Start(equations.solved(penalty), penalty, float("nan"))
    error_of, found = Validation(parts, shape), []
    for one in PENALTIES:
        linear = equations.solved(one)
        found.append(Start(linear, one, error_of(Alone(linear))))
    return min(found, key=lambda start: start.error)


def set_start(networks: list[nn.Module], start: Start) -> None:
    """Put a start into each linear map of the networks, in place."""
    for network in networks:
        for module in network.modules():
            if isinstance(module, LinearMap):
                module.load_state_dict(start.linear.state_dict())


class Alone(nn.Module):
    """A linear map as a network that ignores covariates."""

    def __init__(self, linear: nn.Module) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor, *_: Tensor | None) -> Tensor:
        """From windows (B, L) to forecasts (B, K)."""
        out: Tensor = self.linear(x)
        return out


class Kept:
    """The weights that training starts from, and their score: a candidate like any other.

    Args:
        score: gives errors by name, the first of which chooses.
    """

    def __init__(self, model: nn.Module, score: Callable[[nn.Module], dict[str, float]]) -> None:
        self.model = model
        self.score = score(model)
        self._weights = {name: value.clone() for name, value in model.state_dict().items()}

    def unless_better(self, result: FitResult) -> FitResult:
        """What training came to; where it never got better, the start is put back: step 0."""
        name, error = next(iter(self.score.items()))
        if result.best.get(name, float("inf")) < error:
            return result
        self.model.load_state_dict(self._weights)
        return dataclasses.replace(result, best_step=0, best=dict(self.score))


@dataclasses.dataclass(frozen=True)
class Equations:
    """The normal equations of what the naive forecast leaves.

    - `gram`: (L + 1, L + 1), products of the inputs, the constant last.
    - `cross`: (L + 1, K), of the inputs with what is left.
    """

    shape: Shape
    gram: Matrix
    cross: Matrix

    @staticmethod
    def of(batch: Batch, shape: Shape) -> "Equations":
        """From training windows; rows count by the root of their weight, as squares are summed."""
        x = batch.x.double().numpy()
        naive = naive_(LinearMap(shape.window, shape.h), shape.start)
        with torch.no_grad():
            left = (batch.y - naive(batch.x)).double().numpy()
        inputs = np.concatenate([x, np.ones((len(x), 1))], 1)
        weighted = inputs * batch.weight.double().numpy()[:, None]
        return Equations(shape, weighted.T @ inputs, weighted.T @ left)

    def solved(self, penalty: float) -> LinearMap:
        """The map that a penalty gives."""
        diagonal = np.diag(self.gram)
        size = max(float(diagonal[:-1].mean()), 1e-12)
        # The constant is penalised by next to nothing: only so that there is one solution.
        ridge = np.diag(np.r_[np.full(len(diagonal) - 1, penalty * size), 1e-6 * diagonal[-1]])
        change = torch.from_numpy(np.linalg.solve(self.gram + ridge, self.cross)).float()
        linear = naive_(LinearMap(self.shape.window, self.shape.h), self.shape.start)
        linear.add_(change[:-1].T, change[-1])
        return linear
