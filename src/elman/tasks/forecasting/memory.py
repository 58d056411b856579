"""What a model keeps of the series it was fitted to, so that it forecasts without any file."""

import dataclasses
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elman.data import DataError, Panel, Series
from elman.tasks.forecasting.encoding import Encoding
from elman.tasks.forecasting.splits import Array, Part, Shape
from elman.tasks.forecasting.windows import Known

NOTHING_KNOWN = Known()
Integers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Memory:
    """The end of each series.

    - `ids`: names, N of them.
    - `windows`: (N, L), the last values; a shorter series is preceded by copies of its first.
    - `last`: (N,), ticks of the last values.
    - `scales`: (N,), what windows are divided by.
    - `known`: covariates of the windows as a network takes them: hist (N, L, Eh), futr (N, L, Ef)
      and static (N, Es), each None where there are none.
    - `future`: (N, F, Ef), those known ahead of the steps after the end; NaN where they are not.
    """

    ids: tuple[str, ...]
    windows: Array
    last: Integers
    scales: Array
    known: Known = NOTHING_KNOWN
    future: Array | None = None


def remember(panel: Panel, parts: list[Part], shape: Shape, encoding: Encoding) -> Memory:
    """The end of each series, the short ones too: they have their own scale, if any."""
    scales = {part.id: part.scale for part in parts}
    windows = [ending(one.values, shape.window) for one in panel.series]
    each = [scales.get(one.id, own_scale(one.values)) for one in panel.series]
    last = np.asarray([one.last for one in panel.series], np.int64)
    known = [_known(one, encoding, shape.window) for one in panel.series]
    future = _future(panel.series, encoding, shape.h)
    ids = tuple(panel.ids)
    return Memory(ids, np.stack(windows), last, np.asarray(each), stacked(known), future)


def _known(one: Series, encoding: Encoding, window: int) -> Known:
    size = one.values.size
    hist, futr = encoding.encode("hist", one.hist), encoding.encode("futr", one.futr[:size])
    return Known(
        None if hist is None else ending(hist, window),
        None if futr is None else ending(futr, window),
        encoding.encode("static", one.static),
    )


def stacked(each: list[Known]) -> Known:
    """Covariates of several series, one row for each."""
    columns = zip(*each, strict=True)
    return Known(*(None if c[0] is None else np.stack(c) for c in columns))


def _future(series: tuple[Series, ...], encoding: Encoding, h: int) -> Array | None:
    """What is known of the next h steps."""
    if not encoding.futr:
        return None
    rows = []
    for one in series:
        ahead = encoding.encode("futr", one.futr[one.values.size :][:h])
        assert ahead is not None
        rows.append(np.pad(ahead, ((0, h - len(ahead)), (0, 0)), constant_values=np.nan))
    return np.stack(rows)


def own_scale(values: Array) -> float:
    """The standard deviation, or 1 where that is zero."""
    scale = float(values.std())
    return scale if scale > 0 else 1.0


def ending(values: Array, window: int) -> Array:
    """The last `window` values, or rows; copies of the first before a shorter series."""
    missing = max(0, window - len(values))
    return np.concatenate(
        [np.repeat(values[:1], missing, 0), values[len(values) - window + missing :]]
    )


def renew(
    memory: Memory, panel: Panel, shape: Shape, encoding: Encoding
) -> tuple[Memory, list[str]]:
    """The end of the series of new rows, and what has to be said about them.

    Rows of a known series go on from what is remembered; where both have a value, the new counts.
    A known series keeps its static covariates where the new rows have none.

    Raises:
        DataError: the new rows of a known series lie off its grid, or end before it does.
        ValueError: a new series has no static covariates, and the network needs them.
    """
    rows = {name: k for k, name in enumerate(memory.ids)}
    fresh = remember(panel, [], shape, dataclasses.replace(encoding, static=()))
    window, scales = shape.window, fresh.scales.copy()
    values, known = fresh.windows.copy(), []
    notes: list[str] = []
    for j, one in enumerate(panel.series):
        k = rows.get(one.id)
        mine = Known(*(None if part is None else part[j] for part in fresh.known))
        if k is not None:
            scales[j] = memory.scales[k]
        if k is not None and one.values.size < window:
            values[j], mine = _joined(memory, k, one, mine, panel, notes)
        elif one.values.size < window:
            have = f"{one.values.size} values for a window of {window}"
            notes.append(f"{one.id}: {have}; its first is repeated")
        known.append(mine._replace(static=_static(memory, k, one, panel, encoding)))
    found = replace(fresh, windows=values, scales=scales, known=stacked(known))
    return found, notes


def _static(
    memory: Memory, k: int | None, one: Series, panel: Panel, encoding: Encoding
) -> Array | None:
    if not encoding.static:
        return None
    if panel.stat_exog_list:
        return encoding.encode("static", one.static)
    if k is None or memory.known.static is None:
        raise ValueError(
            f"static_df must have the static covariates of new series; got none of {one.id!r}; "
            "give a table with a row for it"
        )
    found: Array = memory.known.static[k]
    return found


def _joined(
    memory: Memory, k: int, one: Series, new: Known, panel: Panel, notes: list[str]
) -> tuple[Array, Known]:
    """What is remembered of a series, with new rows over it and after it."""
    size = one.values.size
    before = _columns(memory.windows[k], Known(*(p if p is None else p[k] for p in memory.known)))
    after = _columns(one.values, Known(*(p if p is None else p[-size:] for p in new[:2])))
    start = _start(memory, k, one, panel)
    joined = np.full((start + size, before.shape[1]), np.nan)
    kept = min(len(before), len(joined))
    joined[:kept] = before[:kept]
    joined[start:] = after
    missing = np.isnan(joined[:, 0])
    if missing.any():
        notes.append(f"{one.id}: {int(missing.sum())} steps before the new rows are interpolated")
        steps = np.arange(len(joined))
        for column in joined.T:
            column[missing] = np.interp(steps[missing], steps[~missing], column[~missing])
    whole = ending(joined, len(before))
    return whole[:, 0], _apart(whole, new)


def _columns(values: Array, known: Known) -> Array:
    """Values and what is known beside them, (L, 1 + Eh + Ef)."""
    return np.concatenate([values[:, None], *(p for p in known[:2] if p is not None)], 1)


def _apart(whole: Array, like: Known) -> Known:
    """The opposite of `_columns`, for covariates."""
    hist = 0 if like.hist is None else like.hist.shape[1]
    return Known(
        None if like.hist is None else whole[:, 1 : 1 + hist],
        None if like.futr is None else whole[:, 1 + hist :],
    )


def _start(memory: Memory, k: int, one: Series, panel: Panel) -> int:
    """Steps from the first that is remembered to the first new row."""
    size, calendar = memory.windows.shape[1], panel.calendar
    clock, frequency = calendar.clock, calendar.frequency
    first = int(calendar.before(int(memory.last[k]), size)[0])
    start = int(frequency.between(first, np.asarray([one.first]), clock)[0])
    on_grid = int(frequency.advance(first, np.asarray([start]), clock)[0]) == one.first
    if on_grid and start >= 0:
        return start
    known = f"{clock.write(first)} to {clock.write(int(memory.last[k]))}, every {frequency.name}"
    raise DataError(
        f"{panel.understood.source}: series {one.id!r}: new rows go on from those that the model "
        f"was fitted to ({known}), or are at least {size}; got {one.values.size} from "
        f"{clock.write(one.first)}; give more rows"
    )


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
        known=Known(*(None if part is None else part[rows] for part in memory.known)),
        future=None if memory.future is None else memory.future[rows],
    )
