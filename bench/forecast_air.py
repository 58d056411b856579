"""AirPassengers: 12 months ahead after 108, 120 and 132 months, MAPE in per cent.

Holt-Winters (additive trend, multiplicative season) is statsforecast's, if it is installed.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from forecast_runs import air_passengers, as_table, run_once

from elman.tasks.forecast import Forecaster

Array = np.ndarray[Any, Any]

H, SEASON, ORIGINS = 12, 12, (108, 120, 132)
SETTINGS: dict[str, Any] = {
    "validation_windows": 1,
    "test_windows": 1,
    "refit": True,
    "level": None,
    "ensemble": 3,
    "steps": 200,
    "evaluate_every": 50,
    "hidden": 32,
}


def ours(y: Array, seed: int) -> Array:
    """The forecaster's next year."""
    forecaster = Forecaster(H, season=SEASON, seed=seed, ets_series=0, **SETTINGS)
    made: Array = forecaster.fit(as_table([y])).predict()["elman"].to_numpy()
    return made


def holt_winters(y: Array, _: int) -> Array:
    """Additive trend, multiplicative season."""
    from statsforecast.models import AutoETS

    found: Array = AutoETS(season_length=SEASON, model="MAM").forecast(y, h=H)["mean"]
    return found


def auto_ets(y: Array, _: int) -> Array:
    """Exponential smoothing chosen by AICc."""
    from statsforecast.models import AutoETS

    found: Array = AutoETS(season_length=SEASON).forecast(y, h=H)["mean"]
    return found


def seasonal_naive(y: Array, _: int) -> Array:
    """Last year again."""
    return y[-SEASON:]


def errors(data: Path, method: Callable[[Array, int], Array], seed: int) -> dict[str, Any]:
    """MAPE at each origin."""
    y = air_passengers(data)
    start, found = time.perf_counter(), []
    for n in ORIGINS:
        made = method(y[:n], seed)
        found.append(float(100 * np.mean(np.abs(made / y[n : n + H] - 1))))
    return {"mape": found, "seconds": (time.perf_counter() - start) / len(ORIGINS)}


def main(data: Path, seeds: int, again: bool) -> None:
    """Run what is missing and print the table."""
    methods = {"seasonal naive": seasonal_naive, "Holt-Winters": holt_winters, "AutoETS": auto_ets}
    runs = [(name, method, 0) for name, method in methods.items()]
    runs += [("elman GRU", ours, seed) for seed in range(seeds)]
    print("method            mean MAPE   after 108, 120, 132 months   seconds a fit")
    for name, method, seed in runs:
        key = {"experiment": "air-passengers", "method": name, "seed": seed}
        try:
            record = run_once(key, lambda: errors(data, method, seed), again)  # noqa: B023
        except ImportError as error:
            print(f"{name:16s}  left out: {error}; pip install 'elman[forecast]' brings it")
            continue
        each = "  ".join(f"{one:6.2f}" for one in record["mape"])
        seconds = record["seconds"]
        print(
            f"{name:16s}  {np.mean(record['mape']):8.2f}    {each}          {seconds:.1f}",
            flush=True,
        )
