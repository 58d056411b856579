"""Any torch code as a recurrence: a module that says how it starts and how it steps."""

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn

from elman import state as states
from elman.engine import reference, valid_steps
from elman.nn.refused import CannotStore, named
from elman.nn.sequence import as_lengths, as_reset, clear

__all__ = ["SteppedModule"]


class SteppedModule(nn.Module):
    """A module with `initial_state(batch)` and `step(x, state) -> (y, state)`, over sequences.

    It runs in the reference engine and keeps the meaning of lengths, reset and state. States are
    trees of batch-first tensors (see `elman.state`); outputs are (B, O).

    Example:
        >>> import torch, elman
        >>> class Sum(torch.nn.Module):
        ...     def initial_state(self, batch):
        ...         return torch.zeros(batch, 3)
        ...     def step(self, x, state):
        ...         return x + state, x + state
        >>> y, state = elman.nn.Recurrent(Sum())(torch.ones(2, 4, 3), lengths=[4, 2])
        >>> state[0][:, 0]
        tensor([4., 2.])
    """

    def __init__(self, module: nn.Module, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        if args or kwargs:
            raise TypeError("Recurrent(module) takes the module alone: its sizes are its own")
        for name in ("initial_state", "step"):
            if not callable(getattr(module, name, None)):
                raise TypeError(f"{type(module).__name__} has no method {name}")
        self.module = module

    def initial_state(self, batch: int) -> tuple[Any]:
        """The module's own first state, for `batch` rows."""
        return (cast(Any, self.module).initial_state(batch),)

    def step(self, x: Tensor, state: tuple[Any]) -> tuple[Tensor, tuple[Any]]:
        """One step: x (B, ...) and a state to y (B, O) and the new state."""
        y, new = cast(Any, self.module).step(x, state[0])
        return y, (new,)

    def lower(self, builder: Any, x: Any) -> tuple[Any, tuple[Any]]:
        """The module's own `lower`, where it has one; its state has no value in a program."""
        if not hasattr(self.module, "lower"):
            raise CannotStore(
                f"{builder.where or 'the layer'} is {named(self.module)}, of which no more is "
                "known than that it runs; write it as a Cell, or give it a lower(builder, x)"
            )
        return builder.lower(self.module, x, name="module"), (None,)

    def last(self, state: tuple[Any]) -> Tensor:
        """The first tensor of the state (B, ...)."""
        return states.leaves(state)[0]

    def forward(
        self,
        x: Tensor,
        state: tuple[Any] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Any]]:
        """Run over whole sequences; arguments and results as in `Recurrent`. T is at least 1."""
        batch, steps = x.shape[:2]
        if not steps:
            raise ValueError("x has no steps, and only a step can tell how wide the output is")
        whole = as_lengths(lengths, x)
        over_time = clear(x, whole).unbind(1)
        found = reference.scan(
            lambda t, s: cast(Any, self.module).step(over_time[t], s),
            steps,
            (self.initial_state(batch) if state is None else state)[0],
            valid=valid_steps(whole, steps),
            reset=as_reset(reset, x),
            start=self.initial_state(batch)[0],
        )
        return found.output, (found.state,)
