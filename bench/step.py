"""One step through Python, as a stream makes it: one row, and many rows together.

    python bench/step.py             # prints a table
    python bench/step.py --append    # and keeps each point in bench/results/step.jsonl
    python bench/step.py --cells GRU --hidden 64 --streams 1024:64

`Stream.step(x, out=out)` and `StreamPool.step` beside torch's cells (in inference mode), `nn.GRU`
with T = 1, ONNX Runtime with bound memory, and JAX under `jit`. What differs from torch's numbers,
after four steps, is not timed. A stream also looks for NaN, keeps the state and counts; the others
do not. Pools run on --threads as the others do; a stream is one row, on one thread.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import peers
import torch
from contest import (
    Absent,
    Contestant,
    Measured,
    fastest,
    limit,
    measure,
    once,
    parser,
    ratio,
    standings,
)
from timing import header
from torch import Tensor, nn

import elman
import elman_runtime

NAME = "step"
POINTS = [("GRU", 64), ("LSTM", 64), ("GRU", 256), ("LSTM", 256)]
STREAMS = [(1024, 64), (256, 128)]
REACH = {
    ("GRU", 64, 1): "4 us and 6 x the fastest peer; stretch 2.5 us and 10 x",
    ("LSTM", 64, 1): "5 us and 6 x the fastest peer; stretch 3.5 us and 10 x",
    ("GRU", 256, 1): "1.5 x the fastest peer; stretch 2.5 x",
    ("LSTM", 256, 1): "1.5 x the fastest peer; stretch 2.5 x",
    ("GRU", 64, 1024): "1.5 us a stream; stretch 0.8 us",
    ("GRU", 128, 256): "1.5 x the fastest peer; stretch 2.5 x",
}
WARM = 3
"""Steps before the one that is compared, so that the state is no longer zero."""


class Problem:
    """A layer, its input (B, I) and its state after `WARM` steps of that input; I = H."""

    def __init__(self, cell: str, hidden: int, batch: int, threads: int = 1) -> None:
        torch.manual_seed(0)
        self.name, self.cell, self.hidden, self.batch = cell, cell, hidden, batch
        self.threads = threads
        self.layer = getattr(nn, cell)(hidden, hidden, batch_first=True).eval()
        self.x = torch.randn(batch, hidden)
        self.weights = [w.detach() for w in self.layer.parameters()]
        with torch.inference_mode():
            _, state = self.layer(self.x[:, None].expand(-1, WARM, -1))
        self.state = state if isinstance(state, tuple) else (state,)

    def model(self) -> elman_runtime.Model:
        """The layer as a program."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            elman.save(nn.Sequential(self.layer), path, quiet=True)
            return elman_runtime.load(path)

    def of_stream(self) -> Contestant:
        """`Stream.step` into an array of the caller's."""
        if self.batch > 1:
            raise Absent("one stream is one row")
        stream, x = elman_runtime.Stream(self.model()), self.x[0].numpy()
        for _ in range(WARM):
            stream.step(x)
        out = np.empty(self.hidden, np.float32)
        return Contestant(lambda: stream.step(x, out=out), lambda y: [y[None]])

    def of_pool(self, by_handle: bool) -> Contestant:
        """`StreamPool.step` for all rows, by keys or by handles."""
        if self.batch == 1:
            raise Absent("a pool is for many rows")
        pool = elman_runtime.StreamPool(self.model(), threads=self.threads)
        x = self.x.numpy()
        keys = [f"key-{k}" for k in range(self.batch)]
        for _ in range(WARM):
            pool.step(keys, x)
        out = np.empty((self.batch, self.hidden), np.float32)
        handles = pool.handles(keys)
        if by_handle:
            return Contestant(lambda: pool.step_at(handles, x, out=out), lambda y: [y])
        return Contestant(lambda: pool.step(keys, x, out=out), lambda y: [y])

    def of_cell(self) -> Contestant:
        """`torch.nn.GRUCell` or `LSTMCell`, its state carried."""
        cell = getattr(nn, f"{self.cell}Cell")(self.hidden, self.hidden).eval()
        with torch.no_grad():
            for own, weight in zip(cell.parameters(), self.weights, strict=True):
                own.copy_(weight)
        state: Any = [s[0] for s in self.state]
        state = tuple(state) if self.cell == "LSTM" else state[0]

        def call() -> Any:
            nonlocal state
            with torch.inference_mode():
                state = cell(self.x, state)
            return state

        return Contestant(call, lambda s: [s[0] if isinstance(s, tuple) else s])

    def of_layer(self) -> Contestant:
        """`torch.nn.GRU` or `LSTM` with T = 1, its state carried."""
        state: Any = self.state if self.cell == "LSTM" else self.state[0]
        x = self.x[:, None]

        def call() -> Tensor:
            nonlocal state
            with torch.inference_mode():
                y, state = self.layer(x, state)
            return y

        return Contestant(call, lambda y: [y[:, 0]])

    def of_onnx(self) -> Contestant:
        """ONNX Runtime; the state is bound, and carried by nobody."""
        peers.require("ONNX Runtime", ["onnxruntime"])
        made = peers.onnx_layer(self.cell, self.x[None], self.state, self.weights)
        return Contestant(made.call, lambda found: [made.unpack(found)[0][0]])

    def of_jax(self) -> Contestant:
        """JAX; the state is given anew each time."""
        peers.require("JAX", ["jax"])
        inputs = [self.x[None], *self.state, *self.weights]
        call = peers.jax_pass(peers.jax_layer(self.cell), inputs)
        return Contestant(call, lambda found: [found[0][0]])


def makers(problem: Problem) -> dict[str, Callable[[], Contestant]]:
    """What makes each contestant, by name; "elman" is the one that targets are about."""
    cell = problem.cell
    ours: Mapping[str, Callable[[], Contestant]] = (
        {"elman": problem.of_stream}
        if problem.batch == 1
        else {
            "elman": partial(problem.of_pool, False),
            "elman by handle": partial(problem.of_pool, True),
        }
    )
    return {
        **ours,
        f"torch {cell}Cell": problem.of_cell,
        f"torch {cell}, T = 1": problem.of_layer,
        "ONNX Runtime": problem.of_onnx,
        "JAX": problem.of_jax,
    }


def run(cell: str, hidden: int, batch: int, given: argparse.Namespace) -> dict[str, Any]:
    """Compare and time the contestants of one point."""
    problem = Problem(cell, hidden, batch, given.threads)
    found: Measured = measure(
        makers(problem),
        reference=f"torch {cell}Cell",
        labels=["y"],
        terms=(WARM + 1) * 2 * hidden,
        rounds=given.rounds,
    )
    runs = problem.model().runner()
    return {**found._asdict(), "runner": getattr(runs, "instruction_set", "numpy")}


def verdict(record: Mapping[str, Any], point: tuple[str, int, int]) -> str:
    """A step in microseconds, a row, and against the fastest peer."""
    seconds, batch = record["seconds"], point[2]
    peer = fastest(seconds, [name for name in seconds if not name.startswith("elman")])
    each = seconds["elman"].median * 1e6 / batch
    row = f"{each:.2f} us a stream" if batch > 1 else f"{each:.2f} us"
    said = f"  {row}, {ratio(seconds, peer):.2f} x the fastest peer ({peer})"
    return f"{said} (reach {REACH[point]})" if point in REACH else said


def main() -> None:
    """Measure and print."""
    made = parser(__doc__ or "", NAME)
    made.add_argument("--cells", nargs="+", choices=("RNN", "GRU", "LSTM"))
    made.add_argument("--hidden", nargs="+", type=int)
    made.add_argument(
        "--streams", nargs="*", metavar="N:H", help="streams together, such as 1024:64"
    )
    given = made.parse_args()
    print(f"{limit(given.threads)}\n{header()}", flush=True)
    chosen = [
        (cell, hidden, 1)
        for cell, hidden in POINTS
        if cell in (given.cells or [cell]) and hidden in (given.hidden or [hidden])
    ]
    many = STREAMS
    if given.streams is not None:
        many = [(int(n), int(h)) for n, h in (text.split(":") for text in given.streams)]
    for point in [*chosen, *(("GRU", h, n) for n, h in many)]:
        cell, hidden, batch = point
        key = {"point": point, "peers": peers.versions(["onnxruntime", "jax"])}
        record = once(NAME, key, partial(run, *point, given), given)
        threads = 1 if batch == 1 else given.threads
        runs = f"elman runs {record['runner']}, {threads} thread{'s' * (threads > 1)}"
        print(f"\n{cell} H {hidden}, {batch} streams; {runs}")
        print(f"{standings(record)}\n{verdict(record, point)}", flush=True)


if __name__ == "__main__":
    main()
