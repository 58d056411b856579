"""What surrounds training: ensembles, weights to start from, and training again on all rows."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from elman.data import Panel
from elman.nn.store import arrays, fill
from elman.tasks.forecasting.ensemble import joined, members
from elman.tasks.forecasting.fitted import Fitted
from elman.tasks.forecasting.intervals import supported
from elman.tasks.forecasting.splits import Part, Shape
from elman.train import FitResult, FitSettings

Train = Callable[..., FitResult]
"""`train(model, shape, parts, settings, fit_settings, **options)`."""

# What the weights of an earlier fit are sized by.
_SIZES = ("h", "cell", "hidden", "layers", "ensemble", "level")


def train_members(
    network: nn.Module, train: Train, fitting: FitSettings, run_dir: Path | None, **options: Any
) -> FitResult:
    """Train each network of an ensemble with a seed of its own; what it came to in all."""
    results = []
    for k, member in enumerate(members(network)):
        seeded = dataclasses.replace(fitting, seed=(fitting.seed + k) % 2**63)
        folder = run_dir / f"member-{k + 1}" if run_dir and k else run_dir
        results.append(train(member, seeded, run_dir=folder, **options))
    seconds = sum(one.seconds for one in results)
    return dataclasses.replace(results[0], seconds=seconds)


def train_again(
    fresh: nn.Module,
    train: Callable[[nn.Module, list[Part], FitSettings], FitResult],
    parts: list[Part],
    fitting: FitSettings,
    result: FitResult,
) -> nn.Module:
    """The network trained on all rows, for as many steps as were best; nothing chooses then.

    Where training never improved on the start, it is the start, which all rows have given.
    """
    if not result.best_step:
        return fresh.eval()
    whole = on_all_rows(parts)
    steps = result.best_step
    schedule = "cosine" if fitting.schedule == "plateau" else fitting.schedule
    budget = dataclasses.replace(
        fitting,
        steps=steps,
        epochs=None,
        minutes=None,
        patience=None,
        schedule=schedule,
        warmup=min(fitting.warmup, steps // 2),
    )
    for k, member in enumerate(members(fresh)):
        train(member, whole, dataclasses.replace(budget, seed=(fitting.seed + k) % 2**63))
    return fresh.eval()


def on_all_rows(parts: list[Part]) -> list[Part]:
    """The series with nothing held out."""
    return [dataclasses.replace(part, train_end=part.values.size) for part in parts]


def start_from(networks: dict[str, nn.Module], before: Fitted) -> None:
    """Copy the weights of an earlier fit into networks of the same sizes; the baselines' too."""
    earlier = dict(zip(networks, before.networks("").values(), strict=True))
    for name, network in networks.items():
        fill(network, arrays(earlier[name]), "the weights to start from")


def as_before(settings: Any, before: Fitted, sizes: dict[str, Any]) -> Any:
    """The settings with the sizes of an earlier fit.

    Raises:
        ValueError: a setting asks for a network of another size.
    """
    for name in _SIZES:
        now, then = getattr(settings, name), sizes[name]
        if now != then:
            raise ValueError(
                f"{name} must be that of the weights to start from, {then!r}; got {now!r}; leave "
                "it out, or train from the start"
            )
    shape = before.shape
    for name in ("window", "segment", "season"):
        now, then = getattr(settings, name), getattr(shape, name)
        if now not in (0, then):
            raise ValueError(
                f"{name} must be that of the weights to start from, {then}; got {now}; leave it out"
            )
    return dataclasses.replace(
        settings, window=shape.window, segment=shape.segment, season=shape.season
    )


def seen_before(before: Fitted, panel: Panel, parts: list[Part], shape: Shape) -> str:
    """What has to be said where weights to start from have seen what is now held out."""
    calendar, held = before.calendar, 0 if before.refitted is not None else before.shape.held_out
    back = np.asarray([-held])
    until = {
        name: int(calendar.frequency.advance(int(last), back, calendar.clock)[0])
        for name, last in zip(before.memory.ids, before.memory.last, strict=True)
    }
    lasts = {one.id: one.last for one in panel.series}
    back = np.asarray([-shape.held_out])
    seen = []
    for part in parts:
        end = int(panel.calendar.frequency.advance(lasts[part.id], back, panel.calendar.clock)[0])
        if until.get(part.id, end) > end:
            seen.append(part.id)
    if not seen:
        return ""
    return (
        f"the weights it started from were trained on rows that are now validation or test "
        f"({len(seen)} of {len(parts)} series): errors there are lower than on new rows"
    )


def check_support(panel: Panel, support: str) -> None:
    """Raises ValueError where the values are not on the support that was asked for."""
    for one in panel.series:
        known = one.values[~one.filled]
        off = known[supported(known, support) != known]
        if off.size:
            rule = "not below 0" if support == "nonnegative" else "whole numbers from 0 on"
            raise ValueError(
                f"support={support!r} is for values that are {rule}; got {off[0]:g} in series "
                f"{one.id!r}; mend the rows, or give another support"
            )


def fresh_networks(count: int, build: Callable[[int], nn.Module]) -> nn.Module:
    """One network, or an ensemble of as many; `build` makes that of a seed's number."""
    return joined([build(k) for k in range(count)])
