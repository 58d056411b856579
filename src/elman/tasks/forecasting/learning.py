"""From a panel to all that fitting leaves: networks, baselines, evaluation, intervals."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from elman.cells import Cell
from elman.data import Panel
from elman.tasks.forecasting import statistical, training
from elman.tasks.forecasting.ahead import too_few
from elman.tasks.forecasting.baselines import baselines, choose_start, size
from elman.tasks.forecasting.encoding import NOTHING, Encoding, choose_encoding
from elman.tasks.forecasting.evaluation import Evaluation
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.intervals import Calibration
from elman.tasks.forecasting.linear_start import choose_transform, set_start, solve
from elman.tasks.forecasting.measuring import Manner, evaluate
from elman.tasks.forecasting.memory import remember
from elman.tasks.forecasting.settings import ForecastSettings
from elman.tasks.forecasting.splits import Part, Shape, choose_shape, split
from elman.tasks.shared import Say, silent
from elman.train import FitResult, FitSettings

_FEW = 5  # windows to choose by, of all series: fewer are warned of


@dataclasses.dataclass(frozen=True)
class Job:
    """What is trained and how: settings, and the page's `build` and `train`."""

    cell: type[Cell]
    settings: ForecastSettings
    fitting: FitSettings
    build: Callable[..., nn.Module]
    train: Callable[..., FitResult]
    say: Say = silent

    @property
    def manner(self) -> Manner:
        """How its forecasts are measured."""
        return Manner(self.settings.level, self.settings.support)


def examples(
    panel: Panel,
    settings: ForecastSettings,
    tested: bool = True,
    encoding: Encoding | None = None,
) -> tuple[Shape, list[Part], list[str]]:
    """Sizes, the series that are long enough, and the names of those that are not.

    Without `tested`, what would be the test is trained on. Covariates are put on the scale of
    `encoding`; by default that of the training parts.
    """
    shape = choose_shape(panel, settings)
    shape = shape if tested else dataclasses.replace(shape, test=0)
    parts, short = split(panel, shape)
    encoding = encoding or choose_encoding(panel, shape.held_out)
    series = {one.id: one for one in panel.series}
    parts = [encoding.of(part, series[part.id]) for part in parts]
    shape = dataclasses.replace(shape, start=choose_start(parts, shape))
    return choose_transform(parts, shape, settings.transform), parts, short


def own_network(job: Job, shape: Shape, encoding: Encoding = NOTHING) -> nn.Module:
    """The network, or the ensemble, each at the start that its seed gives."""

    def one(k: int) -> nn.Module:
        torch.manual_seed((job.fitting.seed + k) % 2**63)
        return job.build(job.cell, job.settings, shape, **encoding.sizes)

    with torch.random.fork_rng(devices=[]):
        return training.fresh_networks(job.settings.ensemble, one)


def networks(
    job: Job, shape: Shape, encoding: Encoding = NOTHING
) -> tuple[nn.Module, dict[str, nn.Module]]:
    """The network and its baselines, at their start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.fitting.seed)
        model = own_network(job, shape, encoding)
        return model, baselines(model, job.settings.dropout, shape, encoding.sizes)


def learn(
    job: Job,
    panel: Panel,
    before: tuple[Fitted, dict[str, Any]] | None = None,
    run_dir: Path | None = None,
    **options: Any,
) -> Fitted:
    """Train and measure everything.

    Args:
        before: what was fitted before, to start from, and the settings it was fitted by.
        run_dir: for checkpoints and history; None writes nothing.
        options: `resume` and `progress` of `elman.train.fit`.
    """
    training.check_support(panel, job.settings.support)
    if before is not None:
        job = dataclasses.replace(job, settings=training.as_before(job.settings, *before))
    known = None if before is None else before[0].encoding
    shape, parts, short = examples(panel, job.settings, encoding=known)
    encoding = known or choose_encoding(panel, shape.held_out)
    notes = []
    if before is not None:
        was = before[0].shape
        shape = dataclasses.replace(shape, start=was.start, log=was.log)
        notes.append(training.seen_before(before[0], panel, parts, shape))
    model, others = networks(job, shape, encoding)
    start = solve(parts, shape)
    if before is None:
        set_start([model, *others.values()], start)
    else:
        training.start_from({"": model} | others, before[0])
    result = train_all(job, model, others, shape, parts, run_dir, options)
    notes.append(statistical.note(len(parts), job.settings.ets_series))
    ets = statistical.methods(shape, len(parts), job.settings.ets_series)
    everyone = {job.cell.__name__: model} | others
    evaluation, calibration = evaluate(parts, shape, everyone, job.manner, ets)
    notes.append(few_windows(len(parts), shape))
    notes += _warnings(calibration, job.settings, result)
    refitted = again(job, shape, parts, result, encoding) if job.settings.refit else None
    for note in filter(None, notes):
        job.say(note)
    return Fitted.of(
        panel,
        shape,
        model.eval(),
        baselines={title: other.eval() for title, other in others.items()},
        memory=remember(panel, parts, shape, encoding),
        evaluation=evaluation,
        short=tuple(short),
        result=result,
        manner=job.manner,
        calibration=calibration,
        refitted=refitted,
        notes=tuple(filter(None, notes)),
        encoding=encoding,
    )


def few_windows(series: int, shape: Shape) -> str:
    """What is said of a verdict that rests on next to nothing; "" where it does not."""
    if series * shape.validation >= _FEW:
        return ""
    count = series * shape.validation
    windows = "one window" if count == 1 else f"{count} windows"
    return (
        f"methods are compared on {windows} of {shape.h} steps alone: which is better may be "
        "chance; more validation_windows and test_windows say more, or cross_validation"
    )


def _warnings(calibration: Calibration, s: ForecastSettings, result: FitResult) -> list[str]:
    """What has to be known about intervals and forecasts; "" for nothing."""
    weak = calibration.weak(s.level)
    return [too_few(weak) if weak else "", _refit_note(result) if s.refit else ""]


def train_all(
    job: Job,
    model: nn.Module,
    others: dict[str, nn.Module],
    shape: Shape,
    parts: list[Part],
    run_dir: Path | None,
    options: dict[str, Any],
) -> FitResult:
    """Train the network, then each baseline with the same budget."""
    s, f = job.settings, job.fitting
    each = f"{s.ensemble} networks, " if s.ensemble > 1 else ""
    job.say(f"{job.cell.__name__}, {each}{size(model):,} parameters")

    def own(
        network: nn.Module, fitting: FitSettings, run_dir: Path | None, **more: Any
    ) -> FitResult:
        return job.train(network, shape, parts, s, fitting, run_dir=run_dir, **more)

    result = training.train_members(model, own, f, run_dir, **options)
    # The same updates at most, by the same rules; minutes would give the small ones far more.
    budget = dataclasses.replace(f, minutes=None, steps=result.steps) if f.minutes else f
    for title, other in others.items():
        job.say(f"{title}, a baseline, {size(other):,} parameters")
        job.train(other, shape, parts, s, budget)
    return result


def again(
    job: Job,
    shape: Shape,
    parts: list[Part],
    result: FitResult,
    encoding: Encoding,
) -> nn.Module:
    """The network trained on all rows."""
    job.say(f"{job.cell.__name__}, again on all rows, {result.best_step:,} steps")

    def blindly(network: nn.Module, whole: list[Part], fitting: FitSettings) -> FitResult:
        return job.train(network, shape, whole, job.settings, fitting, choose=False)

    fresh = own_network(job, shape, encoding)
    whole = training.on_all_rows(parts)
    set_start([fresh], solve(whole, shape, solve(parts, shape).penalty))
    return training.train_again(fresh, blindly, parts, job.fitting, result)


def _refit_note(result: FitResult) -> str:
    if not result.best_step:
        return "forecasts are by the linear start, solved for all rows: training was no better"
    return (
        f"forecasts are by the network trained again on all rows ({result.best_step:,} steps); "
        "errors and intervals are those of the one before, which had not seen the test"
    )


def measured(
    fitted: Fitted, df: Any, name: str, ets_series: int, static_df: Any = None
) -> Evaluation:
    """Errors on the end of each series of a table, by the networks as they were evaluated."""
    parts = fitted.parts(df, static_df)
    others = statistical.methods(fitted.shape, len(parts), ets_series)
    everyone = fitted.networks(name)
    found, _ = evaluate(parts, fitted.shape, everyone, fitted.manner, others, fitted.calibration)
    return found
