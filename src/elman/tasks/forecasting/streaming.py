"""One series as a stream: its last values in a window, the forecast as a program of them.

What `predict` does with a window, from its scale to the intervals, stands in the program, in
float64; so a stream forecasts after each observation what a prediction from the same values would.
"""

import copy
import dataclasses
from typing import Any

import numpy as np

from elman.nn import Builder
from elman.nn.builder import Value
from elman.tasks.forecasting.ahead import FORECAST
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.scaling import FARTHEST, FLOOR, LEAST
from elman_runtime import model_file
from elman_runtime.model import FORMAT, Model
from elman_runtime.program import Program
from elman_runtime.stream import Stream


def model_of(fitted: Fitted, settings: Any, series: str | None) -> Model:
    """A model whose program `main` forecasts one series from its last L values.

    Raises:
        ValueError: there is no such series, or several and none was named; the model has
            covariates, which a window of values does not hold; values are to be whole numbers.
    """
    row = _row(fitted, series)
    if fitted.encoding.sizes and any(fitted.encoding.sizes.values()):
        raise ValueError(
            "a stream takes the values of one series alone; got a model with covariates; train "
            "one without them, or call predict with the new rows"
        )
    if fitted.manner.support == "integer":
        raise ValueError(
            "a stream's forecasts are not rounded; got a model with support='integer'; train "
            "with support='nonnegative', or call predict with the new rows"
        )
    builder = Builder()
    program = _program(fitted, float(fitted.memory.scales[row]), builder)
    tapes = tuple(builder.tapes)
    meta = {
        "format": FORMAT,
        "kind": "Forecaster",
        "series": fitted.memory.ids[row],
        "settings": dataclasses.asdict(settings),
        "tapes": [one.to_json() for one in tapes],
        "programs": {"main": program.to_json()},
    }
    digest = model_file.digest(meta, builder.tensors)
    return Model(meta, builder.tensors, digest, tapes, {"main": program}, "forecaster")


def _row(fitted: Fitted, series: str | None) -> int:
    ids = fitted.memory.ids
    if series is None and len(ids) == 1:
        return 0
    if series not in ids:
        some = ", ".join(map(repr, ids[:5])) + (", ..." if len(ids) > 5 else "")
        raise ValueError(f"series must be one of {some}; got {series!r}; name one of them")
    return ids.index(series)


def stream(fitted: Fitted, settings: Any, series: str | None = None) -> Stream:
    """A series to be fed value by value, which has its end already.

    `stream.step([y])` takes a value and forecasts, `stream.output()` forecasts without one: the
    forecast (h,), then the ends of the intervals. It keeps the last L values, and no more.

    Args:
        series: its name; None where there is but one.

    Raises:
        ValueError: as `model_of`.
    """
    model = model_of(fitted, settings, series)
    found = Stream(model)
    found.feed(fitted.memory.windows[_row(fitted, series)][:, None])
    return found


def _program(fitted: Fitted, scale: float, b: Builder) -> Program:
    shape = fitted.shape
    window = b.reshape(b.input("y", shape.window, 1), shape.window)
    last = b.slice(window, shape.window - 1, shape.window)
    put = _logarithms if shape.log else _differences
    seen, last, unit = put(b, window, scale, shape)
    made = b.lower(copy.deepcopy(fitted.forecaster).double(), seen, name="model")
    columns = made.shape[1] if len(made.shape) == 2 else 1
    made = b.reshape(made, shape.h, columns)
    on = b.apply("add", last, b.apply("mul", unit, made))
    if shape.log:
        on = b.apply("exp", b.apply("minimum", on, b.scale(last, shift=float(np.log(FARTHEST)))))
    outputs = {FORECAST: b.reshape(b.slice(on, 0, 1), shape.h)}
    outputs |= _intervals(fitted, scale, b, on, outputs[FORECAST]) if fitted.calibration else {}
    if fitted.manner.support == "nonnegative":
        outputs = {name: b.apply("relu", value) for name, value in outputs.items()}
    return b.build(**outputs)


def _differences(b: Builder, window: Value, scale: float, shape: Any) -> tuple[Value, ...]:
    """The window on the scale of its series, its last value, and the unit: see `scale_of`."""
    last = b.slice(window, shape.window - 1, shape.window)
    seen = b.scale(b.apply("sub", window, last), 1 / scale)
    return seen, last, b.constant("unit", np.array([scale]))


def _logarithms(b: Builder, window: Value, scale: float, shape: Any) -> tuple[Value, ...]:
    size = shape.window
    on = b.apply("log", b.apply("maximum", window, b.constant("floor", np.array([FLOOR * scale]))))
    last = b.slice(on, size - 1, size)
    # The scale of the series over the level of the window.
    relative = b.scale(b.apply("exp", b.scale(_mean(b, on, size), -1.0)), scale)
    least = b.scale(b.apply("minimum", relative, b.constant("one", np.ones(1))), LEAST)
    lag = shape.season if shape.season < size else 1
    unit = least
    if size > 1:
        moves = b.apply("sub", b.slice(on, lag, size), b.slice(on, 0, size - lag))
        unit = b.apply("maximum", _mean(b, b.apply("abs", moves), size - lag), least)
    return b.apply("div", b.apply("sub", on, last), unit), last, unit


def _mean(b: Builder, x: Value, size: int) -> Value:
    return b.linear(x, np.full((1, size), 1 / size), names=(f"mean_of_{size}", ""))


def _intervals(
    fitted: Fitted, scale: float, b: Builder, on: Value, point: Value
) -> dict[str, Value]:
    """The ends as `Calibration.intervals` makes them: each level around the one before."""
    h = fitted.shape.h
    found: dict[str, Value] = {}
    low = high = point
    for level in sorted(fitted.manner.levels):
        columns, shifts = fitted.calibrated.recipe(level)
        ends = []
        for column, shift in zip(columns, shifts.T, strict=True):
            base = b.reshape(b.slice(on, column, column + 1), h)
            ends.append(b.apply("add", base, b.constant(f"shift_{level:g}", scale * shift)))
        low, high = b.apply("minimum", ends[0], low), b.apply("maximum", ends[1], high)
        found |= {f"{FORECAST}-lo-{level:g}": low, f"{FORECAST}-hi-{level:g}": high}
    return found
