"""Training on rows of unequal lengths: `lengths=` beside torch's PackedSequence.

    python bench/ragged.py            # prints a table
    python bench/ragged.py --append   # and adds it to bench/results/ragged.jsonl

Each contestant runs forward and backward from the same padded batch, with all gradients. Lengths
are uniform in 1..T. `packed` is torch's layer between pack_padded_sequence and
pad_packed_sequence; `elman, packed` the same with elman's layer; `dense` is torch's layer over the
padding as if it were data, with its outputs masked: it does the least there is to do, but its
final states are wrong. Results are compared before anything is timed.
"""

import argparse
from collections.abc import Callable
from typing import Any

import torch
from contest import engine_of
from timing import Timing, append, header, interleaved
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman
from elman.testing import assert_close

SHAPES = ((400, 32, 128), (200, 16, 128), (100, 32, 64), (50, 8, 32))


class Batch:
    """A padded batch (B, T, H), its lengths, and the gradients that arrive from above."""

    def __init__(self, layer: str, steps: int, batch: int, hidden: int) -> None:
        torch.manual_seed(0)
        self.lengths = torch.randint(1, steps + 1, (batch,))
        self.lengths[0] = steps
        self.valid = (torch.arange(steps) < self.lengths[:, None])[..., None]
        self.x = torch.randn(batch, steps, hidden).masked_fill(~self.valid, 0.0).requires_grad_()
        self.torch = getattr(nn, layer)(hidden, hidden, batch_first=True)
        self.elman = getattr(elman.nn, layer)(hidden, hidden, batch_first=True)
        self.elman.load_state_dict(self.torch.state_dict())
        self.up = torch.randn(batch, steps, hidden)
        self.up_state = [torch.randn(1, batch, hidden) for _ in self.elman.cell.state]

    def through_packed(self, layer: nn.Module) -> tuple[Tensor, Any]:
        packed = pack_padded_sequence(self.x, self.lengths, True, enforce_sorted=False)
        y, state = layer(packed)
        return pad_packed_sequence(y, True, total_length=self.x.shape[1])[0], state

    def contestants(self) -> dict[str, tuple[nn.Module, Callable[[], tuple[Tensor, Any]]]]:
        """The module and the forward pass of each, by name."""
        return {
            "elman": (self.elman, lambda: self.elman(self.x, lengths=self.lengths)),
            "elman, packed": (self.elman, lambda: self.through_packed(self.elman)),
            "packed": (self.torch, lambda: self.through_packed(self.torch)),
            "dense": (self.torch, self._dense),
        }

    def _dense(self) -> tuple[Tensor, Any]:
        y, state = self.torch(self.x)
        return y.masked_fill(~self.valid, 0.0), state

    def train(self, module: nn.Module, forward: Callable[[], tuple[Tensor, Any]]) -> list[Tensor]:
        """Outputs, final states and gradients."""
        y, state = forward()
        out = [y, *(state if isinstance(state, tuple) else (state,))]
        into = [self.x, *module.parameters()]
        return out + list(torch.autograd.grad(out, into, [self.up, *self.up_state]))


def check(batch: Batch) -> None:
    """Refuse to time what does not give the same numbers as torch's packed layer."""
    found = {name: batch.train(*one) for name, one in batch.contestants().items()}
    rows, steps, hidden = batch.x.shape
    for name in ("elman", "elman, packed"):
        for k, (a, e) in enumerate(zip(found[name], found["packed"], strict=True)):
            assert_close(a, e, terms=steps * (2 * hidden + rows), what=f"{name} {k}")


def measure(layer: str, shape: tuple[int, int, int], rounds: int) -> tuple[str, dict[str, Timing]]:
    """The engine that elman runs in, and seconds for one training pass of each contestant."""
    batch = Batch(layer, *shape)
    check(batch)

    def bind(one: Any) -> Callable[[], list[Tensor]]:
        return lambda: batch.train(*one)

    calls = {name: bind(one) for name, one in batch.contestants().items()}
    engine = engine_of(batch.elman, batch.x, lengths=batch.lengths)
    return engine, interleaved(calls, rounds=rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--append", action="store_true", help="to bench/results/ragged.jsonl")
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    print(header(), flush=True)
    rows = []
    for layer in ("LSTM", "GRU"):
        for shape in SHAPES:
            engine, found = measure(layer, shape, settings.rounds)
            print(f"\n{layer}, T {shape[0]}, B {shape[1]}, H {shape[2]}: training, {engine} engine")
            for name, timing in found.items():
                print(f"  {name:14}{timing!s:36}{_against(found, timing.median)}", flush=True)
            rows.append({"layer": layer, "shape": shape, "engine": engine, "seconds": found})
    if settings.append:
        print(f"\nadded to {append('ragged', {'rows': rows})}")


def _against(found: dict[str, Timing], seconds: float) -> str:
    packed, dense = found["packed"].median, found["dense"].median
    return (
        f"{packed / seconds:5.2f} x packed, {min(packed, dense) / seconds:5.2f} x the faster peer"
    )


if __name__ == "__main__":
    main()
