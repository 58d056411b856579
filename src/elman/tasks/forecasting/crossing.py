"""Cross-validation: forecasts made at several cutoffs, each from what came before it."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from elman.data import DataError, Panel, Series
from elman.tasks.forecasting import checks, frames
from elman.tasks.forecasting.ahead import ahead
from elman.tasks.forecasting.encoding import choose_encoding
from elman.tasks.forecasting.evaluation import Evaluation
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.learning import Job, again, examples, own_network
from elman.tasks.forecasting.linear_start import set_start, solve
from elman.tasks.forecasting.measuring import calibration_of
from elman.tasks.forecasting.memory import Memory, remember
from elman.tasks.forecasting.metrics import Array
from elman.tasks.forecasting.training import train_members
from elman.train import FitResult, FitSettings


@dataclass(frozen=True)
class Cutoffs:
    """How many cutoffs, how far apart in steps (None: h), and whether each has its own training."""

    n_windows: int = 1
    step_size: int | None = None
    refit: bool = False

    def ends(self, h: int) -> list[int]:
        """Steps between each cutoff and the end of the series, the earliest cutoff first.

        Raises:
            TypeError, ValueError: a number breaks its rule.
        """
        count = checks.count("n_windows", self.n_windows)
        step = h if self.step_size is None else checks.count("step_size", self.step_size)
        return [h + k * step for k in reversed(range(count))]


@dataclass(frozen=True)
class Made:
    """What came of one cutoff: the ends of the series there, and forecasts by column (N, h)."""

    memory: Memory
    columns: dict[str, Array]
    truth: Array


def cross_validate(job: Job, panel: Panel, cutoffs: Cutoffs, level: Iterable[float] | None) -> Any:
    """A table: names, times, cutoff, value, forecast and intervals.

    Raises:
        DataError: no series is long enough before the first cutoff.
    """
    ends = cutoffs.ends(job.settings.h)
    levels = job.settings.level if level is None else checks.levels(level)
    made: list[Made] = []
    fitted: Fitted | None = None
    for k, end in enumerate(ends):
        before = until(panel, end)
        if fitted is None or cutoffs.refit:
            job.say(f"training before cutoff {k + 1} of {len(ends)}")
            fitted = fitted_before(job, before, levels)
        memory = remember_known(before, fitted)
        columns = ahead(fitted, memory, level=levels)
        made.append(Made(memory, columns, _after(panel, memory.ids, end, job.settings.h)))
    assert fitted is not None
    return _table(fitted, made)


def _table(fitted: Fitted, made: list[Made]) -> Any:
    """All cutoffs, by series and then by cutoff."""
    ids = [name for one in made for name in one.memory.ids]
    order = np.argsort(np.asarray(ids), kind="stable")
    last = np.concatenate([one.memory.last for one in made])[order]
    times = np.stack([fitted.calendar.after(int(at), fitted.shape.h) for at in last])
    columns = {fitted.names.value: np.concatenate([one.truth for one in made])[order]}
    for name in made[-1].columns:
        columns[name] = np.concatenate([one.columns[name] for one in made])[order]
    return frames.table(fitted, [ids[k] for k in order], times, columns, last)


def until(panel: Panel, end: int) -> Panel:
    """The panel without the last `end` steps of each series; too short ones are left out.

    A gap that reaches the cutoff was filled from both sides: up to it, only what came before
    counts.

    Raises:
        DataError: no series is left.
    """
    kept = [
        _cut(one, one.values.size - end, panel) for one in panel.series if one.values.size > end
    ]
    if not kept:
        longest = max(one.values.size for one in panel.series)
        raise DataError(
            f"{panel.understood.source}: series: one must have more than {end} steps for these "
            f"cutoffs; got {longest} in the longest; lower n_windows, step_size or h"
        )
    return dataclasses.replace(panel, series=tuple(kept))


def _cut(one: Series, size: int, panel: Panel) -> Series:
    values, filled = one.values[:size].copy(), one.filled[:size]
    observed = np.flatnonzero(~filled)
    values[observed[-1] + 1 :] = values[observed[-1]]
    calendar = panel.calendar
    last = int(calendar.frequency.advance(one.first, np.asarray([size - 1]), calendar.clock)[0])
    hist = one.hist[:size].copy()
    hist[observed[-1] + 1 :] = hist[observed[-1]]
    return dataclasses.replace(one, values=values, filled=filled, last=last, hist=hist)


def fitted_before(job: Job, panel: Panel, levels: tuple[float, ...]) -> Fitted:
    """A network trained on a panel as `learn` would, without a test and without baselines."""
    # The windows after the cutoff are the test.
    shape, parts, short = examples(panel, job.settings, tested=False)
    encoding = choose_encoding(panel, shape.held_out)
    model = own_network(job, shape, encoding)
    set_start([model], solve(parts, shape))

    def train(network: nn.Module, fitting: FitSettings, **options: Any) -> FitResult:
        return job.train(network, shape, parts, job.settings, fitting, **options)

    result = train_members(model, train, job.fitting, None)
    return Fitted.of(
        panel,
        shape,
        model.eval(),
        baselines={},
        memory=remember(panel, parts, shape, encoding),
        encoding=encoding,
        evaluation=_none(job),
        short=tuple(short),
        result=result,
        manner=job.manner,
        calibration=calibration_of(parts, shape, model, job.manner._replace(levels=levels)),
        refitted=again(job, shape, parts, result, encoding) if job.settings.refit else None,
    )


def _none(job: Job) -> Evaluation:
    return Evaluation({}, {}, (), 0, 0, job.settings.h)


def remember_known(panel: Panel, fitted: Fitted) -> Memory:
    """The ends of the series at a cutoff, those that were trained on by their scale then."""
    scales = dict(zip(fitted.memory.ids, fitted.memory.scales, strict=True))
    found = remember(panel, [], fitted.shape, fitted.encoding)
    known = [scales.get(name, own) for name, own in zip(found.ids, found.scales, strict=True)]
    return dataclasses.replace(found, scales=np.asarray(known))


def _after(panel: Panel, ids: Iterable[str], end: int, h: int) -> Array:
    """The h values after a cutoff; NaN where none was observed."""
    by_name = {one.id: one for one in panel.series}
    rows = []
    for name in ids:
        one = by_name[name]
        start = one.values.size - end
        known = np.where(one.filled, np.nan, one.values)
        rows.append(known[start : start + h])
    return np.stack(rows)
