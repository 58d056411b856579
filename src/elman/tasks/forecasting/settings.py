"""The settings of a forecast."""

import dataclasses
from typing import Any, Literal

from elman.nn.sequence import check_clip
from elman.tasks.forecasting import checks
from elman.train import FitSettings

_LISTS = ("hist_exog_list", "futr_exog_list", "stat_exog_list")
_READ = ("id_col", "time_col", "target_col", "freq", "season", *_LISTS)


@dataclasses.dataclass(frozen=True)
class ForecastSettings:
    """What is forecast, from what, and by which network. A step is one value of a series.

    - `h`: steps to forecast at a time.
    - `cell`: the recurrence: GRU, LSTM, RNN, or a cell of your own.
    - `id_col`: column that names the series; "" to infer it (`unique_id`, or a column of text).
    - `time_col`: column of times; "" to infer it (`ds`, or the first column of dates).
    - `target_col`: column to forecast; "" to infer it (`y`, or the only column of numbers).
    - `freq`: distance between times, such as 1h, 15m, 1d, 1bd, 1w, 1mo; "" to infer it.
    - `futr_exog_list`: columns of covariates that are known ahead, as holidays and prices are.
    - `hist_exog_list`: columns of covariates that are known as far as the values are.
    - `stat_exog_list`: columns of covariates that do not change within a series.
    - `level`: prediction intervals, in per cent: 80 is to hold 80 of 100 values. None for none.
    - `support`: real; nonnegative (cut at 0); integer (counts: whole numbers from 0 on).
    - `season`: steps after which values repeat; 0 for the usual of the frequency (24 of 1h).
    - `window`: steps that the network sees; 0 to choose it from season, h and length.
    - `segment`: steps in one step of the recurrence; 0 to choose it from season and h.
    - `hidden`: units of a recurrent layer.
    - `layers`: recurrent layers.
    - `dropout`: share of units dropped before the head and between layers in training, 0 to 1.
    - `clip_steps`: longest gradient of the state at each step, on its way back; by default no
      limit. With one, the native engine runs, or the slow reference: torch's layers cannot.
    - `loss`: mae (robust), huber or mse, on values divided by their scale.
    - `per`: what an error is divided by in the loss: the naive step of its series, as in MASE; the
      scale, which is the standard deviation; owa, the mean of MASE and of one over the level.
    - `transform`: log, where changes are in per cent, or none; auto to choose on validation.
    - `batch_size`: windows in a batch.
    - `ensemble`: networks, each with a seed of its own, whose forecasts are averaged.
    - `refit`: train again on all rows after the evaluation, before forecasting.
    - `ets_series`: series up to which AutoETS is a baseline, if statsforecast is installed.
    - `validation_windows`: windows of h steps to choose by; 0 for a tenth of a series, at most 30.
    - `test_windows`: windows of h steps at the end to test on; 0 for the same.
    """

    h: int
    cell: str = "GRU"
    id_col: str = ""
    time_col: str = ""
    target_col: str = ""
    freq: str = ""
    futr_exog_list: tuple[str, ...] = ()
    hist_exog_list: tuple[str, ...] = ()
    stat_exog_list: tuple[str, ...] = ()
    level: tuple[float, ...] = (80, 95)
    support: Literal["real", "nonnegative", "integer"] = "real"
    season: int = 0
    window: int = 0
    segment: int = 0
    hidden: int = 64
    layers: int = 1
    dropout: float = 0.2
    clip_steps: float | None = None
    loss: Literal["mae", "huber", "mse"] = "mae"
    per: Literal["mase", "scale", "owa"] = "mase"
    transform: Literal["auto", "none", "log"] = "auto"
    batch_size: int = 256
    ensemble: int = 1
    refit: bool = False
    ets_series: int = 50
    validation_windows: int = 0
    test_windows: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError naming the field, the rule, what came and the repair."""
        object.__setattr__(self, "level", checks.levels(self.level))
        for name in ("futr_exog_list", "hist_exog_list", "stat_exog_list"):
            object.__setattr__(self, name, checks.names(name, getattr(self, name)))
        object.__setattr__(self, "clip_steps", check_clip(self.clip_steps))
        checks.check_settings(self)

    @property
    def reading(self) -> dict[str, Any]:
        """What `elman.data.read_panel` is told."""
        return {name: getattr(self, name) for name in _READ}


DEFAULT_STEPS = 1000
FIT = FitSettings(evaluate_every=100, warmup=100, ema=0.99)
"""Training unless told otherwise."""


def budgeted(f: FitSettings) -> FitSettings:
    """With DEFAULT_STEPS steps, where nothing else says how long to train."""
    return f if f.steps or f.epochs or f.minutes else dataclasses.replace(f, steps=DEFAULT_STEPS)
