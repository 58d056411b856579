"""What interpreting a tape costs: the engine beside steps of GRU and LSTM fused by hand.

    python bench/tape.py              # about a minute, most of it to compile
    python bench/tape.py --rounds 50

bench/tape.cpp holds both to the same numbers first. One thread, float32, 50 steps. Seconds are
those of the processor, the least of many passes that take turns. `of both passes`: by how much the
fused loops are faster than the engine, forwards and backwards. `of training`: the same seconds as a
part of a whole pass of training of that layer, which has the products with W and the gradients of
weights as well.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import contest
import torch
from timing import header

from elman.cells import by_name
from elman.engine import use
from elman.nn import Recurrent
from elman_runtime import native

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "native-none"
SIZES = ((16, 128), (64, 256), (128, 64))
STEPS = 50


class Seconds(NamedTuple):
    """Of one pass: the engine's and the fused loops', forwards and backwards."""

    engine_forward: float
    fused_forward: float
    engine_backward: float
    fused_backward: float

    @property
    def lost(self) -> float:
        """What interpretation takes."""
        return self.engine - self.fused_forward - self.fused_backward

    @property
    def engine(self) -> float:
        """Both passes of the engine."""
        return self.engine_forward + self.engine_backward


def build() -> tuple[Path, Path]:
    """The program, for the instruction set that the engine takes here, and the plans."""
    target = f"tape_{native.engines()[-1]}"
    plans = ROOT / "build" / "plans.txt"
    plans.parent.mkdir(exist_ok=True)
    _quietly([sys.executable, ROOT / "tools" / "native_plans.py", plans])
    source = ROOT / "runtime" / "tests" / "cpp"
    _quietly(["cmake", "-S", source, "-B", BUILD, f"-DPython_EXECUTABLE={sys.executable}"])
    _quietly(["cmake", "--build", BUILD, "--target", target, "--parallel", str(os.cpu_count())])
    return BUILD / target, plans


def _quietly(command: list[object]) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def measure(program: Path, plans: Path, cell: str, size: tuple[int, int], rounds: int) -> Seconds:
    """The program's seconds; it compares the numbers first and ends where they differ."""
    command = [program, plans, cell, *size, STEPS, rounds]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{cell} {size}: {done.stdout}{done.stderr}")
    return Seconds(*map(float, done.stdout.split()[1:]))


def training(cell: str, size: tuple[int, int], rounds: int) -> float:
    """Least seconds of a forward and a backward pass of a layer with as many inputs as units."""
    rows, units = size
    layer = Recurrent(by_name(cell), units, units)
    x = torch.randn(rows, STEPS, units, requires_grad=True)
    up = torch.randn(rows, STEPS, units)

    def once() -> None:
        torch.autograd.backward(layer(x)[0], up)

    with use("native"):
        once()
        return min(_time(once) for _ in range(rounds))


def _time(call: Callable[[], None]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Print a row for each cell and size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30, help="passes of each, taking turns")
    rounds = parser.parse_args().rounds
    program, plans = build()
    print(contest.limit(1))
    print(header())
    print(f"ms a pass of {STEPS} steps, the least of {rounds}")
    heads = "engine: forward  backward   fused: forward  backward   of both passes  of training"
    print(f"cell     B    H   {heads}")
    for cell in ("GRU", "LSTM"):
        for size in SIZES:
            found = measure(program, plans, cell, size, rounds)
            whole = training(cell, size, rounds)
            ms = [1000 * one for one in found]
            print(
                f"{cell:5s} {size[0]:4d} {size[1]:4d}   {ms[0]:15.3f} {ms[2]:9.3f}   "
                f"{ms[1]:14.3f} {ms[3]:9.3f}   {100 * found.lost / found.engine:12.1f} %"
                f" {100 * found.lost / whole:10.1f} %",
                flush=True,
            )


if __name__ == "__main__":
    main()
