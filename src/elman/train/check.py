"""Whether `fit` can work with what it is given."""

from pathlib import Path

from torch import nn
from torch.nn.parameter import is_lazy

from elman.train.optimizer import trainable
from elman.train.settings import FitSettings


def check_arguments(
    model: object,
    batches: object,
    loss: object,
    metric: object,
    settings: object,
    run_dir: str | Path | None,
    resume: bool,
) -> None:
    """Raises TypeError or ValueError naming the argument, the rule, what came and the repair."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module; got {type(model).__name__}; build one")
    if not isinstance(settings, FitSettings):
        got = type(settings).__name__
        raise TypeError(f"settings must be FitSettings; got {got}; write FitSettings(lr=1e-3, ...)")
    for name, function in (("loss", loss), ("metric", metric)):
        if not callable(function) and not (name == "metric" and function is None):
            raise TypeError(f"{name} must be a function; got {type(function).__name__}; pass one")
    _check_batches(batches)
    _check_model(model, stored=run_dir is not None)
    if metric is None:
        _check_needs_no_metric(settings)
    if resume and run_dir is None:
        raise ValueError("resume needs the run's folder; got run_dir=None; give run_dir")


def _check_batches(batches: object) -> None:
    if not hasattr(batches, "__len__") or not hasattr(batches, "__getitem__"):
        raise TypeError(
            f"batches must have a length and batches[k]; got {type(batches).__name__}; "
            "a DataLoader or generator will not do: see elman.train.Batches"
        )
    if len(batches) < 1:
        raise ValueError("batches must hold at least one micro-batch; got 0; is the data empty?")


def _check_model(model: nn.Module, stored: bool) -> None:
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if is_lazy(tensor):
            raise ValueError(f"model must know its shapes; {name} does not; run one batch first")
    if not trainable(model):
        raise ValueError("model must have a parameter that requires a gradient; got none")
    for name, module in model.named_modules():
        if stored and type(module).get_extra_state is not nn.Module.get_extra_state:
            raise ValueError(
                f"model must keep its state in parameters and buffers to be stored; "
                f"{name or 'it'} has get_extra_state; use buffers, or run_dir=None"
            )


def _check_needs_no_metric(settings: FitSettings) -> None:
    if settings.patience is not None:
        raise ValueError(
            f"patience needs a metric; got patience={settings.patience} and no metric; pass metric"
        )
    if settings.schedule == "plateau":
        raise ValueError("schedule='plateau' needs a metric; got none; pass metric, or use cosine")
