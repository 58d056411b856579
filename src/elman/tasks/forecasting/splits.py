"""Which steps of a series train, which choose, and which are the test.

|------------- training -------------|-- validation --|---- test ----|
                                       windows of h, one after another
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from elman.data import DataError, Panel
from elman.tasks.forecasting.metrics import naive_error

Array = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

_MOST_WINDOWS = 30
_MOST_WINDOW = 1024  # values
# Seasons in a window: two weeks of hours, eight weeks of days, two years of weeks or months.
_SEASONS_SEEN = {24: 14, 5: 8, 7: 8, 52: 2, 12: 2}


@dataclass(frozen=True)
class Shape:
    """Sizes that hold for every series.

    - `h`: steps forecast at a time.
    - `window`: values that a network sees.
    - `segment`: values in one step of the recurrence.
    - `season`: steps after which values repeat; 1 for none.
    - `validation`, `test`: windows of h each.
    - `start`: the naive forecast that networks start at: the season, or 0 for the last value.
    - `log`: whether networks see and forecast logarithms of the values.
    """

    h: int
    window: int
    segment: int
    season: int
    validation: int
    test: int
    start: int = 0
    log: bool = False

    @property
    def held_out(self) -> int:
        """Steps at the end of a series that do not train."""
        return (self.validation + self.test) * self.h


@dataclass(frozen=True)
class Part:
    """One series, ready: `values` are preceded by `pad` copies of the first, if it is short.

    - `train_end`: the training part is `values[:train_end]`.
    - `scale`: standard deviation of the training part; 1 for a constant series.
    - `naive`: what MASE divides by, see `metrics.naive_error`.
    - `hist`, `futr`, `static`: covariates as in `elman.data.Series`, padded like the values.
    - `filled`: which values were missing and are interpolated: seen, but no truth to measure by.
    """

    id: str
    values: Array
    pad: int
    train_end: int
    scale: float
    naive: float
    hist: Array | None = None
    futr: Array | None = None
    static: Array | None = None
    filled: Flags | None = None


class Asked(Protocol):
    """The settings that say sizes; 0 leaves one to be chosen."""

    @property
    def h(self) -> int: ...
    @property
    def season(self) -> int: ...
    @property
    def window(self) -> int: ...
    @property
    def segment(self) -> int: ...
    @property
    def validation_windows(self) -> int: ...
    @property
    def test_windows(self) -> int: ...


def choose_shape(panel: Panel, asked: Asked) -> Shape:
    """Fill in what is 0, from the length of the typical series.

    Raises:
        DataError: no series is long enough.
    """
    h, season = asked.h, asked.season or panel.season
    length = int(np.median([one.values.size for one in panel.series]))
    usual = max(1, min(_MOST_WINDOWS, length // (10 * h)))
    validation, test = asked.validation_windows or usual, asked.test_windows or usual
    training = length - (validation + test) * h
    # At least as many windows to learn from as one window is long.
    window = asked.window or max(1, min(_window(h, season), _MOST_WINDOW, (training - h) // 2))
    segment = min(asked.segment or _segment(h, season), window, h)
    shape = Shape(h, window, segment, season, validation, test)
    longest = max(one.values.size for one in panel.series)
    if longest < least_length(shape):
        raise _too_short(panel, shape, longest)
    return shape


def _window(h: int, season: int) -> int:
    """Enough seasons to tell the season from chance."""
    return max(_SEASONS_SEEN.get(season, 3) * season, 2 * h, 8)


def _segment(h: int, season: int) -> int:
    """A season where it is long enough to leave several steps, and else a few values."""
    return season if 4 <= season <= 48 else max(1, min(24, h // 2))


def least_length(shape: Shape) -> int:
    """Steps that a series must have to take part: one training window with h steps to see."""
    return shape.held_out + 2 * shape.h


def _too_short(panel: Panel, shape: Shape, longest: int) -> DataError:
    need = least_length(shape)
    windows = f"{shape.test} for the test, {shape.validation} to choose by, two to train on"
    smaller = longest // (shape.test + shape.validation + 2)
    repair = (
        f"give more rows, or a smaller h (at most {smaller} here)" if smaller else "give more rows"
    )
    return DataError(
        f"{panel.understood.source}: series: one must have at least {need} steps for h={shape.h} "
        f"(windows of h steps: {windows}); got {longest} in the longest; {repair}"
    )


def split(panel: Panel, shape: Shape) -> tuple[list[Part], list[str]]:
    """The series that are long enough, ready, and the names of those that are not."""
    kept, short = [], []
    for one in panel.series:
        if one.values.size < least_length(shape):
            short.append(one.id)
        else:
            kept.append(prepare(one.id, one.values, shape, one.filled))
    return kept, short


def prepare(name: str, values: Array, shape: Shape, missing: Flags) -> Part:
    """Statistics from the training part alone, and padding for a short series."""
    end = values.size - shape.held_out
    training = values[:end]
    pad = max(0, shape.window + shape.h - end)
    padded = np.concatenate([np.full(pad, values[0]), values])
    scale = float(training.std())
    naive = naive_error(training, shape.season)
    filled = np.concatenate([np.ones(pad, bool), missing])
    scale = scale if scale > 0 else 1.0
    return Part(name, padded, pad, end + pad, scale, naive, filled=filled)


def origins(part: Part, shape: Shape, which: str) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """First steps of the forecasts of a split: all of "train", every h-th of the others."""
    if which == "train":
        return np.arange(shape.window, part.train_end - shape.h + 1)
    skipped = 0 if which == "validation" else shape.validation
    count = shape.validation if which == "validation" else shape.test
    return part.train_end + (skipped + np.arange(count)) * shape.h
