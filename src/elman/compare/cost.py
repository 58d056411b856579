"""What a step of training costs: milliseconds and bytes."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from elman.tasks.comparing import Contest

_SECONDS, _LEAST, _MOST = 0.5, 3, 50


def seconds_a_step(contest: Contest, model: nn.Module) -> float:
    """The median time of a forward and a backward pass over one micro-batch, in training mode."""
    batch = contest.batch()
    times: list[float] = []
    _step(contest, model, batch)  # the first allocates and warms caches
    until = time.perf_counter() + _SECONDS
    while len(times) < _LEAST or (len(times) < _MOST and time.perf_counter() < until):
        start = time.perf_counter()
        _step(contest, model, batch)
        times.append(time.perf_counter() - start)
    model.zero_grad(set_to_none=True)
    return statistics.median(times)


def _step(contest: Contest, model: nn.Module, batch: Any) -> None:
    model.train()
    contest.loss(model, batch)[0].backward()  # type: ignore[no-untyped-call]


def bytes_a_step(contest: Contest, model: nn.Module) -> int:
    """What a forward pass keeps for its derivative, parameters left out; each tensor once."""
    batch = contest.batch()
    own = {_place(p) for p in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        place = _place(tensor)
        if place not in own:
            kept[place] = tensor.untyped_storage().nbytes()
        return tensor

    model.train()
    unpack: Callable[[Tensor], Tensor] = lambda tensor: tensor  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        loss, _ = contest.loss(model, batch)
    found = sum(kept.values())
    del loss
    return found


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
