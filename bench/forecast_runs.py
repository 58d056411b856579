"""What the forecasting benchmarks share: data, finished runs, and how they are told apart."""

import csv
import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import contest
import numpy as np
from timing import append

import elman

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
HERE = Path(__file__).parent


def commit(name: str = "forecast") -> str:
    """The last commit that changed the library or what bench/<name>*.py holds."""
    files = {*HERE.glob(f"{name}*.py"), Path(__file__)}
    return contest.commit(*sorted(f"bench/{file.name}" for file in files))


def run_once(
    key: dict[str, Any], run: Callable[[], dict[str, Any]], again: bool, name: str = "forecast"
) -> dict[str, Any]:
    """The record of a run: the one in bench/results, or else it runs and is added there.

    Args:
        key: what tells it from other runs; the commit is added, and the engine if one is forced.
        run: gives its figures.
        again: run even if it is there.
        name: of the file.
    """
    engine = elman.engine.forced_engine()
    key = {**key, "commit": commit(name), **({"forced": engine} if engine else {})}
    found = None if again else contest.kept(name, key)
    if found is not None:
        return found
    start = time.perf_counter()
    record = {**key, **run()}
    record["minutes"] = round((time.perf_counter() - start) / 60, 2)
    append(name, record)
    return record


def air_passengers(data: Path) -> np.ndarray[Any, Any]:
    """Thousands of passengers a month, 1949 to 1960: (144,)."""
    rows = _rows((data / "small_series" / "AirPassengers.csv").read_text())
    return np.asarray([float(row[-1]) for row in rows])


def m4_hourly(data: Path) -> tuple[list[np.ndarray[Any, Any]], list[np.ndarray[Any, Any]]]:
    """The 414 series, 700 to 960 steps each, and the 48 steps after each."""
    both = []
    for name in ("train", "test"):
        rows = _zipped(data / "m4_hourly" / f"Hourly-{name}.csv.gz")
        both.append([np.asarray([float(v) for v in row[1:] if v]) for row in rows])
    return both[0], both[1]


def etth1(data: Path) -> np.ndarray[Any, Any]:
    """The seven channels, hourly: (7, 17420)."""
    rows = _zipped(data / "ett" / "ETTh1.csv.gz")
    return np.asarray([[float(v) for v in row[1:]] for row in rows]).T.copy()


def _zipped(path: Path) -> list[list[str]]:
    return _rows(gzip.decompress(path.read_bytes()).decode())


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))[1:]


def as_table(series: list[np.ndarray[Any, Any]]) -> dict[str, list[Any]]:
    """Series as a table of names, whole-numbered times and values."""
    return {
        "unique_id": [f"s{k:05d}" for k, one in enumerate(series) for _ in one],
        "ds": [t for one in series for t in range(len(one))],
        "y": [float(v) for one in series for v in one],
    }
