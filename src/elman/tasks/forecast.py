"""Forecasting: the next h values of one or many series, from a table of times and values.

    elman train forecast sales.csv --h 28          # trains, compares with baselines, reports
    elman predict runs/forecast-sales-001          # the next 28 values of each series

The same in Python, silent and writing nothing:

    >>> from elman.tasks.forecast import Forecaster
    >>> hours = [f"2024-01-{d:02d} {h:02d}:00" for d in range(1, 32) for h in range(24)]
    >>> table = {"ds": hours, "y": [float((k % 24 - 12) ** 2) for k in range(744)]}
    >>> forecaster = Forecaster(h=6, hidden=8, steps=20).fit(table)
    >>> forecaster.predict(level=[80]).columns
    ['unique_id', 'ds', 'elman', 'elman-lo-80', 'elman-hi-80']

`elman demo forecast` printed a test MASE of 0.989; NLinear 1.029, feedforward 0.989.
"""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from elman.cells import Cell, by_name
from elman.data import Panel, get_missing_future, make_future_dataframe, read_panel
from elman.tasks.forecasting import drawing, frames, store, streaming
from elman.tasks.forecasting.ahead import ahead
from elman.tasks.forecasting.contest import Contest as Contest
from elman.tasks.forecasting.crossing import Cutoffs, cross_validate
from elman.tasks.forecasting.evaluation import Evaluation
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.intervals import probabilities
from elman.tasks.forecasting.learning import Job, examples, learn, measured, networks
from elman.tasks.forecasting.linear_start import Kept
from elman.tasks.forecasting.network import SegmentNetwork
from elman.tasks.forecasting.settings import DEFAULT_STEPS, FIT, ForecastSettings, budgeted
from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.spread import objective
from elman.tasks.forecasting.windows import Batch, Validation, Windows
from elman.tasks.shared import Say, silent, sort_out
from elman.train import FitResult, FitSettings, fit
from elman_runtime.stream import Stream

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DEFAULT_STEPS", "FIT", "ForecastSettings", "Forecaster", "budgeted", "examples"]


def build(
    cell: type[Cell], settings: ForecastSettings, shape: Shape, **covariates: int
) -> SegmentNetwork:
    """The network, at its start; `covariates` says how many there are of each kind."""
    size = (shape.window, shape.h, shape.segment, settings.hidden, settings.layers)
    more: dict[str, Any] = dict(covariates, clip_steps=settings.clip_steps)
    quantiles = probabilities(settings.level)
    return SegmentNetwork(cell, *size, settings.dropout, shape.start, quantiles=quantiles, **more)


def train(
    model: nn.Module,
    shape: Shape,
    parts: list[Part],
    s: ForecastSettings,
    f: FitSettings,
    choose: bool = True,
    **options: Any,
) -> FitResult:
    """Hand the batches, the loss and the score to `fit`; without `choose`, nothing is chosen."""
    quantiles = probabilities(s.level)

    def loss(model: nn.Module, batch: Batch, carry: None) -> tuple[Tensor, None]:
        made = model(*batch.inputs)
        return objective(made, batch.y, batch.weight, s.loss, quantiles), carry

    windows = Windows(parts, shape, s.batch_size, f.seed, per=s.per)
    if not choose:
        return fit(model, windows, loss, None, f, **options)
    score = Validation(parts, shape).score
    start = Kept(model, score)
    return start.unless_better(fit(model, windows, loss, score, f, **options))


class Forecaster:
    """Fits a recurrent network to series and forecasts them.

    Args:
        h: steps to forecast.
        cell: a built-in cell's name, or a Cell class.
        settings: fields of `ForecastSettings` and of `elman.train.FitSettings`, by name.

    Raises:
        TypeError, ValueError: a setting is unknown or breaks its rule.
    """

    def __init__(self, h: int, cell: str | type[Cell] = "GRU", **settings: Any) -> None:
        self.cell = by_name(cell) if isinstance(cell, str) else cell
        own, fitting = sort_out(settings, ForecastSettings, FIT)
        self.settings = ForecastSettings(h, self.cell.__name__, **own)
        self.fit_settings = dataclasses.replace(FIT, **fitting)
        self._fitted: Fitted | None = None
        self._sizes = vars(self.settings)

    def fit(
        self,
        df: Any,
        static_df: Any = None,
        futr_df: Any = None,
        *,
        warm_start: bool = False,
        run_dir: str | Path | None = None,
        resume: bool = False,
        progress: bool | None = None,
        say: Say = silent,
    ) -> "Forecaster":
        """Train on a table and compare with the baselines.

        Args:
            df: a path, a dataframe, or a dict of columns: one row for each series and time.
            static_df: a row a series with `stat_exog_list`; futr_df: rows after the end with
                `futr_exog_list`.
            warm_start: begin with the weights of the last fit, or of the model that was loaded.
            run_dir: for checkpoints and history; None writes nothing. `resume` goes on with it.
            progress: True shows progress on standard error. `say` is given what has to be known.

        Raises:
            elman.data.DataError: the table cannot be used; says where and how to repair it.
            ValueError: values are off the support, or the weights to start from do not fit.
        """
        panel = df if isinstance(df, Panel) else self.read(df, static_df, futr_df)
        before = (self.fitted, self._sizes) if warm_start else None
        run = None if run_dir is None else Path(run_dir)
        self._fitted = learn(self._job(say), panel, before, run, resume=resume, progress=progress)
        self._sizes = vars(self.settings)
        return self

    def _job(self, say: Say) -> Job:
        return Job(self.cell, self.settings, budgeted(self.fit_settings), build, train, say)

    def from_weights(self, other: "Forecaster") -> "Forecaster":
        """Take over what another learnt, for `fit(df, warm_start=True)` to begin with."""
        self._fitted, self._sizes = other.fitted, other._sizes
        return self

    def read(self, df: Any, static_df: Any = None, futr_df: Any = None) -> Panel:
        """A table as `fit` understands it: `panel.understood` has the words."""
        return read_panel(df, static_df=static_df, futr_df=futr_df, **self.settings.reading)

    @property
    def fitted(self) -> Fitted:
        """What fitting left. Raises RuntimeError before it."""
        if self._fitted is None:
            raise RuntimeError("the forecaster must be fitted first: call fit, or Forecaster.load")
        return self._fitted

    def predict(
        self,
        df: Any = None,
        futr_df: Any = None,
        static_df: Any = None,
        *,
        h: int | None = None,
        level: Iterable[float] | None = None,
        ids: Iterable[str] = (),
        say: Say = silent,
    ) -> Any:
        """The next steps, in the library of `df`: columns as named, `elman`, `elman-lo-80`, ...

        Args:
            df: new rows of known or new series, to forecast from; None for what `fit` saw last.
            futr_df, static_df: covariates known ahead (`make_future_dataframe`); unchanging ones.
            h: steps; None for those it was fitted for. More go on from its own forecasts.
            level: of the intervals, in per cent; None for those of the settings, [] for none.
            ids: the series; all by default. `say` is given what had to be assumed, a line each.
        """
        fitted = self.fitted.answering(df)
        memory = fitted.ends(df, list(ids), say, static_df)
        columns = ahead(fitted, memory, h, level, futr_df, say)
        return frames.predictions(fitted, memory, columns)

    def make_future_dataframe(self, df: Any = None, h: int | None = None) -> Any:
        """The rows that `futr_df` must have: names and times of the next h steps."""
        ends = self.fitted.answering(df).after_rows(df)
        return make_future_dataframe(ends, self.fitted.shape.h if h is None else h)

    def get_missing_future(self, futr_df: Any, df: Any = None, h: int | None = None) -> Any:
        """The rows that `futr_df` lacks for a forecast of h steps; empty where none is missing."""
        ends = self.fitted.answering(futr_df).after_rows(df)
        return get_missing_future(ends, futr_df, self.fitted.shape.h if h is None else h)

    def evaluate(self, df: Any = None, static_df: Any = None) -> Evaluation:
        """Errors beside the baselines: of the fitted data, or on the end of each series of `df`."""
        if df is None:
            return self.fitted.evaluation
        return measured(self.fitted, df, self.cell.__name__, self.settings.ets_series, static_df)

    def cross_validation(
        self,
        df: Any,
        n_windows: int = 1,
        step_size: int | None = None,
        *,
        static_df: Any = None,
        refit: bool = False,
        level: Iterable[float] | None = None,
        say: Say = silent,
    ) -> Any:
        """Forecasts made at `n_windows` cutoffs: names, times, cutoff, value, `elman`, intervals.

        Nothing after a cutoff is used for its forecasts. What was fitted before stays as it is.

        Args:
            n_windows, step_size: cutoffs of each series, and steps between them; h by default.
            refit: train before each; else once, before the first. `level`, `say`: as in `predict`.
        """
        panel = df if isinstance(df, Panel) else self.read(df, static_df)
        return cross_validate(self._job(say), panel, Cutoffs(n_windows, step_size, refit), level)

    def stream(self, series: str | None = None) -> Stream:
        """A series (None: the only one) to feed value by value; `streaming.stream` says more."""
        return streaming.stream(self.fitted, self.settings, series)

    def plot(self, series: str | None = None, ax: "Axes | None" = None) -> "Axes":
        """The end of a series (the first by default) and its forecast, drawn on `ax`."""
        return drawing.next_steps(self.fitted, series, ax)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file that holds all that `predict` needs."""
        store.save(path, self.settings, self.fit_settings, self.fitted)

    @staticmethod
    def load(path: str | os.PathLike[str], cells: Iterable[type[Cell]] = ()) -> "Forecaster":
        """The forecaster that `save` wrote; `cells` are your own, where it has one.

        Raises:
            elman_runtime.ModelFileError: the file is damaged or holds something else.
            ValueError: its cell is not built in and not among `cells`.
        """
        stored = store.read(path)
        with store.blaming(path):
            settings = ForecastSettings(**stored.settings)
            fitting = FitSettings(**stored.fit)
        cell = by_name(settings.cell, cells)
        found = Forecaster(**vars(settings) | vars(fitting) | {"cell": cell})
        job = Job(cell, settings, fitting, build, train)
        with store.blaming(path):
            found._fitted = store.restore(stored, *networks(job, stored.shape, stored.encoding))
        return found
