"""The drop-in layers beside torch, JAX and ONNX Runtime, over a grid of sizes.

    python bench/layers.py --append             # trains and infers at every point, then the means
    python bench/layers.py --cells GRU --hidden 64 128 --batch 1 --mode train --peers jax
    python bench/layers.py --picture            # also draws docs/images/layers.svg

The grid has I = H, T = 100; beside it stand larger published shapes, float64, and LSTM with
projection. Training is forward and backward, with gradients of x, first state, weights and biases;
every contestant reads and returns (T, B, I). A point where one differs from torch's numbers is said
and not timed, and the exit code is 1.

Kept points of the same commit and machine are not measured again, so that a pass can be
interrupted. JAX's scan runs under `jit`, the input projection hoisted, compiled beforehand; ONNX
Runtime has its inputs bound, and no training. `make bench` installs both; without them the table
says so.
"""

import argparse
import itertools
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

import peak
import peers
import torch
from contest import (
    Absent,
    Contestant,
    engine_of,
    forced,
    limit,
    measure,
    once,
    parser,
    torch_pass,
)
from layers_table import BATCH, HIDDEN, draw, heading, line, name_of, summary
from timing import header
from torch import Tensor, nn

import elman

NAME = "layers"
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
MODES = ("train", "infer")


@dataclass(frozen=True)
class Point:
    """One measurement: a layer of `hidden` units over (T, B, H), I = H."""

    cell: str
    hidden: int
    batch: int
    steps: int = 100
    mode: str = "train"
    dtype: str = "float32"
    projection: int = 0
    """P: an LSTM's h has this many units; 0 for no projection."""

    @property
    def flops(self) -> int:
        """Operations of the matrix products; training has three times as many as inference."""
        recurrent = self.projection or self.hidden
        products = GATES[self.cell] * self.hidden * (self.hidden + recurrent)
        products += self.projection * self.hidden
        return 2 * products * self.batch * self.steps * (3 if self.mode == "train" else 1)

    @property
    def labels(self) -> list[str]:
        """Names of the results, in order."""
        states = ["h", "c"] if self.cell == "LSTM" else ["h"]
        out = ["y", *states]
        if self.mode == "infer":
            return out
        weights = ["w_ih", "w_hh", "b_ih", "b_hh", *(["w_hr"] if self.projection else [])]
        return out + [f"gradient of {name}" for name in ("x", *states, *weights)]

    @property
    def terms(self) -> int:
        """Terms of the longest sum: a gradient's, over all steps and rows."""
        return self.steps * (2 * self.hidden + self.batch)


EXTRA = (
    Point("GRU", 512, 64),
    Point("RNN", 512, 64),
    Point("LSTM", 512, 64),
    Point("GRU", 800, 20, 300),  # DeepSpeech 2
    Point("LSTM", 256, 16, 150),  # DeepBench
    Point("LSTM", 512, 16, 25),  # DeepBench
    *(
        Point(cell, hidden, batch, dtype="float64")
        for cell in ("GRU", "LSTM")
        for hidden, batch in ((128, 8), (256, 32))
    ),
    Point("LSTM", 128, 8, projection=64),
    Point("LSTM", 256, 32, projection=128),
)


class Problem:
    """Weights, input, first state and gradients from above, the same for every contestant."""

    def __init__(self, point: Point) -> None:
        torch.manual_seed(0)
        self.point = point
        kind: dict[str, Any] = {"dtype": getattr(torch, point.dtype)}
        sizes = (point.hidden, point.hidden)
        project: dict[str, Any] = {"proj_size": point.projection} if point.projection else {}
        self.theirs = getattr(nn, point.cell)(*sizes, **project, **kind)
        self.ours = getattr(elman.nn, point.cell)(*sizes, **project, **kind)
        self.recurrent = elman.nn.Recurrent(point.cell, *sizes, **project, **kind)
        for layer in (self.ours, self.recurrent):
            layer.load_state_dict(self.theirs.state_dict())
        train = point.mode == "train"
        self.x = torch.randn(point.steps, point.batch, point.hidden, **kind, requires_grad=train)
        first = (point.projection or point.hidden, point.hidden)
        widths = first if point.cell == "LSTM" else first[:1]
        shapes = [(1, point.batch, width) for width in widths]
        self.states = [torch.randn(shape, **kind, requires_grad=train) for shape in shapes]
        y = torch.randn(point.steps, point.batch, first[0], **kind)
        above = [y, *(torch.randn(shape, **kind) for shape in shapes)]
        self.up = above if train else None
        for layer in (self.theirs, self.ours, self.recurrent):
            layer.train(train)

    @property
    def first(self) -> Any:
        """The first state as torch's layer takes it."""
        return tuple(self.states) if self.point.cell == "LSTM" else self.states[0]

    @property
    def inputs(self) -> list[Tensor]:
        """What the pass depends on: input, first state, weights."""
        return [self.x, *self.states, *self.theirs.parameters()]

    def of_torch(self, layer: nn.Module) -> Contestant:
        """torch's layer, or the drop-in."""

        def forward() -> list[Tensor]:
            y, final = layer(self.x, self.first)
            return [y, *(final if isinstance(final, tuple) else (final,))]

        return Contestant(self._pass(forward, layer))

    def of_recurrent(self) -> Contestant:
        """`Recurrent`, which is batch first."""

        def forward() -> list[Tensor]:
            state = self.recurrent.cell.State(*(s[0] for s in self.states))
            y, final = self.recurrent(self.x.transpose(0, 1), (state,))
            return [y.transpose(0, 1), *(s[None] for s in final[0])]

        return Contestant(self._pass(forward, self.recurrent))

    def _pass(self, forward: Callable[[], list[Tensor]], layer: nn.Module) -> Any:
        return torch_pass(forward, [self.x, *self.states, *layer.parameters()], self.up)

    def of_jax(self, asked: list[str]) -> Contestant:
        """The same equations under `lax.scan`."""
        peers.require("JAX", asked)
        return Contestant(peers.jax_pass(peers.jax_layer(self.point.cell), self.inputs, self.up))

    def of_onnx(self, asked: list[str]) -> Contestant:
        """ONNX's operator of the same name."""
        peers.require("ONNX Runtime", asked)
        if self.point.mode == "train":
            raise Absent("does not train")
        if self.point.dtype != "float32":
            raise Absent("float32 alone")
        if self.point.projection:
            raise Absent("ONNX has no projection")
        weights = list(self.theirs.parameters())
        return peers.onnx_layer(self.point.cell, self.x, self.states, weights)

    def engine(self) -> str:
        """The engine in which the drop-in runs this."""
        with torch.set_grad_enabled(self.point.mode == "train"):
            return engine_of(self.ours, self.x, hx=self.first)


def run(point: Point, given: argparse.Namespace) -> dict[str, Any]:
    """Compare and time the contestants at one point."""
    problem = Problem(point)
    found = measure(
        {
            "elman": lambda: problem.of_torch(problem.ours),
            "Recurrent": problem.of_recurrent,
            "torch": lambda: problem.of_torch(problem.theirs),
            "JAX": lambda: problem.of_jax(given.peers),
            "ONNX Runtime": lambda: problem.of_onnx(given.peers),
        },
        reference="torch",
        labels=point.labels,
        terms=point.terms,
        rounds=given.rounds,
        untimed=() if given.recurrent else ("Recurrent",),
    )
    rest = {"engine": problem.engine(), "peak": _peak(point.dtype), "flops": point.flops}
    return {**found._asdict(), **rest}


@cache
def _peak(dtype: str) -> dict[str, float | None]:
    return peak.peak(getattr(torch, dtype))


def points(given: argparse.Namespace) -> list[Point]:
    """What the flags ask for: the grid they span, and of the rest what matches them."""
    hidden, batch = given.hidden or HIDDEN, given.batch or BATCH
    found = []
    for mode in given.mode:
        grid = itertools.product(given.cells, hidden, batch)
        found += [Point(cell, h, b, mode=mode) for cell, h, b in grid]
        for point in EXTRA:
            sized = point.hidden in (given.hidden or [point.hidden])
            fits = sized and point.batch in (given.batch or [point.batch])
            if fits and point.cell in given.cells:
                found.append(Point(**{**asdict(point), "mode": mode}))
    return found


def flags() -> argparse.Namespace:
    """What the command line says."""
    made = parser(__doc__ or "", NAME)
    made.add_argument("--cells", nargs="+", choices=GATES, default=list(GATES))
    made.add_argument(
        "--hidden", nargs="+", type=int, help="sizes of the grid, in place of its own"
    )
    made.add_argument("--batch", nargs="+", type=int, help="the same for the batch")
    made.add_argument("--mode", nargs="+", choices=MODES, default=list(MODES))
    made.add_argument("--peers", nargs="*", choices=list(peers.PACKAGES.values()), help="all")
    made.add_argument("--recurrent", action="store_true", help="also time elman.nn.Recurrent")
    made.add_argument("--picture", action="store_true", help="draw docs/images/layers.svg")
    given = made.parse_args()
    if given.peers is None:
        given.peers = list(peers.PACKAGES.values())
    return given


def main() -> int:
    """Measure each point, print it, and sum up; 1 where a point was refused."""
    given = flags()
    pinned = limit(given.threads)
    versions = peers.versions(given.peers)
    print(f"{header()}\n{pinned}; {versions}\n{heading()}", flush=True)
    records, refused = [], 0
    for point in points(given):
        key = {**asdict(point), "peers": versions, "recurrent": given.recurrent}
        try:
            with forced(given.engine):
                records.append(once(NAME, key, partial(run, point, given), given))
        except (AssertionError, elman.engine.EngineUnavailable) as reason:
            refused += 1
            print(f"{name_of(asdict(point)):37}not timed: {reason}", flush=True)
            continue
        print(line(records[-1]), flush=True)
    print(summary(records))
    if given.picture:
        print(f"drew {draw(records)}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
