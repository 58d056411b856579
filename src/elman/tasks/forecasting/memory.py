"""What a model keeps of the series it was fitted to, so that it forecasts without any file."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elman.data import Calendar, DataError, Panel, Series
from elman.tasks.forecasting.splits import Array, Part, Shape

Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Memory:
    """The end of each series.

    - `ids`: names, N of them.
    - `windows`: (N, L), the last values; a shorter series is preceded by copies of its first.
    - `last`: (N,), ticks of the last values.
    - `scales`: (N,), what windows are divided by.
    """

    ids: tuple[str, ...]
    windows: Array
    last: Integers
    scales: Array


def remember(panel: Panel, parts: list[Part], shape: Shape) -> Memory:
    """The end of each series, the short ones too: they have their own scale, if any."""
    scales = {part.id: part.scale for part in parts}
    windows = [ending(one.values, shape.window) for one in panel.series]
    each = [scales.get(one.id, own_scale(one.values)) for one in panel.series]
    last = np.asarray([one.last for one in panel.series], np.int64)
    return Memory(tuple(panel.ids), np.stack(windows), last, np.asarray(each))


def own_scale(values: Array) -> float:
    """The standard deviation, or 1 where that is zero."""
    scale = float(values.std())
    return scale if scale > 0 else 1.0


def ending(values: Array, window: int) -> Array:
    """The last `window` values; copies of the first before a shorter series."""
    missing = max(0, window - values.size)
    return np.concatenate([np.full(missing, values[0]), values[values.size - window + missing :]])


def renew(memory: Memory, panel: Panel, window: int) -> tuple[Memory, list[str]]:
    """The end of the series of new rows, and what has to be said about them.

    Rows of a known series go on from what is remembered; where both have a value, the new counts.

    Raises:
        DataError: the new rows of a known series lie off its grid, or end before it does.
    """
    known = {name: k for k, name in enumerate(memory.ids)}
    windows: list[Array] = []
    scales: list[float] = []
    notes: list[str] = []
    for one in panel.series:
        values = one.values
        if one.id in known:
            k = known[one.id]
            scales.append(float(memory.scales[k]))
            if values.size < window:
                values = _joined(memory, k, one, panel.calendar, panel.understood.source, notes)
        else:
            scales.append(own_scale(values))
            if values.size < window:
                have = f"{values.size} values for a window of {window}"
                notes.append(f"{one.id}: {have}; its first is repeated")
        windows.append(ending(values, window))
    last = np.asarray([one.last for one in panel.series], np.int64)
    renewed = Memory(tuple(panel.ids), np.stack(windows), last, np.asarray(scales))
    return renewed, notes


def _joined(
    memory: Memory, k: int, one: Series, calendar: Calendar, source: str, notes: list[str]
) -> Array:
    """What is remembered of a series, with new rows over it and after it."""
    window = memory.windows[k]
    clock, frequency = calendar.clock, calendar.frequency
    first = int(calendar.before(int(memory.last[k]), window.size)[0])
    start = int(frequency.between(first, np.asarray([one.first]), clock)[0])
    on_grid = int(frequency.advance(first, np.asarray([start]), clock)[0]) == one.first
    if not on_grid or start < 0:
        known = (
            f"{clock.write(first)} to {clock.write(int(memory.last[k]))}, every {frequency.name}"
        )
        raise DataError(
            f"{source}: series {one.id!r}: new rows go on from those that the model was fitted to "
            f"({known}), or are at least {window.size}; got {one.values.size} from "
            f"{clock.write(one.first)}; give more rows"
        )
    joined = np.full(start + one.values.size, np.nan)
    kept = min(window.size, joined.size)
    joined[:kept] = window[:kept]
    joined[start:] = one.values
    missing = np.isnan(joined)
    if missing.any():
        notes.append(f"{one.id}: {int(missing.sum())} steps before the new rows are interpolated")
        steps = np.arange(joined.size)
        joined = np.interp(steps, steps[~missing], joined[~missing])
    return joined


def only(memory: Memory, ids: list[str]) -> Memory:
    """The rows of some series, in the order asked for.

    Raises:
        ValueError: one is not known.
    """
    known = {name: k for k, name in enumerate(memory.ids)}
    for name in ids:
        if name not in known:
            listed = ", ".join(memory.ids[:10])
            raise ValueError(f"series {name!r} is not known to the model; known: {listed}")
    rows = [known[name] for name in ids]
    return replace(
        memory,
        ids=tuple(ids),
        windows=memory.windows[rows],
        last=memory.last[rows],
        scales=memory.scales[rows],
    )
