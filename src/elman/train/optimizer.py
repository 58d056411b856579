"""The optimiser of a run, and which parameters decay."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from elman.train.settings import FitSettings

_CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
# One call for all parameters; for the many small ones of a recurrent net four times faster.
_FUSED = {"adamw", "adam", "sgd"}


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that require a gradient, each once, by the first of its names."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def build_optimizer(model: nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    """The optimiser over the trainable parameters: those that decay first, then the others."""
    named = trainable(model)
    decaying = [p for name, p in named.items() if _decays(name, p)]
    others = [p for name, p in named.items() if not _decays(name, p)]
    groups = [
        {"params": decaying, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    options = _options(settings)
    if settings.optimizer in _FUSED and _can_fuse(named.values()):
        options["fused"] = True
    return _CLASSES[settings.optimizer]([g for g in groups if g["params"]], **options)


def load_optimizer(optimizer: torch.optim.Optimizer, stored: dict[str, Any]) -> None:
    """Put back what `state_dict` gave, each tensor in the dtype it had.

    torch's own loading casts to the dtype of the parameter, and NAdam's float32 running product
    would go on in float64: a resumed run would drift off.
    """
    optimizer.load_state_dict(stored)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for index, state in stored["state"].items():
        optimizer.state[parameters[index]] = dict(state)


def _decays(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim >= 2 and not name.rpartition(".")[2].startswith("bias")


def _options(settings: FitSettings) -> dict[str, Any]:
    if settings.optimizer == "sgd":
        return {"lr": settings.lr, "momentum": settings.momentum}
    if settings.optimizer == "rmsprop":
        return {"lr": settings.lr, "alpha": settings.betas[1], "eps": settings.eps}
    return {"lr": settings.lr, "betas": settings.betas, "eps": settings.eps}


def _can_fuse(parameters: Iterable[nn.Parameter]) -> bool:
    kinds = {(p.device, p.dtype) for p in parameters}
    return len(kinds) == 1 and all(
        device.type in ("cpu", "cuda") and dtype in (torch.float32, torch.float64)
        for device, dtype in kinds
    )
