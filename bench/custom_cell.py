"""A cell of one's own beside the same equations written out: as an eager loop in torch, and in JAX.

    python bench/custom_cell.py             # prints a table
    python bench/custom_cell.py --compile   # also the loop under torch.compile, which takes minutes
    python bench/custom_cell.py --append    # and keeps it in bench/results/custom_cell.jsonl

Training: forward and backward, with gradients of x, first state, weights and biases. The loop has
its input projection hoisted and reads (T, B, I), which is its best layout; `Recurrent` reads
(B, T, I). What differs from the loop's numbers is not timed.
"""

import argparse
from collections.abc import Callable
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
    standings,
    torch_pass,
)
from timing import header
from torch import Tensor
from torch.nn.functional import linear

import elman
from elman.ops import sigmoid, tanh

NAME = "custom_cell"
LABELS = ["y", "h", *(f"gradient of {name}" for name in ("x", "h", "w_ih", "w_hh", "b_ih", "b_hh"))]


class Sluice(elman.Cell):
    """What comes in has a gate of its own, and f mixes it with what is there."""

    gates, forget_gate = ("f", "i", "n"), "f"

    def update(x, u, s, p):  # noqa: ARG002
        f = sigmoid(x.f + u.f)
        n = sigmoid(x.i + u.i) * tanh(x.n + u.n)
        return n + f * (s.h - n)


def loop(x: Tensor, h: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
    """The same by hand: x (T, B, I) and h (B, H) to y (T, B, H) and the last h."""
    w_ih, w_hh, b_ih, b_hh = weights
    outputs = []
    for projected in linear(x, w_ih, b_ih).unbind(0):
        f, i, n = (projected + linear(h, w_hh, b_hh)).chunk(3, -1)
        new = i.sigmoid() * n.tanh()
        h = new + f.sigmoid() * (h - new)
        outputs.append(h)
    return torch.stack(outputs), h


def in_jax(x: Any, h: Any, *weights: Any) -> tuple[Any, Any]:
    """The same as a scan in JAX."""
    import jax
    import jax.numpy as jnp

    w_ih, w_hh, b_ih, b_hh = weights

    def step(h: Any, projected: Any) -> Any:
        f, i, n = jnp.split(projected + h @ w_hh.T + b_hh, 3, -1)
        new = jax.nn.sigmoid(i) * jnp.tanh(n)
        return new + jax.nn.sigmoid(f) * (h - new)

    return peers.jax_scan(step, h, x @ w_ih.T + b_ih, lambda h: h)


class Problem:
    """The layer, and input, first state and gradients from above, time first."""

    def __init__(self, batch: int, steps: int, hidden: int) -> None:
        torch.manual_seed(0)
        self.layer = elman.nn.Recurrent(Sluice, hidden, hidden)
        torch.nn.init.normal_(self.layer.get_parameter("bias_hh_l0"), std=0.5)
        self.x = torch.randn(steps, batch, hidden, requires_grad=True)
        self.batch_first = self.x.detach().transpose(0, 1).contiguous().requires_grad_()
        self.h = torch.randn(batch, hidden, requires_grad=True)
        self.up = [torch.randn(steps, batch, hidden), torch.randn(batch, hidden)]
        self.up_batch_first = self.up[0].transpose(0, 1).contiguous()
        self.inputs = [self.x, self.h, *self.layer.parameters()]

    def of_elman(self) -> Contestant:
        """The cell in `Recurrent`."""
        x, state = self.batch_first, (Sluice.State(self.h),)

        def forward() -> list[Tensor]:
            y, final = self.layer(x, state)
            return [y, final[0].h]

        def time_first(found: list[Tensor]) -> list[Tensor]:
            y, h, dx, *rest = found
            return [y.transpose(0, 1), h, dx.transpose(0, 1), *rest]

        into, up = [x, *self.inputs[1:]], [self.up_batch_first, self.up[1]]
        return Contestant(torch_pass(forward, into, up), time_first)

    def of_loop(self, run: Callable[..., tuple[Tensor, Tensor]] = loop) -> Contestant:
        """The equations by hand."""
        return Contestant(torch_pass(lambda: run(*self.inputs), self.inputs, self.up))

    def of_compiled(self, asked: bool) -> Contestant:
        """The loop under torch.compile."""
        if not asked:
            raise Absent("not asked for (--compile)")
        return self.of_loop(torch.compile(loop))

    def of_jax(self, asked: list[str]) -> Contestant:
        """The scan in JAX."""
        peers.require("JAX", asked)
        return Contestant(peers.jax_pass(in_jax, self.inputs, self.up))


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Compare and time the contestants."""
    problem = Problem(given.batch, given.steps, given.hidden)
    found = measure(
        {
            "elman": problem.of_elman,
            "loop": problem.of_loop,
            "loop, torch.compile": lambda: problem.of_compiled(given.compile),
            "JAX": lambda: problem.of_jax(["jax"]),
        },
        reference="loop",
        labels=LABELS,
        terms=given.steps * (2 * given.hidden + given.batch),
        rounds=given.rounds,
    )
    engine = engine_of(problem.layer, problem.batch_first)
    flops = 3 * 2 * 3 * given.hidden * 2 * given.hidden * given.batch * given.steps
    return {**found._asdict(), "engine": engine, "peak": peak.peak(), "flops": flops}


def main() -> None:
    """Measure and print."""
    made = parser(__doc__ or "", NAME)
    for name, size in (("batch", 8), ("steps", 100), ("hidden", 128)):
        made.add_argument(f"--{name}", type=int, default=size)
    made.add_argument("--compile", action="store_true", help="also torch.compile of the loop")
    given = made.parse_args()
    print(f"{limit(given.threads)}\n{header()}", flush=True)
    key = {name: getattr(given, name) for name in ("batch", "steps", "hidden", "compile")}
    with forced(given.engine):
        key["peers"] = peers.versions(["jax"])
        record = once(NAME, key, lambda: run(given), given)
    print(f"\n{Sluice.__name__}, B {given.batch} T {given.steps} H {given.hidden}, training")
    print(f"elman ran in the {record['engine']} engine\n{standings(record)}")
    bound, name = peak.limit_of(record["peak"])
    least, seconds = record["flops"] / bound, record["seconds"]
    print(
        f"against the loop, the {name} of {bound / 1e9:.0f} GFLOP/s allows "
        f"{seconds['loop'].median / least:.1f} x (reach 8, stretch 14); elman uses "
        f"{least / seconds['elman'].median:.0%} of it (8 of 23, which the reach goes by: 35 %)"
    )


if __name__ == "__main__":
    main()
