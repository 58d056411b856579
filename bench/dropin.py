"""The drop-ins beside what they replace, on plain dense input: they must not be slower.

python bench/dropin.py            # prints a table
python bench/dropin.py --append   # and adds it to bench/results/dropin.jsonl
"""

import argparse
import itertools
from collections.abc import Callable

import torch
from timing import Timing, append, header, interleaved
from torch import Tensor, nn

import elman
from elman.testing import assert_close


def contestants(
    layer: str, steps: int, batch: int, hidden: int, train: bool
) -> dict[str, Callable]:
    """One pass of torch's layer and of elman's, with the same weights."""
    torch.manual_seed(0)
    x = torch.randn(steps, batch, hidden, requires_grad=train)
    theirs = getattr(nn, layer)(hidden, hidden)
    ours = getattr(elman.nn, layer)(hidden, hidden)
    ours.load_state_dict(theirs.state_dict())
    assert_close(ours(x)[0], theirs(x)[0], terms=steps * hidden)
    up = torch.randn(steps, batch, hidden)

    def bind(module: nn.Module) -> Callable[[], Tensor | tuple[Tensor, ...]]:
        if train:
            weights = list(module.parameters())
            return lambda: torch.autograd.grad(module(x)[0], [x, *weights], up)

        def infer() -> Tensor:
            with torch.no_grad():
                return module(x)[0]

        return infer

    return {"torch": bind(theirs), "elman": bind(ours)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--append", action="store_true", help="to bench/results/dropin.jsonl")
    settings = parser.parse_args()
    torch.set_num_threads(settings.threads)
    print(header(), flush=True)
    rows = []
    grid = itertools.product(("RNN", "LSTM", "GRU"), (64, 256), (1, 32), (1, 100), (False, True))
    for layer, hidden, batch, steps, train in grid:
        found = interleaved(
            contestants(layer, steps, batch, hidden, train), rounds=settings.rounds, seconds=0.03
        )
        print(f"{_name(layer, hidden, batch, steps, train)}  {_compared(found)}", flush=True)
        shape = {"layer": layer, "hidden": hidden, "batch": batch, "steps": steps, "train": train}
        rows.append({**shape, "seconds": found})
    if settings.append:
        print(f"\nadded to {append('dropin', {'rows': rows})}")


def _name(layer: str, hidden: int, batch: int, steps: int, train: bool) -> str:
    what = "forward + backward" if train else "forward"
    return f"{layer:4} H {hidden:<3} B {batch:<2} T {steps:<3} {what:18}"


def _compared(found: dict[str, Timing]) -> str:
    theirs, ours = found["torch"], found["elman"]
    more = (ours.median - theirs.median) * 1e6
    return f"torch {theirs}  elman {ours}  {more:+8.1f} us, {ours.median / theirs.median:.2f}"


if __name__ == "__main__":
    main()
