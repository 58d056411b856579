"""What the network has to beat: naive forecasts, and networks without a memory."""

import numpy as np
from torch import nn

from elman.nn.baselines import FeedForward, NLinear
from elman.tasks.forecasting.splits import Array, Part, Shape
from elman.tasks.forecasting.windows import cut

REPEAT = "repeat"


def seasonal_name(season: int) -> str:
    """The name in tables of the forecast that repeats the last season."""
    return f"seasonal naive ({season})"


def naive_forecasts(windows: Array, shape: Shape) -> dict[str, Array]:
    """Forecasts (N, K) of windows (N, L) by name: the last value; the last season, if any."""
    found = {REPEAT: np.repeat(windows[:, -1:], shape.h, axis=1)}
    if 1 < shape.season <= shape.window:
        season = windows[:, -shape.season :]
        rounds = -(-shape.h // shape.season)
        found[seasonal_name(shape.season)] = np.tile(season, rounds)[:, : shape.h]
    return found


def choose_start(parts: list[Part], shape: Shape) -> int:
    """What networks start at: the naive forecast that is better on validation.

    The season, or 0 for the last value.
    """
    errors: dict[str, list[float]] = {}
    for one in cut(parts, shape, "validation"):
        for name, values in naive_forecasts(one.windows, shape).items():
            errors.setdefault(name, []).append(np.abs(one.truth - values).mean() / one.part.scale)
    best = min(errors, key=lambda name: float(np.mean(errors[name])))
    return 0 if best == REPEAT else shape.season


def size(network: nn.Module) -> int:
    """Parameters of a network."""
    return sum(p.numel() for p in network.parameters())


def baselines(network: nn.Module, dropout: float, shape: Shape) -> dict[str, nn.Module]:
    """What the network has to beat: a linear map, and as many parameters without a memory."""
    hidden = FeedForward.hidden_for(size(network), shape.window, shape.h)
    return {
        "NLinear": NLinear(shape.window, shape.h, shape.start),
        "feedforward": FeedForward(shape.window, shape.h, hidden, dropout, shape.start),
    }
