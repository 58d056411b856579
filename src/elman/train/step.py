"""One optimiser step."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from elman.train.average import Average, copy_into
from elman.train.clip import Clipper
from elman.train.optimizer import build_optimizer, trainable
from elman.train.settings import FitSettings
from elman.train.tree import Tree, map_tensors, tensors_of

Loss = Callable[[Any, Any, Any], tuple[Tensor, Any]]


@dataclass(frozen=True)
class StepReport:
    """What one step did. `loss` is the mean over its micro-batches, `norm` before clipping."""

    loss: float
    norm: float
    skipped: bool
    clipped: bool


class Stepper:
    """The model, its optimiser, its averaged weights and the carried state."""

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        settings: FitSettings,
    ) -> None:
        self.model = model
        self.settings = settings
        self.parameters = list(trainable(model).values())
        self.device = self.parameters[0].device
        self.optimizer = build_optimizer(model, settings)
        self.average = Average(model, settings.ema)
        self.clipper = Clipper(settings)
        self.carry: Tree = None
        self.loss = loss
        self._buffers = ChangingBuffers(model)

    def fresh(self) -> "Stepper":
        """One for the same model that has not done a step."""
        return Stepper(self.model, self.loss, self.settings)

    def step(self, micro_batches: list[tuple[bool, Any]], rate: float) -> StepReport:
        """One step over `(starts an epoch, batch)` pairs, at learning rate `rate`.

        If the loss or the gradient is not finite, the weights, the optimiser, the average and the
        buffers stay as they were, and a carry that is not finite starts again at None.
        """
        self._buffers.remember()
        self.optimizer.zero_grad(set_to_none=True)
        loss = sum(self._backward(starts, batch) for starts, batch in micro_batches)
        loss /= len(micro_batches)
        norm, clipped = self.clipper(self.parameters)
        skipped = not (math.isfinite(loss) and math.isfinite(norm))
        if skipped:
            self._skip()
        else:
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
            self.average.update()
        return StepReport(loss, norm, skipped, clipped)

    def _backward(self, starts_epoch: bool, batch: Any) -> float:
        batch = map_tensors(lambda tensor: tensor.to(self.device), batch)
        returned = self.loss(self.model, batch, None if starts_epoch else self.carry)
        loss, carry = _checked(returned)
        (loss / self.settings.accumulate).backward()  # type: ignore[no-untyped-call]
        self.carry = map_tensors(Tensor.detach, carry)
        return float(loss.detach())

    def _skip(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self._buffers.put_back()
        if not all(bool(t.isfinite().all()) for t in tensors_of(self.carry)):
            self.carry = None


class ChangingBuffers:
    """The buffers that a forward pass writes (running statistics), to undo a skipped step.

    All are copied before the first step; after it, those that some step has written.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._changing: set[str] = set()
        self._copies: dict[str, Tensor] = {}
        self._seen: dict[str, tuple[int, int]] | None = None

    def remember(self) -> None:
        """Copy what may be written."""
        buffers = dict(self._model.named_buffers())
        seen = {name: (id(buffer), buffer._version) for name, buffer in buffers.items()}
        if self._seen is not None:
            before = self._seen
            self._changing |= {name for name in seen if seen[name] != before.get(name)}
            buffers = {name: buffers[name] for name in self._changing if name in buffers}
        self._copies = {name: buffer.clone() for name, buffer in buffers.items()}
        self._seen = seen

    def put_back(self) -> None:
        """Write the copies back."""
        copy_into(dict(self._model.named_buffers()), self._copies)


def _checked(returned: object) -> tuple[Tensor, Tree]:
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise TypeError(
            f"loss must return (loss, carry); got {type(returned).__name__}; "
            "return (loss, None) where nothing is carried"
        )
    loss, carry = returned
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        got = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise TypeError(f"loss must return a tensor of one number first; got {got}; take the mean")
    if not loss.requires_grad:
        raise ValueError(
            "loss must depend on the model's trainable parameters; got a tensor without a "
            "gradient; look for .detach(), .item() or torch.no_grad() in the loss"
        )
    return loss.reshape(()), carry
