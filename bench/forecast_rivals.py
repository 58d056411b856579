"""Time and accuracy beside neuralforecast: the same series, horizon and steps, one run.

Contestants take turns, round after round. Each is fitted once, on what comes before the last
windows of h steps, and forecasts these windows one after another, each from all rows before it,
without being fitted again. Seconds of fitting and of predicting are apart, each with what it takes
to read its table. Both see windows of the same length and take the same number of steps.

- `elman GRU`: defaults. The network alone, as `cross_validation` trains it: with a choice on
  validation, and then again on the rows that chose (`refit`), since theirs choose by none.
- `elman GRU, reported`: the same through `Forecaster.fit`, which keeps a test for itself, trains
  both baselines beside the network and measures all; what a user waits for.
- Theirs: defaults too, with `scaler_type` robust, as its own forecasting comparison has it.
"""

import importlib.metadata
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from forecast_runs import air_passengers, as_table, m4_hourly, run_once

from elman.data import demo_file, read_panel
from elman.tasks.forecast import Forecaster
from elman.tasks.forecasting.crossing import fitted_before
from elman.tasks.shared import silent

Array = np.ndarray[Any, Any]

STEPS = 300
THEIRS = ("GRU", "LSTM", "NHITS")


class Data(NamedTuple):
    """Series, how many steps are forecast at a time, how often, and the season."""

    series: list[Array]
    h: int
    windows: int
    season: int

    @property
    def window(self) -> int:
        """What both see: at most two weeks of hours or three years of months."""
        shortest = min(len(y) for y in self.series) - (self.windows + 2) * self.h
        return min(14 * 24 if self.season == 24 else 36, shortest)

    def before(self, k: int) -> dict[str, list[Any]]:
        """The table of all rows before window `k`."""
        held = (self.windows - k) * self.h
        return as_table([y[:-held] for y in self.series])

    def tail(self) -> Array:
        """The values that are forecast: (series, windows, h)."""
        held = self.windows * self.h
        return np.stack([y[-held:].reshape(self.windows, self.h) for y in self.series])


def sets(data: Path) -> dict[str, Data]:
    """The three sets, by name."""
    panel = read_panel(str(demo_file("forecast")))
    train, test = m4_hourly(data)
    hourly = [np.concatenate(both) for both in list(zip(train, test, strict=True))[::8][:50]]
    return {
        "AirPassengers": Data([air_passengers(data)], 12, 3, 12),
        "airports": Data([one.values for one in panel.series], 24, 14, 24),
        "M4 Hourly, 50": Data(hourly, 48, 3, 24),
    }


class Timed(NamedTuple):
    """Forecasts (series, windows, h), seconds of the fit, and those of each window's predict."""

    made: Array
    fit: float
    predict: list[float]


Predict = Callable[[dict[str, list[Any]]], Any]
"""From all rows before a window to its forecasts, flat, the first series first."""


def timed(d: Data, fit: Callable[[dict[str, list[Any]]], Predict]) -> Timed:
    """Fit on what comes before the windows, then predict each from the rows before it."""
    rows = d.before(0)
    start = time.perf_counter()
    predict = fit(rows)
    fitting = time.perf_counter() - start
    made, seconds = [], []
    for k in range(d.windows):
        rows = d.before(k)
        start = time.perf_counter()
        made.append(np.asarray(predict(rows)).reshape(len(d.series), d.h))
        seconds.append(time.perf_counter() - start)
    return Timed(np.stack(made, axis=1), fitting, seconds)


def ours(d: Data, seed: int, reported: bool) -> Timed:
    """Defaults; the windows before the first forecast choose. `reported`: with the baselines."""

    def fit(rows: dict[str, list[Any]]) -> Predict:
        forecaster = Forecaster(
            d.h, season=d.season, seed=seed, steps=STEPS, refit=True, window=d.window
        )
        if reported:
            forecaster.fit(rows)
        else:
            # What `cross_validation` does before its first cutoff.
            job = forecaster._job(silent)
            forecaster._fitted = fitted_before(
                job, forecaster.read(rows), forecaster.settings.level
            )
        return lambda rows: forecaster.predict(rows)["elman"]

    return timed(d, fit)


def theirs(name: str, d: Data, seed: int) -> Timed:
    """One of neuralforecast's networks."""
    import pandas as pd
    from neuralforecast import NeuralForecast, models

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    quiet |= {"enable_checkpointing": False, "accelerator": "cpu"}

    def fit(rows: dict[str, list[Any]]) -> Predict:
        model = getattr(models, name)(
            h=d.h,
            input_size=d.window,
            max_steps=STEPS,
            random_seed=seed + 1,
            scaler_type="robust",
            **quiet,
        )
        forecaster = NeuralForecast([model], freq=1)
        forecaster.fit(pd.DataFrame(rows), val_size=0)
        return lambda rows: forecaster.predict(pd.DataFrame(rows))[name]

    return timed(d, fit)


def measured(d: Data, run: Callable[[], Timed]) -> dict[str, Any]:
    """MASE (season of what was trained on), MAPE where no value is zero, and seconds.

    `predict` is the median over the windows; the first, which may warm up, is `predict_first`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, fit, predict = run()
    truth, held = d.tail(), d.windows * d.h
    scale = np.array([np.abs(y[d.season : -held] - y[: -held - d.season]).mean() for y in d.series])
    errors = np.abs(truth - made)
    mase = float(np.mean(errors.mean((1, 2)) / scale))
    mape = float(100 * (errors[truth != 0] / np.abs(truth[truth != 0])).mean())
    seconds = {"predict": float(np.median(predict)), "predict_first": predict[0]}
    return {"mase": mase, "mape": mape, "fit": fit} | seconds


def contestants() -> tuple[str, dict[str, Callable[[Data, int], Timed]]]:
    """The version of neuralforecast, and who takes part."""
    found: dict[str, Callable[[Data, int], Timed]] = {
        "elman GRU": lambda d, seed: ours(d, seed, reported=False),
        "elman GRU, reported": lambda d, seed: ours(d, seed, reported=True),
    }
    try:
        version = importlib.metadata.version("neuralforecast")
    except importlib.metadata.PackageNotFoundError:
        return "not installed: make bench installs it", found
    return version, found | {
        f"neuralforecast {name}": lambda d, seed, name=name: theirs(name, d, seed)  # type: ignore[misc]
        for name in THEIRS
    }


def main(data: Path, seeds: int, again: bool) -> None:
    """Run what is missing on one thread and on all, taking turns, and print the table."""
    version, everyone = contestants()
    print(f"neuralforecast {version}; {STEPS} steps each; medians over {seeds} seeds")
    print("fit s: once, before the first window; predict s: one window of all series, no refit")
    heads = "windows   MASE   MAPE %   fit s  predict s"
    print(f"threads  {'data':15s} {'method':22s} {heads}")
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        for title, d in sets(data).items():
            found: dict[str, list[dict[str, Any]]] = {}
            for seed in range(seeds):
                for name, run in everyone.items():
                    key = {"experiment": "rivals", "data": title, "method": name, "seed": seed}
                    key |= {"steps": STEPS, "windows": d.windows, "threads": threads}
                    record = run_once(key, lambda: measured(d, lambda: run(d, seed)), again)  # noqa: B023
                    found.setdefault(name, []).append(record)
            for name, records in found.items():
                print(f"{threads:7d}  {title:15s} {name:22s} {row(d, records)}", flush=True)


def row(d: Data, records: list[dict[str, Any]]) -> str:
    """The medians over the seeds, for people."""
    names = ("mase", "mape", "fit", "predict")
    mase, mape, fit, predict = (np.median([r[name] for r in records]) for name in names)
    return f"{d.windows:7d}  {mase:6.3f}  {mape:7.2f}  {fit:6.1f}  {predict:9.3f}"
