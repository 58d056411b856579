"""ETTh1: 7 channels as series, horizons 96, 192, 336 and 720, mean MSE on z-scored data.

12, 4 and 4 months (8640, 2880 and 2880 rows) train, choose and test; statistics are those of the
training months; validation and test windows look back into the part before; every window counts.
The network is a mean of two that see windows of different length, in one training each. NLinear
starts where the network does and is trained by the same rules.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from forecast_runs import etth1, run_once
from torch import Tensor, nn

from elman.cells import GRU
from elman.nn.baselines import NLinear
from elman.tasks.forecasting.linear_start import set_start, solve
from elman.tasks.forecasting.network import SegmentNetwork
from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.spread import objective
from elman.tasks.forecasting.windows import Batch, Gather, Windows
from elman.train import FitSettings, fit

TRAIN, VALIDATION, TEST = 8640, 2880, 2880
STEPS = {96: 600, 192: 600, 336: 400, 720: 200}
WINDOWS = {336: 24, 512: 32}  # and the segments they are cut into
HIDDEN, DROPOUT, BATCH, LOSS = 64, 0.5, 256, "mse"


def series(data: Path) -> list[Part]:
    """The channels, z-scored."""
    values = etth1(data)[:, : TRAIN + VALIDATION + TEST]
    training = values[:, :TRAIN]
    z = (values - training.mean(1, keepdims=True)) / training.std(1, keepdims=True)
    return [Part(str(k), one, 0, TRAIN, 1.0, 1.0) for k, one in enumerate(z)]


def every_window(parts: list[Part], shape: Shape, which: str) -> list[tuple[Any, Any]]:
    """Windows (N, L) and what follows (N, K) of each channel: all whose K lies in the split."""
    first = TRAIN if which == "validation" else TRAIN + VALIDATION
    size = VALIDATION if which == "validation" else TEST
    starts = np.arange(first, first + size - shape.h + 1)
    gather = Gather(parts, shape)
    return [gather.values(np.full_like(starts, k), starts) for k in range(len(parts))]


def forecasts(model: nn.Module, seen: Any) -> Any:
    """Forecasts (N, K) on the z-scored scale."""
    last = seen[:, -1:]
    model.eval()
    with torch.no_grad():
        return model(torch.from_numpy((seen - last).astype(np.float32))).numpy() + last


def mse(parts: list[Part], shapes: list[Shape], models: list[nn.Module], which: str) -> float:
    """Of the mean of the models' forecasts, each with the windows of its own shape."""
    total, count = 0.0, 0
    each = [every_window(parts, shape, which) for shape in shapes]
    for channel in zip(*each, strict=True):
        made = [forecasts(m, seen) for m, (seen, _) in zip(models, channel, strict=True)]
        off = np.mean(made, 0) - channel[0][1]
        total, count = total + float((off**2).sum()), count + off.size
    return total / count


def trained(model: nn.Module, parts: list[Part], shape: Shape, seed: int) -> nn.Module:
    """With the weights that are best on validation."""

    def loss(model: nn.Module, batch: Batch, carry: None) -> tuple[Tensor, None]:
        return objective(model(batch.x), batch.y, batch.weight, LOSS, ()), carry

    def score(model: nn.Module) -> dict[str, float]:
        return {"MSE": mse(parts, [shape], [model], "validation")}

    steps = STEPS[shape.h]
    settings = FitSettings(steps=steps, evaluate_every=steps // 4, warmup=50, ema=0.99, seed=seed)
    fit(model, Windows(parts, shape, BATCH, seed), loss, score, settings)
    return model


def run(data: Path, h: int, seed: int) -> dict[str, Any]:
    """One horizon with one seed: errors of the pair, of each of it, and of NLinear."""
    parts, found = series(data), {}
    shapes = [Shape(h, L, S, 24, VALIDATION // h, TEST // h) for L, S in WINDOWS.items()]
    pairs: dict[str, list[nn.Module]] = {"GRU": [], "NLinear": []}
    for shape in shapes:
        torch.manual_seed(seed)
        size = (shape.window, h, shape.segment, HIDDEN)
        networks = {
            "GRU": SegmentNetwork(GRU, *size, dropout=DROPOUT),
            "NLinear": NLinear(shape.window, h),
        }
        set_start(list(networks.values()), solve(parts, shape))
        for name, network in networks.items():
            pairs[name].append(trained(network, parts, shape, seed))
    for name, models in pairs.items():
        for which in ("validation", "test"):
            found[f"{name} {which}"] = mse(parts, shapes, models, which)
            for shape, model in zip(shapes, models, strict=True):
                found[f"{name} L={shape.window} {which}"] = mse(parts, [shape], [model], which)
    return found


def main(data: Path, seeds: int, again: bool) -> None:
    """Run what is missing and print the table."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for seed in range(seeds):
        for h in STEPS:
            key = {"experiment": "etth1", "h": h, "seed": seed}
            record = run_once(key, lambda: run(data, h, seed), again)  # noqa: B023
            rows.setdefault(h, []).append(record)
            print(f"seed={seed} h={h} done, {record['minutes']} minutes", flush=True)
    names = [name for name in rows[96][0] if name.startswith(("GRU", "NLinear"))]
    for name in sorted(names):
        means = [np.mean([row[name] for row in rows[h]]) for h in STEPS]
        over = [np.mean([rows[h][k][name] for h in STEPS]) for k in range(seeds)]
        each = "  ".join(f"{mean:.4f}" for mean in means)
        print(f"{name:26s} {each}   mean {np.mean(over):.4f}, seeds {np.round(over, 4).tolist()}")
    print(f"minutes: {sum(row['minutes'] for each in rows.values() for row in each):.1f}")
