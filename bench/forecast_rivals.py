"""Time and accuracy beside neuralforecast: the same series, horizon and steps, one run.

Contestants take turns, round after round. Both see the same past and forecast the last h steps of
each series. Ours: defaults. Theirs: defaults too, with the same number of steps and windows of the
same length; `scaler_type` robust, as its own forecasting comparison has it.
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

Array = np.ndarray[Any, Any]

STEPS = 300
THEIRS = ("GRU", "LSTM", "NHITS")


class Data(NamedTuple):
    """Series, how many steps are forecast, and after how many values repeat."""

    series: list[Array]
    h: int
    season: int

    @property
    def window(self) -> int:
        """What both see: at most two weeks of hours or three years of months."""
        shortest = min(len(y) for y in self.series) - 3 * self.h
        return min(14 * 24 if self.season == 24 else 36, shortest)


def sets(data: Path) -> dict[str, Data]:
    """The three sets, by name."""
    panel = read_panel(str(demo_file("forecast")))
    train, test = m4_hourly(data)
    hourly = [np.concatenate(both) for both in list(zip(train, test, strict=True))[::8][:50]]
    return {
        "AirPassengers": Data([air_passengers(data)], 12, 12),
        "airports": Data([one.values for one in panel.series], 24, 24),
        "M4 Hourly, 50": Data(hourly, 48, 24),
    }


class Timed(NamedTuple):
    """Forecasts (series, h) and the seconds of fitting and predicting."""

    made: Array
    fitting: float
    predicting: float


def ours(d: Data, seed: int) -> Timed:
    """Defaults; the last window of the past chooses."""
    past = as_table([y[: -d.h] for y in d.series])
    sizes = {"window": d.window, "validation_windows": 1, "test_windows": 1, "ets_series": 0}
    start = time.perf_counter()
    forecaster = Forecaster(d.h, season=d.season, seed=seed, steps=STEPS, refit=True, **sizes)
    forecaster.fit(past)
    middle = time.perf_counter()
    made = forecaster.predict()["elman"].to_numpy().reshape(-1, d.h)
    return Timed(made, middle - start, time.perf_counter() - middle)


def theirs(name: str, d: Data, seed: int) -> Timed:
    """One of neuralforecast's networks."""
    import pandas as pd
    from neuralforecast import NeuralForecast, models

    past = pd.DataFrame(as_table([y[: -d.h] for y in d.series]))
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    quiet |= {"enable_checkpointing": False, "accelerator": "cpu"}
    model = getattr(models, name)(
        h=d.h,
        input_size=d.window,
        max_steps=STEPS,
        random_seed=seed + 1,
        scaler_type="robust",
        **quiet,
    )
    start = time.perf_counter()
    forecaster = NeuralForecast([model], freq=1)
    forecaster.fit(past)
    middle = time.perf_counter()
    made = forecaster.predict()[name].to_numpy().reshape(-1, d.h)
    return Timed(made, middle - start, time.perf_counter() - middle)


def measured(d: Data, run: Callable[[], Timed]) -> dict[str, Any]:
    """MASE (season of the past), MAPE where no value is zero, and seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, fitting, predicting = run()
    truth = np.stack([y[-d.h :] for y in d.series])
    scale = [np.abs(y[d.season : -d.h] - y[: -d.h - d.season]).mean() for y in d.series]
    mase = float(np.mean(np.abs(truth - made).mean(1) / scale))
    relative = np.abs(made - truth)[truth != 0] / np.abs(truth[truth != 0])
    mape = float(100 * relative.mean())
    return {"mase": mase, "mape": mape, "fit seconds": fitting, "predict seconds": predicting}


def main(data: Path, seeds: int, again: bool) -> None:
    """Run what is missing, taking turns, and print the table."""
    contestants: dict[str, Callable[[Data, int], Timed]] = {"elman GRU": ours}
    try:
        version = importlib.metadata.version("neuralforecast")
        contestants |= {
            f"neuralforecast {name}": lambda d, seed, name=name: theirs(name, d, seed)  # type: ignore[misc]
            for name in THEIRS
        }
    except importlib.metadata.PackageNotFoundError:
        version = "not installed: make bench installs it"
    print(f"neuralforecast {version}; {torch.get_num_threads()} threads, {STEPS} steps each")
    print("data            method                   MASE   MAPE %   fit s  predict ms   (medians)")
    for title, d in sets(data).items():
        found: dict[str, list[dict[str, Any]]] = {}
        for seed in range(seeds):
            for name, run in contestants.items():
                key = {"experiment": "rivals", "data": title, "method": name, "seed": seed}
                key |= {"steps": STEPS, "threads": torch.get_num_threads()}
                record = run_once(key, lambda: measured(d, lambda: run(d, seed)), again)  # noqa: B023
                found.setdefault(name, []).append(record)
        for name, records in found.items():
            columns = ("mase", "mape", "fit seconds", "predict seconds")
            mase, mape, fit, predict = (np.median([r[c] for r in records]) for c in columns)
            row = f"{mase:6.3f}  {mape:7.2f}  {fit:6.1f}  {1000 * predict:8.1f}"
            print(f"{title:15s} {name:22s} {row}", flush=True)
