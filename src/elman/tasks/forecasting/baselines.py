"""What the network has to beat: naive forecasts, and networks without a memory."""

import numpy as np
from torch import nn

from elman.nn.baselines import FeedForward, NLinear
from elman.tasks.forecasting.informed import flat_size, informed
from elman.tasks.forecasting.splits import Array, Part, Shape
from elman.tasks.forecasting.windows import Cut, cut

REPEAT, NAIVE2 = "repeat", "Naive2"


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


def naive2(one: Cut, shape: Shape) -> Array:
    """Forecasts (N, K) by the last value less its season, with the season put back.

    The yardstick of the M4 competition: seasonal only if the autocorrelation at the season is
    significant at 90 %. The season is that of the training part; it multiplies, or is added where a
    value is not above zero.
    """
    part, m = one.part, shape.season
    training = part.values[part.pad : part.train_end]
    if m < 2 or training.size < 3 * m or not _is_seasonal(training, m):
        return np.repeat(one.windows[:, -1:], shape.h, axis=1)
    multiplies = bool((training > 0).all())
    season = _season(training, m, multiplies)
    last = one.origins - 1 - part.pad
    ahead = season[(last[:, None] + np.arange(1, shape.h + 1)) % m]
    level, before = one.windows[:, -1:], season[last % m][:, None]
    found: Array = level / before * ahead if multiplies else level - before + ahead
    return found


def _is_seasonal(values: Array, m: int) -> bool:
    centred = values - values.mean()
    power = float(centred @ centred)
    if power == 0:
        return False
    acf = np.asarray([float(centred[k:] @ centred[:-k]) / power for k in range(1, m + 1)])
    limit = 1.645 * np.sqrt((1 + 2 * (acf[:-1] ** 2).sum()) / values.size)
    return bool(abs(acf[-1]) > limit)


def _season(values: Array, m: int, multiplies: bool) -> Array:
    """Classical decomposition: the mean of each step of the season about a centred average."""
    weights = np.r_[0.5, np.ones(m - 1), 0.5] / m if m % 2 == 0 else np.ones(m) / m
    trend = np.convolve(values, weights, "valid")
    start = (len(weights) - 1) // 2
    inner = values[start : start + trend.size]
    rest = inner / trend if multiplies else inner - trend
    steps = (start + np.arange(trend.size)) % m
    season = np.asarray([rest[steps == k].mean() for k in range(m)])
    found: Array = season / season.mean() if multiplies else season - season.mean()
    return found


def choose_start(parts: list[Part], shape: Shape) -> int:
    """What networks start at: the naive forecast that is better on validation.

    The season, or 0 for the last value.
    """
    errors: dict[str, list[float]] = {}
    for one in cut(parts, shape, "validation"):
        for name, values in naive_forecasts(one.windows, shape).items():
            error = float(np.nanmean(np.abs(one.truth - values))) / one.part.scale
            errors.setdefault(name, []).append(error)
    best = min(errors, key=lambda name: float(np.mean(errors[name])))
    return 0 if best == REPEAT else shape.season


def size(network: nn.Module) -> int:
    """Parameters of a network."""
    return sum(p.numel() for p in network.parameters())


def baselines(
    network: nn.Module, dropout: float, shape: Shape, sizes: dict[str, int]
) -> dict[str, nn.Module]:
    """What the network has to beat: a linear map, and as many parameters without a memory.

    Covariates (`sizes` says how many of each kind) they see as well; the weights of these come on
    top, so that many covariates do not leave the hidden layer without units.
    """
    hidden = FeedForward.hidden_for(size(network), shape.window, shape.h)
    return {
        "NLinear": informed(NLinear(shape.window, shape.h, shape.start), shape, sizes),
        "feedforward": feed_forward(shape, hidden, dropout, sizes),
    }


def feed_forward(shape: Shape, hidden: int, dropout: float, sizes: dict[str, int]) -> nn.Module:
    """A hidden layer beside the linear map, with the covariates that there are."""
    extra = flat_size(shape, **sizes)
    network = FeedForward(shape.window, shape.h, hidden, dropout, shape.start, extra)
    return informed(network, shape, sizes)
