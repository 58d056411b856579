"""Time and accuracy beside neuralforecast: the same series, horizon and steps, one run.

Contestants take turns, round after round. Each is trained once, on what comes before the last
windows of h steps, and forecasts these windows one after another, each from what came before it.
Both see windows of the same length and take the same number of steps. Ours: defaults, and trained
again on the rows that chose (`refit`), since theirs choose by none. Theirs: defaults too, with
`scaler_type` robust, as its own forecasting comparison has it.
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
    """Forecasts (series, windows, h) and the seconds of fitting and predicting in all."""

    made: Array
    seconds: float


def ours(d: Data, seed: int) -> Timed:
    """Defaults; the windows before the first forecast choose."""
    start = time.perf_counter()
    forecaster = Forecaster(
        d.h, season=d.season, seed=seed, steps=STEPS, refit=True, window=d.window
    )
    table = forecaster.cross_validation(as_table(d.series), n_windows=d.windows, step_size=d.h)
    return Timed(_by_window(table["elman"].to_numpy(), d), time.perf_counter() - start)


def theirs(name: str, d: Data, seed: int) -> Timed:
    """One of neuralforecast's networks."""
    import pandas as pd
    from neuralforecast import NeuralForecast, models

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
    table = forecaster.cross_validation(
        pd.DataFrame(as_table(d.series)), n_windows=d.windows, step_size=d.h
    )
    table = table.sort_values(["unique_id", "cutoff", "ds"])
    return Timed(_by_window(table[name].to_numpy(), d), time.perf_counter() - start)


def _by_window(flat: Array, d: Data) -> Array:
    return flat.reshape(len(d.series), d.windows, d.h)


def measured(d: Data, run: Callable[[], Timed]) -> dict[str, Any]:
    """MASE (season of what was trained on), MAPE where no value is zero, and seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, seconds = run()
    truth, held = d.tail(), d.windows * d.h
    scale = np.array([np.abs(y[d.season : -held] - y[: -held - d.season]).mean() for y in d.series])
    errors = np.abs(truth - made)
    mase = float(np.mean(errors.mean((1, 2)) / scale))
    mape = float(100 * (errors[truth != 0] / np.abs(truth[truth != 0])).mean())
    return {"mase": mase, "mape": mape, "seconds": seconds}


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
    print("data            method                  windows   MASE   MAPE %  seconds   (medians)")
    for title, d in sets(data).items():
        found: dict[str, list[dict[str, Any]]] = {}
        for seed in range(seeds):
            for name, run in contestants.items():
                key = {"experiment": "rivals", "data": title, "method": name, "seed": seed}
                key |= {"steps": STEPS, "windows": d.windows, "threads": torch.get_num_threads()}
                record = run_once(key, lambda: measured(d, lambda: run(d, seed)), again)  # noqa: B023
                found.setdefault(name, []).append(record)
        for name, records in found.items():
            mase, mape, spent = (
                np.median([r[c] for r in records]) for c in ("mase", "mape", "seconds")
            )
            row = f"{d.windows:7d}  {mase:6.3f}  {mape:7.2f}  {spent:7.1f}"
            print(f"{title:15s} {name:22s} {row}", flush=True)
