"""How fast this machine can be at all: the limit of its multiply-adds, and the best of `torch.mm`.

    python bench/peak.py     # for one thread, and for all

A time in a table is only comparable across machines as a fraction of one of these.
"""

import importlib
import statistics
from typing import Any

import torch
from timing import header, interleaved

SHAPES = (
    (32, 256, 768),
    (128, 512, 1536),
    (512, 512, 512),
    (1024, 1024, 1024),
    (2048, 1024, 2048),
)
"""M, K, N of the products: two recurrent steps of a GRU, and squares that suit a library."""


def fma_peak(threads: int, dtype: torch.dtype = torch.float32) -> float | None:
    """FLOP/s of a loop of multiply-adds on registers; None where the compiled module has none.

    The module's `fma_peak(threads)` counts float32; a vector holds half as many float64.
    """
    try:
        native = importlib.import_module("elman_runtime._native")
    except ImportError:
        return None
    measured = getattr(native, "fma_peak", None)
    if measured is None:
        return None
    return float(measured(threads)) * (4 / dtype.itemsize)


def mm_rates(dtype: torch.dtype = torch.float32, rounds: int = 5) -> dict[str, float]:
    """FLOP/s of `torch.mm` for each of the shapes, with the threads that torch has now."""

    def product(m: int, k: int, n: int) -> Any:
        a, b = torch.randn(m, k, dtype=dtype), torch.randn(k, n, dtype=dtype)
        out = torch.empty(m, n, dtype=dtype)
        return lambda: torch.mm(a, b, out=out)

    calls = {f"{m}x{k}x{n}": product(m, k, n) for m, k, n in SHAPES}
    found = interleaved(calls, rounds=rounds, seconds=0.05)
    sizes = (2.0 * m * k * n for m, k, n in SHAPES)
    return {name: size / found[name].low for name, size in zip(found, sizes, strict=True)}


def peak(dtype: torch.dtype = torch.float32) -> dict[str, float | None]:
    """Both limits in FLOP/s, as a record keeps them: `fma` (or None) and `mm`."""
    rates = mm_rates(dtype)
    return {"fma": fma_peak(torch.get_num_threads(), dtype), "mm": max(rates.values())}


def limit_of(found: dict[str, float | None]) -> tuple[float, str]:
    """The limit that fractions are taken of, in FLOP/s, and its name."""
    fma = found["fma"]
    return (fma, "FMA limit") if fma else (found["mm"] or float("nan"), "best torch.mm")


def main() -> None:
    """Print both limits for one thread and for all."""
    most = torch.get_num_threads()
    print(header().splitlines()[0])
    for threads in sorted({1, most}):
        torch.set_num_threads(threads)
        for dtype in (torch.float32, torch.float64):
            fma = fma_peak(threads, dtype)
            said = f"{fma / 1e9:.0f}" if fma else "not known, no compiled module that measures it"
            print(f"\n{threads} threads, {dtype}: FMA limit, GFLOP/s: {said}")
            rates = mm_rates(dtype)
            for name, rate in rates.items():
                print(f"  torch.mm {name:16}{rate / 1e9:8.1f} GFLOP/s")
            middle = statistics.median(rates.values())
            print(f"  best {max(rates.values()) / 1e9:.1f}, median {middle / 1e9:.1f}", flush=True)


if __name__ == "__main__":
    main()
