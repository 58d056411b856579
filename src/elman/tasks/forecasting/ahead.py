"""The next steps of each series, with their intervals, also beyond what the network forecasts."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from elman.data import read_future
from elman.tasks.forecasting import checks
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.intervals import Intervals, supported, supported_ends
from elman.tasks.forecasting.measuring import split_output
from elman.tasks.forecasting.memory import Memory
from elman.tasks.forecasting.metrics import Array
from elman.tasks.forecasting.windows import Known, forecast
from elman.tasks.shared import Say, silent

FORECAST = "elman"


def ahead(
    fitted: Fitted,
    memory: Memory,
    h: int | None = None,
    level: Iterable[float] | None = None,
    futr_df: Any = None,
    say: Say = silent,
) -> dict[str, Array]:
    """Forecasts (N, h) of N series by the names of their columns: elman, elman-lo-80, ...

    Args:
        h: steps; None for those that the network was trained for. Beyond them its forecasts are
            taken for values and it goes on from there.
        level: of the intervals, in per cent; None for those it was fitted with.
        futr_df: covariates that are known ahead; None where the table had those rows.
        say: is given what has to be known about the forecasts, a line each.

    Raises:
        ValueError: `h` or a level breaks its rule, or there is nothing to make intervals from.
    """
    steps = fitted.shape.h if h is None else checks.count("h", h)
    levels = fitted.manner.levels if level is None else checks.levels(level)
    futr = _futr(fitted, memory, steps, futr_df, say)
    point, ends = _rolled(fitted, memory, steps, levels, futr)
    if steps > fitted.shape.h:
        say(_beyond(fitted, steps, bool(levels)))
    weak = fitted.calibration.weak(levels) if fitted.calibration else []
    if weak and level is not None:
        say(too_few(weak))
    found = {FORECAST: supported(point, fitted.manner.support)}
    for at, (lower, upper) in supported_ends(ends, fitted.manner.support).items():
        found |= {f"{FORECAST}-lo-{at:g}": lower, f"{FORECAST}-hi-{at:g}": upper}
    return found


def too_few(levels: list[float]) -> str:
    """What is said of levels that validation has too few values for."""
    listed = ", ".join(f"{at:g}" for at in levels)
    return (
        f"too few validation values for level {listed}: its ends are the largest errors seen; "
        "more validation_windows give more"
    )


def _beyond(fitted: Fitted, steps: int, intervals: bool) -> str:
    words = (
        f"the network forecasts {fitted.shape.h} steps; {steps} are made by going on from its own "
        "forecasts"
    )
    if fitted.encoding.hist:
        words += f"; {', '.join(fitted.encoding.names('hist'))} held at the last value"
    wider = "; intervals beyond are widened by the square root of the round, not calibrated"
    return words + (wider if intervals else "")


def _rolled(
    fitted: Fitted, memory: Memory, steps: int, levels: tuple[float, ...], futr: Array | None
) -> tuple[Array, Intervals]:
    windows, hist, points, ends = memory.windows, memory.known.hist, [], []
    h, window = fitted.shape.h, fitted.shape.window
    whole = None if futr is None else np.concatenate([memory.known.futr, futr], 1)
    for done in range(-(-steps // h)):
        seen = None if whole is None else whole[:, done * h : done * h + window + h]
        known = Known(hist, seen, memory.known.static)
        made = split_output(
            forecast(fitted.forecaster, windows, memory.scales, fitted.shape, known)
        )
        points.append(made.point)
        if levels:
            found = fitted.calibrated.intervals(made, memory.scales, levels)
            ends.append({at: _wider(made.point, pair, done + 1) for at, pair in found.items()})
        windows = np.concatenate([windows, made.point], 1)[:, -window:]
        if hist is not None:
            hist = np.concatenate([hist, np.repeat(hist[:, -1:], h, 1)], 1)[:, -window:]
    joined = {
        at: tuple(np.concatenate([some[at][k] for some in ends], 1)[:, :steps] for k in range(2))
        for at in levels
    }
    return np.concatenate(points, 1)[:, :steps], joined  # type: ignore[return-value]


def _futr(fitted: Fitted, memory: Memory, steps: int, futr_df: Any, say: Say) -> Array | None:
    """Covariates known ahead (N, K or more, Ef) of all the steps that the network is asked for.

    Raises:
        ValueError, DataError: they are not known.
    """
    if futr_df is not None:
        values, notes = read_future(fitted.after(memory), futr_df, steps)
        for note in notes:
            say(note)
        found = fitted.encoding.encode("futr", values)
    elif memory.future is None:
        return None
    else:
        found = memory.future[:, :steps]
    if found is None or found.shape[1] < steps or np.isnan(found).any():
        listed = ", ".join(fitted.encoding.names("futr"))
        raise ValueError(
            f"futr_df must have the covariates that are known ahead ({listed}) for the next "
            f"{steps} steps; got none; make_future_dataframe gives its rows"
        )
    # A network forecasts whole rounds of h; what is beyond is cut off again.
    missing = -steps % fitted.shape.h
    return np.concatenate([found, np.repeat(found[:, -1:], missing, 1)], 1)


def _wider(point: Array, ends: tuple[Array, Array], rounds: int) -> tuple[Array, Array]:
    by = float(np.sqrt(rounds))
    return point + by * (ends[0] - point), point + by * (ends[1] - point)
