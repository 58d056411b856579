"""MinGRU and LRU, whose step needs no U, beside the best forms of them in eager torch and in JAX.

    python bench/scan.py             # prints a table
    python bench/scan.py --append    # and keeps it in bench/results/scan.jsonl

Training: forward and backward, with gradients of x, first state and parameters. All contestants
begin with the same product W x, which is also timed alone: a floor that no scan can go below. Each
size is measured twice: as a layer, I = C, where that product is most of the work; and with an input
of size 1, which leaves little but the recurrence. Neither figure stands for the other. Eager forms
of h_t = a_t h_{t-1} + b_t, over (T, B, C), their best layout:

- loop: one operator a step.
- doubling: log2(T) passes, each joining stretches twice as long (Hillis and Steele).
- log space (MinGRU): cumulative sums of logarithms; a shift makes the candidates positive.
- cumulative (LRU): lambda^t times the cumulative sum of lambda^-t b_t, in complex128, for float32
  would overflow.

What differs from the loop's numbers is not timed. All are compared in float64 and in float32. Log
space loses digits by its nature: computed in float64 it must have float32's, and how far it is off
in float32 is printed.
"""

import argparse
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import peers
import torch
from contest import (
    Contestant,
    check,
    engine_of,
    fastest,
    forced,
    gather,
    limit,
    measure,
    once,
    parser,
    ratio,
    standings,
    torch_pass,
)
from timing import header
from torch import Tensor
from torch.nn.functional import linear, softplus

import elman

NAME = "scan"
SHAPES = ((8, 1024, 512), (1, 1024, 256))
Linear = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A form of h_t = a_t h_{t-1} + b_t: a (T, B, C), or (C,) for every step; b (T, B, C); h_0."""


def loop(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """One fused operator a step."""
    outputs = []
    for a_t, b_t in zip(a.expand_as(b).unbind(0), b.unbind(0), strict=True):
        h = torch.addcmul(b_t, a_t, h)
        outputs.append(h)
    return torch.stack(outputs)


def doubling(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """After k passes each step knows the 2^k steps up to it."""
    first = a if a.dim() == 1 else a[0]
    b = torch.cat([(b[0] + first * h)[None], b[1:]])
    reach = 1
    while reach < len(b):
        here = a if a.dim() == 1 else a[reach:]
        b = torch.cat([b[:reach], torch.addcmul(b[reach:], here, b[:-reach])])
        a = a * a if a.dim() == 1 else torch.cat([a[:reach], here * a[:-reach]])
        reach *= 2
    return b


def cumulative(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """For one a at every step: a^t times the cumulative sum of a^-t b_t, in double precision."""
    times = torch.arange(len(b), dtype=torch.float64)[:, None, None]
    power = torch.exp(times * torch.log(a.to(torch.complex128)))
    return (power * (torch.cumsum(b / power, 0) + a * h)).to(b.dtype)


class MinGRU:
    """The cell beside its forms: x W^T + b is (z, n)."""

    cell = elman.cells.MinGRU
    states = ("h",)

    @staticmethod
    def terms(batch: int, steps: int, width: int) -> int:
        """Terms of the longest sum: a gradient's, over all steps and rows."""
        return steps * (width + batch)

    @staticmethod
    def linear_form(form: Linear) -> Callable[..., list[Tensor]]:
        """With a = 1 - z, b = z n."""

        def forward(x: Tensor, h: Tensor, w: Tensor, bias: Tensor) -> list[Tensor]:
            gate, n = linear(x, w, bias).chunk(2, -1)
            z = torch.sigmoid(gate)
            y = form(1 - z, z * n, h)
            return [y, y[-1]]

        return forward

    @staticmethod
    def log_space(x: Tensor, h: Tensor, w: Tensor, bias: Tensor) -> list[Tensor]:
        """h and every n are raised by c, so that they have logarithms; c comes out as c again."""
        gate, n = linear(x, w, bias).chunk(2, -1)
        c = 1 - torch.minimum(n.min(), h.min()).detach()
        # h_0 is one more step before the first, with a = 1.
        left = torch.cat([torch.zeros_like(h)[None], -softplus(gate).cumsum(0)])
        new = torch.cat([torch.log(h + c)[None], torch.log(n + c) - softplus(-gate)])
        y = torch.exp(left + torch.logcumsumexp(new - left, 0))[1:] - c
        return [y, y[-1]]

    @classmethod
    def eager(cls) -> dict[str, Callable[..., list[Tensor]]]:
        """The forms by name."""
        return {
            "loop": cls.linear_form(loop),
            "doubling": cls.linear_form(doubling),
            "log space": cls.log_space,
        }

    @staticmethod
    def in_jax(scan: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
        """The same in JAX, over (T, B, C)."""
        import jax
        import jax.numpy as jnp

        def forward(x: Any, h: Any, w: Any, bias: Any) -> tuple[Any, ...]:
            gate, n = jnp.split(x @ w.T + bias, 2, -1)
            z = jax.nn.sigmoid(gate)
            y = scan(1 - z, z * n, h)
            return y, y[-1]

        return forward


class LRU:
    """The cell beside its forms: x W^T is (re, im) of what comes in."""

    cell = elman.cells.LRU
    states = ("re", "im")

    @staticmethod
    def terms(batch: int, steps: int, width: int) -> int:
        """Lambda turns by up to 2 pi, rounded once for all T steps: an error of 2 pi T eps."""
        return max(MinGRU.terms(batch, steps, width), math.ceil((2 * math.pi * steps) ** 2))

    @staticmethod
    def linear_form(form: Linear) -> Callable[..., list[Tensor]]:
        """With a = lambda, in complex numbers."""

        def forward(x: Tensor, re: Tensor, im: Tensor, w: Tensor, *rest: Tensor) -> list[Tensor]:
            nu, theta, gamma = rest
            turning = torch.exp(torch.complex(-nu.exp(), theta.exp()))
            scale = gamma.exp() * torch.sqrt(-torch.expm1(-2 * nu.exp()))
            into = [scale * part for part in linear(x, w).chunk(2, -1)]
            s = form(turning, torch.complex(*into), torch.complex(re, im))
            return [torch.cat([s.real, s.imag], -1), s[-1].real, s[-1].imag]

        return forward

    @classmethod
    def eager(cls) -> dict[str, Callable[..., list[Tensor]]]:
        """The forms by name."""
        forms = {"loop": loop, "doubling": doubling, "cumulative": cumulative}
        return {name: cls.linear_form(form) for name, form in forms.items()}

    @staticmethod
    def in_jax(scan: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
        """The same in JAX, over (T, B, C)."""
        import jax.numpy as jnp
        from jax import lax

        def forward(x: Any, re: Any, im: Any, w: Any, *rest: Any) -> tuple[Any, ...]:
            nu, theta, gamma = rest
            turning = jnp.exp(lax.complex(-jnp.exp(nu), jnp.exp(theta)))
            scale = jnp.exp(gamma) * jnp.sqrt(-jnp.expm1(-2 * jnp.exp(nu)))
            into = lax.complex(*(scale * part for part in jnp.split(x @ w.T, 2, -1)))
            s = scan(jnp.broadcast_to(turning, into.shape), into, lax.complex(re, im))
            return jnp.concatenate([s.real, s.imag], -1), s[-1].real, s[-1].imag

        return forward


CELLS: dict[str, Any] = {"MinGRU": MinGRU, "LRU": LRU}


def scan_in_jax(a: Any, b: Any, h: Any) -> Any:
    """`lax.scan`."""
    return peers.jax_scan(lambda h, ab: ab[0] * h + ab[1], h, (a, b), lambda h: h)[0]


def associative_in_jax(a: Any, b: Any, h: Any) -> Any:
    """`lax.associative_scan`."""
    from jax import lax

    def join(first: Any, second: Any) -> Any:
        return second[0] * first[0], second[0] * first[1] + second[1]

    return lax.associative_scan(join, (a, b.at[0].add(a[0] * h)))[1]


class Size(NamedTuple):
    """B rows of T steps, C units, I inputs."""

    batch: int
    steps: int
    width: int
    inputs: int

    def __str__(self) -> str:
        what = (
            "the recurrence alone, I = 1" if self.inputs == 1 else f"the layer, I = {self.inputs}"
        )
        return f"B {self.batch} T {self.steps} C {self.width}, {what}"


class Problem:
    """The layer, and input, first state and gradients from above, time first."""

    def __init__(self, cell: str, size: Size, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        batch, steps, width, inputs = size
        kind: dict[str, Any] = {"dtype": dtype}
        self.forms = CELLS[cell]
        self.layer = elman.nn.Recurrent(self.forms.cell, inputs, width, **kind)
        self.x = torch.randn(steps, batch, inputs, **kind, requires_grad=True)
        self.batch_first = self.x.detach().transpose(0, 1).contiguous().requires_grad_()
        self.states = [
            torch.randn(batch, width, **kind, requires_grad=True) for _ in self.forms.states
        ]
        self.inputs = [self.x, *self.states, *self.layer.parameters()]
        y = torch.randn(steps, batch, self.layer.output_size, **kind)
        self.up = [y, *(torch.randn_like(s) for s in self.states)]
        self.up_batch_first = y.transpose(0, 1).contiguous()

    @property
    def labels(self) -> list[str]:
        """Names of the results, in order."""
        weights = (name for name, _ in self.layer.named_parameters())
        into = ("x", *self.forms.states, *weights)
        return ["y", *self.forms.states, *(f"gradient of {name}" for name in into)]

    def of_elman(self) -> Contestant:
        """The cell in `Recurrent`."""
        x, state = self.batch_first, (self.layer.cell.State(*self.states),)

        def forward() -> list[Tensor]:
            y, final = self.layer(x, state)
            return [y, *final[0]]

        def time_first(found: list[Tensor]) -> list[Tensor]:
            k = 1 + len(self.states)
            flipped = {0, k}
            return [t.transpose(0, 1) if n in flipped else t for n, t in enumerate(found)]

        up = [self.up_batch_first, *self.up[1:]]
        return Contestant(torch_pass(forward, [x, *self.inputs[1:]], up), time_first)

    def of_form(self, name: str) -> Contestant:
        """A form in eager torch."""
        forward = self.forms.eager()[name]
        one = torch_pass(lambda: forward(*self.inputs), self.inputs, self.up)
        if name != "log space":
            return Contestant(one)
        # Its exponents grow with T, and with them what is rounded off.
        rough = self.x.dtype == torch.float32
        return Contestant(one, lambda found: [t.float() for t in found], rough)

    def projection(self) -> Callable[[], Any]:
        """W x alone, with its gradients: a part of the work of every contestant."""
        w, b = self.layer.weight_ih_l0, getattr(self.layer, "bias_ih_l0", None)
        into = [self.x, w, *([] if b is None else [b])]
        up = torch.randn(*self.x.shape[:2], len(w))
        return torch_pass(lambda: [linear(self.x, w, b)], into, [up])

    def of_jax(self, scan: Callable[..., Any]) -> Contestant:
        """A form in JAX."""
        peers.require("JAX", ["jax"])
        return Contestant(peers.jax_pass(self.forms.in_jax(scan), self.inputs, self.up))


PROJECTION = "W x alone"


def makers(problem: Problem) -> dict[str, Callable[[], Contestant]]:
    """What makes each contestant, by name."""
    made: dict[str, Callable[[], Contestant]] = {"elman": problem.of_elman}
    for name in problem.forms.eager():
        made[name] = partial(problem.of_form, name)
    made["JAX scan"] = lambda: problem.of_jax(scan_in_jax)
    made["JAX associative"] = lambda: problem.of_jax(associative_in_jax)
    return made


def run(cell: str, size: Size, given: argparse.Namespace) -> dict[str, Any]:
    """Compare and time the contestants for one cell and size."""
    terms = CELLS[cell].terms(size.batch, size.steps, size.width)
    exact = Problem(cell, size, torch.float64)
    check(gather(makers(exact))[0], "loop", exact.labels, terms)
    problem = Problem(cell, size, torch.float32)
    found = measure(
        makers(problem),
        reference="loop",
        labels=problem.labels,
        terms=terms,
        rounds=given.rounds,
        beside={PROJECTION: problem.projection()},
    )
    engine = engine_of(problem.layer, problem.batch_first)
    return {**found._asdict(), "engine": engine, "eager": list(problem.forms.eager())}


def verdict(record: dict[str, Any], size: Size) -> str:
    """Against the best eager form: as measured, and with the time of W x taken off both."""
    seconds = record["seconds"]
    best = fastest(seconds, record["eager"])
    product = seconds[PROJECTION].median
    theirs, ours = seconds[best].median - product, seconds["elman"].median - product
    alone = f"{theirs / ours:.1f} x" if theirs > 0 < ours else "lost in the noise"
    reach = "" if size.inputs == 1 else "reach 5, stretch 15; "
    return (
        f"  against the best eager form, {best}: {ratio(seconds, best):.2f} x "
        f"({reach}W x allows {seconds[best].median / product:.1f} x); without W x {alone}"
    )


def main() -> None:
    """Measure and print."""
    made = parser(__doc__ or "", NAME)
    made.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    made.add_argument("--shape", nargs=3, type=int, action="append", metavar=("B", "T", "C"))
    given = made.parse_args()
    print(f"{limit(given.threads)}\n{header()}", flush=True)
    for cell in given.cells:
        for batch, steps, width in given.shape or SHAPES:
            for inputs in (width, 1):
                size = Size(batch, steps, width, inputs)
                key = {"cell": cell, "size": size, "peers": peers.versions(["jax"])}
                with forced(given.engine):
                    record = once(NAME, key, partial(run, cell, size, given), given)
                print(f"\n{cell}, {size}, training; {record['engine']} engine")
                print(f"{standings(record)}\n{verdict(record, size)}", flush=True)


if __name__ == "__main__":
    main()
