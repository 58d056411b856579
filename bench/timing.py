"""Timings that can be believed: interleaved, after warm-up, with their spread and the machine."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

import elman

FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "asimd", "sve")
RESULTS = Path(__file__).parent / "results"


class Timing(NamedTuple):
    """Seconds a call, over several rounds."""

    median: float
    low: float
    high: float
    """The middle half of the rounds lies between `low` and `high`."""

    def __str__(self) -> str:
        unit, name = (1e3, "ms") if self.median >= 1e-3 else (1e6, "us")
        low, high = self.low * unit, self.high * unit
        return f"{self.median * unit:8.1f} {name} ({low:.1f} to {high:.1f})"


def interleaved(
    calls: Mapping[str, Callable[[], Any]],
    *,
    rounds: int = 9,
    seconds: float = 0.1,
    rest: float = 0.0,
) -> dict[str, Timing]:
    """Time each call in turn, round after round, so that all meet the same state of the machine.

    Args:
        calls: what to time, by name; each runs once before, as a warm-up.
        rounds: how often each is timed.
        seconds: about how long one timing takes; a shorter call is repeated within it.
        rest: seconds of sleep before each timing, until idle threads of the library before have
            given up their cores; a call that is repeated then runs once more as a warm-up.
    """
    repeats = {name: _repeats(call, seconds) for name, call in calls.items()}
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            _settle(call, repeats[name], rest)
            found[name].append(_time(call, repeats[name]))
    return {name: _summary(times) for name, times in found.items()}


def _settle(call: Callable[[], Any], repeats: int, rest: float) -> None:
    if rest:
        time.sleep(rest)
        if repeats > 1:
            call()


def _repeats(call: Callable[[], Any], seconds: float) -> int:
    call()
    return max(1, round(seconds / max(_time(call, 1), 1e-7)))


def _time(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def _summary(times: list[float]) -> Timing:
    if len(times) < 2:
        return Timing(times[0], times[0], times[0])
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(median, low, high)


def machine() -> dict[str, Any]:
    """Where and with what a timing was taken."""
    info = _cpuinfo()
    present = info.get("flags", info.get("Features", "")).split()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": info.get("model name", platform.processor() or platform.machine()),
        "flags": [flag for flag in FLAGS if flag in present],
        "threads": torch.get_num_threads(),
        "load": _load(),
        "torch": torch.__version__,
        "elman": elman.__version__,
        "python": platform.python_version(),
    }


def _cpuinfo() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _load() -> float | None:
    """How many processes want a core, where the system says it: a timing needs a quiet machine."""
    path = Path("/proc/loadavg")
    return float(path.read_text().split()[0]) if path.exists() else None


def header() -> str:
    """The machine, in two lines."""
    m = machine()
    return (
        f"{m['cpu']}, {' '.join(m['flags'])}; {m['threads']} threads, load {m['load']}\n"
        f"torch {m['torch']}, elman {m['elman']}, Python {m['python']}; median (middle half)"
    )


def append(name: str, record: Mapping[str, Any]) -> Path:
    """Add a finished run to bench/results/<name>.jsonl, with the machine it ran on."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.jsonl"
    with path.open("a") as file:
        file.write(json.dumps({**machine(), **record}, sort_keys=True) + "\n")
    return path
