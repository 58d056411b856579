"""What cannot be stored, and how that is said."""

from typing import Any

from torch import nn

from elman_runtime.program.form import Value

__all__ = ["CannotStore", "named"]


class CannotStore(TypeError):
    """A module, or a call in a `forward`, that no program can say; says which, and the repair."""


def named(thing: Any) -> str:
    """What something is, in a few words."""
    if isinstance(thing, Value):
        return f"a value {thing.shape}"
    if isinstance(thing, nn.Module):
        kind = type(thing)
        room = "torch.nn" if kind.__module__.startswith("torch.nn.") else kind.__module__
        return f"{room}.{kind.__name__}"
    if isinstance(thing, tuple | list):
        return f"{len(thing)} values"
    return "nothing" if thing is None else type(thing).__name__
