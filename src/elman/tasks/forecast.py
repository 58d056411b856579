"""Forecasting: the next h values of one or many series, from a table of times and values.

    elman train forecast sales.csv --h 28          # trains, compares with baselines, reports
    elman predict runs/forecast-sales-001          # the next 28 values of each series

The same in Python, silent and writing nothing:

    >>> from elman.tasks.forecast import Forecaster
    >>> hours = [f"2024-01-{d:02d} {h:02d}:00" for d in range(1, 32) for h in range(24)]
    >>> table = {"ds": hours, "y": [float((k % 24 - 12) ** 2) for k in range(744)]}
    >>> forecaster = Forecaster(h=6, hidden=8, steps=20).fit(table)
    >>> forecaster.predict().columns
    ['unique_id', 'ds', 'elman']

Beside every result stands what is naive, linear or without a memory. `elman demo forecast` (hourly
temperatures, 24 hours ahead) printed a test MASE of 0.985; NLinear 1.016, feedforward 0.982.
"""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from elman.cells import Cell, by_name
from elman.data import Panel, read_panel
from elman.tasks.forecasting import checks, drawing, frames, store
from elman.tasks.forecasting.baselines import baselines, choose_start, size
from elman.tasks.forecasting.evaluation import Evaluation, evaluate
from elman.tasks.forecasting.fitted import Fitted, Say, silent
from elman.tasks.forecasting.memory import remember
from elman.tasks.forecasting.network import SegmentNetwork
from elman.tasks.forecasting.splits import Part, Shape, choose_shape, split
from elman.tasks.forecasting.windows import Batch, Windows, validation_error
from elman.train import FitResult, FitSettings, fit

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes


@dataclasses.dataclass(frozen=True)
class ForecastSettings:
    """What is forecast, from what, and by which network. A step is one value of a series.

    - `h`: steps to forecast at a time.
    - `cell`: the recurrence: GRU, LSTM, RNN, or a cell of your own.
    - `id_col`: column that names the series; "" to infer it (`unique_id`, or a column of text).
    - `time_col`: column of times; "" to infer it (`ds`, or the first column of dates).
    - `target_col`: column to forecast; "" to infer it (`y`, or the only column of numbers).
    - `freq`: distance between times, such as 1h, 15m, 1d, 1bd, 1w, 1mo; "" to infer it.
    - `season`: steps after which values repeat; 0 for the usual of the frequency (24 of 1h).
    - `window`: steps that the network sees; 0 to choose it from season, h and length.
    - `segment`: steps in one step of the recurrence; 0 to choose it from season and h.
    - `hidden`: units of a recurrent layer.
    - `layers`: recurrent layers.
    - `dropout`: share of units dropped before the head and between layers in training, 0 to 1.
    - `loss`: mae (robust), huber or mse, on values divided by their standard deviation.
    - `batch_size`: windows in a batch.
    - `validation_windows`: windows of h steps to choose by; 0 for a tenth of a series, at most 30.
    - `test_windows`: windows of h steps at the end to test on; 0 for the same.
    """

    h: int
    cell: str = "GRU"
    id_col: str = ""
    time_col: str = ""
    target_col: str = ""
    freq: str = ""
    season: int = 0
    window: int = 0
    segment: int = 0
    hidden: int = 64
    layers: int = 1
    dropout: float = 0.2
    loss: Literal["mae", "huber", "mse"] = "mae"
    batch_size: int = 256
    validation_windows: int = 0
    test_windows: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError naming the field, the rule, what came and the repair."""
        checks.check_settings(self)


DEFAULT_STEPS = 1000
FIT = FitSettings(evaluate_every=100, warmup=100, ema=0.99)
"""Training unless told otherwise."""


def budgeted(f: FitSettings) -> FitSettings:
    """With DEFAULT_STEPS steps, where nothing else says how long to train."""
    return f if f.steps or f.epochs or f.minutes else dataclasses.replace(f, steps=DEFAULT_STEPS)


def examples(panel: Panel, settings: ForecastSettings) -> tuple[Shape, list[Part], list[str]]:
    """Sizes, the series that are long enough, and the names of those that are not."""
    shape = choose_shape(panel, settings)
    parts, short = split(panel, shape)
    return dataclasses.replace(shape, start=choose_start(parts, shape)), parts, short


def build(cell: type[Cell], settings: ForecastSettings, shape: Shape) -> SegmentNetwork:
    """The network, at its start."""
    size = (shape.window, shape.h, shape.segment, settings.hidden, settings.layers)
    return SegmentNetwork(cell, *size, settings.dropout, shape.start)


_LOSSES = {"mae": "l1_loss", "huber": "huber_loss", "mse": "mse_loss"}


def train(
    model: nn.Module,
    shape: Shape,
    parts: list[Part],
    s: ForecastSettings,
    f: FitSettings,
    **options: Any,
) -> FitResult:
    """Hand the batches, the loss and the score to `fit`."""
    distance = getattr(nn.functional, _LOSSES[s.loss])

    def loss(model: nn.Module, batch: Batch, carry: None) -> tuple[Tensor, None]:
        return distance(model(batch.x), batch.y), carry

    def score(model: nn.Module) -> dict[str, float]:
        return {"MASE": validation_error(model, parts, shape)}

    return fit(model, Windows(parts, shape, s.batch_size, f.seed), loss, score, f, **options)


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
        own, fitting = checks.sort_out(settings, ForecastSettings, FIT)
        self.settings = ForecastSettings(h, self.cell.__name__, **own)
        self.fit_settings = dataclasses.replace(FIT, **fitting)
        self._fitted: Fitted | None = None

    def fit(
        self,
        df: Any,
        *,
        run_dir: str | Path | None = None,
        resume: bool = False,
        progress: bool | None = None,
        say: Say = silent,
    ) -> "Forecaster":
        """Train on a table and compare with the baselines.

        Args:
            df: the path of a CSV file, a polars or pandas DataFrame, or a dict of columns: one row
                for each series and time.
            run_dir: for checkpoints and history; None writes nothing. `resume` goes on with it.
            progress: True shows progress on standard error.
            say: is given a line for each network that is trained.

        Raises:
            elman.data.DataError: the table cannot be used; says where and how to repair it.
        """
        s, f, name = self.settings, budgeted(self.fit_settings), self.cell.__name__
        panel = df if isinstance(df, Panel) else self.read(df)
        shape, parts, short = examples(panel, s)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(f.seed)
            model = build(self.cell, s, shape)
            others = baselines(model, s.dropout, shape)
        say(f"{name}, {size(model):,} parameters")
        result = train(model, shape, parts, s, f, run_dir=run_dir, resume=resume, progress=progress)
        # The same updates at most, by the same rules; minutes would give the small ones far more.
        budget = dataclasses.replace(f, minutes=None, steps=result.steps) if f.minutes else f
        for title, other in others.items():
            say(f"{title}, a baseline, {size(other):,} parameters")
            train(other, shape, parts, s, budget)
        evaluation = evaluate(parts, shape, {name: model} | others)
        memory = remember(panel, parts, shape)
        self._fitted = Fitted.of(panel, shape, model, others, memory, evaluation, result, short)
        return self

    def read(self, df: Any) -> Panel:
        """A table as `fit` understands it: `panel.understood` has the words."""
        names = ("id_col", "time_col", "target_col", "freq", "season")
        return read_panel(df, **{name: getattr(self.settings, name) for name in names})

    @property
    def fitted(self) -> Fitted:
        """What fitting left. Raises RuntimeError before it."""
        if self._fitted is None:
            raise RuntimeError("the forecaster must be fitted first: call fit, or Forecaster.load")
        return self._fitted

    def predict(self, df: Any = None, ids: Iterable[str] = (), say: Say = silent) -> "pl.DataFrame":
        """The next h values: columns as they were named, and `elman`.

        Args:
            df: new rows of known or new series, to forecast from; None for what `fit` saw last.
            ids: the series to forecast; all by default.
            say: is given what had to be assumed about new rows, a line each.
        """
        fitted = self.fitted
        return frames.predictions(fitted, fitted.ends(df, list(ids), say))

    def evaluate(self, df: Any = None) -> Evaluation:
        """Errors beside the baselines: of the fitted data, or on the end of each series of `df`."""
        fitted = self.fitted
        if df is None:
            return fitted.evaluation
        return evaluate(fitted.parts(df), fitted.shape, fitted.networks(self.cell.__name__))

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
        with store.blaming(path):
            model = build(cell, settings, stored.shape)
            others = baselines(model, settings.dropout, stored.shape)
            found._fitted = store.restore(stored, model, others)
        return found
