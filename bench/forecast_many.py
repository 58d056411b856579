"""30,000 series: predicted by a forecaster that was fitted to 3,000 of them; and one series."""

import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from forecast_runs import run_once
from timing import interleaved

from elman.tasks.forecast import Forecaster

SERIES, FITTED, LENGTH, H = 30_000, 3_000, 120, 12
SETTINGS: dict[str, Any] = {"season": 12, "steps": 50, "hidden": 64, "ets_series": 0}


def table(series: int) -> pl.DataFrame:
    """Monthly series of different level, trend and season."""
    draw = np.random.Generator(np.random.Philox(0))
    steps = np.arange(LENGTH)
    level, slope, swing = (draw.uniform(a, b, (series, 1)) for a, b in ((50, 500), (0, 1), (0, 30)))
    phase = draw.integers(0, 12, (series, 1))
    y = level + slope * steps + swing * np.sin((steps + phase) * np.pi / 6)
    y += draw.normal(0, 5, y.shape)
    names = np.repeat([f"s{k:05d}" for k in range(series)], LENGTH)
    return pl.DataFrame({"unique_id": names, "ds": np.tile(steps, series), "y": y.ravel()})


def run() -> dict[str, Any]:
    """Seconds of each stage, and the memory that was needed."""
    rows = table(SERIES)
    first = rows.head(FITTED * LENGTH)
    start = time.perf_counter()
    forecaster = Forecaster(H, **SETTINGS).fit(first)
    fitted = time.perf_counter() - start
    start = time.perf_counter()
    made = forecaster.predict(rows)
    predicted = time.perf_counter() - start
    one = interleaved({"one": lambda: forecaster.predict(ids=["s00007"])}, rounds=9)["one"]
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "series": SERIES,
        "rows": made.height,
        "fitted": FITTED,
        "fit seconds": round(fitted, 1),
        "predict seconds": round(predicted, 2),
        "one series, ms": round(1000 * one.median, 2),
        "most memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit,
    }


def main(_: Path, __: int, again: bool) -> None:
    """Run if it is missing and print it."""
    record = run_once({"experiment": "many-series"}, run, again)
    for name in (
        "series",
        "fitted",
        "fit seconds",
        "predict seconds",
        "one series, ms",
        "most memory, MiB",
    ):
        print(f"{name:18s} {record[name]}")
