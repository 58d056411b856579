"""M4 Hourly: 414 series, 48 steps ahead, OWA against Naive2 as the organisers compute it.

The last 48 steps of the training part choose (when to stop, the start, logarithms); the networks
are then trained again on all of it. What is forecast is the official test, once.
"""

from pathlib import Path
from typing import Any

import numpy as np
from forecast_runs import ROOT, as_table, commit, m4_hourly, run_once

from elman.tasks.forecast import Forecaster

Array = np.ndarray[Any, Any]

H, SEASON = 48, 24
SETTINGS: dict[str, Any] = {
    "window": 336,
    "hidden": 128,
    "dropout": 0.3,
    "per": "owa",
    "lr": 2e-3,
    "steps": 3000,
    "evaluate_every": 300,
    "level": None,
    "refit": True,
}
OFFICIAL = "official: Naive2 18.383 / 2.395 / 1, ES-RNN 9.328 / 0.893 / .440, best .410"


def naive2(y: Array) -> Array:
    """The organisers' Naive2: 48 steps after `y`, with their test of seasonality."""
    n, m = len(y), SEASON
    centred = y - y.mean()
    acf = np.asarray([centred[k:] @ centred[:-k] for k in range(1, m + 1)]) / (centred @ centred)
    limit = 1.645 * np.sqrt((1 + 2 * (acf[:-1] ** 2).sum()) / n)
    if n < 3 * m or abs(acf[-1]) <= limit:
        return np.full(H, y[-1])
    weights = np.r_[0.5, np.ones(m - 1), 0.5] / m
    ratio = np.full(n, np.nan)
    ratio[m // 2 : n - m // 2] = y[m // 2 : n - m // 2] / np.convolve(y, weights, "valid")
    season = np.asarray([np.nanmean(ratio[k::m]) for k in range(m)])
    season = np.resize(season / season.mean(), n)
    return np.asarray(y[-1] / season[-1] * np.resize(season[-m:], H))


def smape(truth: Array, made: Array) -> float:
    """In per cent, of one series."""
    return float(200 * np.mean(np.abs(truth - made) / (np.abs(truth) + np.abs(made))))


def mase(truth: Array, made: Array, y: Array) -> float:
    """Of one series that is preceded by `y`."""
    return float(np.abs(truth - made).mean() / np.abs(y[SEASON:] - y[:-SEASON]).mean())


def scores(train: list[Array], test: list[Array], made: list[Array]) -> tuple[float, float, float]:
    """sMAPE, MASE and OWA over all series."""
    means = []
    for each in (made, [naive2(y) for y in train]):
        rows = zip(test, each, train, strict=True)
        errors = [(smape(t, f), mase(t, f, y)) for t, f, y in rows]
        means.append(np.mean(errors, 0))
    own, reference = means
    return float(own[0]), float(own[1]), float(np.mean(own / reference))


def run(data: Path, seed: int, kept: Path) -> dict[str, Any]:
    """One network; its forecasts of the official test go to `kept`.

    The forecaster's own test, the last 48 steps of the training part, is what settings of this
    benchmark were chosen by: validation.
    """
    train, test = m4_hourly(data)
    asked = {"season": SEASON, "seed": seed, "validation_windows": 1, "test_windows": 1}
    forecaster = Forecaster(H, **asked, **SETTINGS).fit(as_table(train))
    own = forecaster.evaluate().test["GRU"]
    made = forecaster.predict()["elman"].to_numpy().reshape(len(train), H)
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.save(kept, made)
    linear = forecaster.evaluate().test["NLinear"]
    return {
        "validation": [own.smape, own.mase, own.owa],
        "validation NLinear": [linear.smape, linear.mase, linear.owa],
        "test": scores(train, test, list(made)),
    }


def main(data: Path, seeds: int, again: bool) -> None:
    """Run what is missing and print the table: each network, and the mean of their forecasts."""
    train, test = m4_hourly(data)
    files = [ROOT / "runs" / "bench-m4" / f"{commit()}-{seed}.npy" for seed in range(seeds)]
    minutes = 0.0
    for seed, file in enumerate(files):
        key = {"experiment": "m4-hourly", "seed": seed}
        missing = again or not file.exists()
        record = run_once(key, lambda: run(data, seed, file), missing)  # noqa: B023
        minutes += record["minutes"]
        for name in ("validation NLinear", "validation", "test"):
            print(f"seed {seed} {name:20s}", *(f"{value:8.3f}" for value in record[name]))
        print(f"seed {seed}: {record['minutes']} minutes", flush=True)
    mean = list(np.mean([np.load(file) for file in files], 0))
    naive = [np.resize(y[-SEASON:], H) for y in train]
    print("                       sMAPE     MASE      OWA")
    for name, made in (("seasonal naive", naive), (f"mean of {seeds} networks", mean)):
        print(f"{name:20s}", *(f"{value:8.3f}" for value in scores(train, test, made)))
    print(OFFICIAL)
    print(f"minutes: {minutes:.1f}")
