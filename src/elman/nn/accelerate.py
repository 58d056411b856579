"""torch's recurrent layers inside a finished model become elman's drop-ins, and back.

The class of a module is changed in place; no module is made. A drop-in is torch's class with
another `forward`, so nothing else of the module may change, and in place nothing can: parameters,
hooks, buffers, flags and attributes stay because nobody copies them. A new module would have to be
put in every place that holds the old one, and lists, closures, bound methods, hooks and the tables
of parametrisations and FSDP cannot be searched. Python allows the change because the drop-ins add
no slots; torch makes it too (`register_parametrization`, `fully_shard`). Pickle and deepcopy find
the class by its name; torch.compile guards on it and compiles again.

What this cannot keep is the type itself: what looks for exactly `torch.nn.LSTM` (dynamic
quantisation, `torch.fx`, `torch.jit.script`) no longer finds it. For that, and to compare, there
is a way back.
"""

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from elman.nn.dropin import GRU, LSTM, RNN
from elman.nn.dropin_base import DropIn
from elman.nn.dropin_cells import DropInCell, GRUCell, LSTMCell, RNNCell

__all__ = ["Accelerated", "Found", "accelerate"]

OURS: dict[type[nn.Module], type[nn.Module]] = {
    nn.RNN: RNN,
    nn.LSTM: LSTM,
    nn.GRU: GRU,
    nn.RNNCell: RNNCell,
    nn.LSTMCell: LSTMCell,
    nn.GRUCell: GRUCell,
}
PURE = ("_WeightNorm", "_Orthogonal")
"""The parametrisations that give the same weight however often they are evaluated."""
THEIRS = {ours: theirs for theirs, ours in OURS.items()}


@dataclass(frozen=True)
class Found:
    """A recurrent module of torch's kind, and what was done with it."""

    names: tuple[str, ...]
    """Every place where the model has it; "" is the model itself."""
    kind: str
    """The name of its class as it was found."""
    swapped: bool
    reason: str
    """Why it was left; empty where it was swapped."""
    module: nn.Module = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The places in words."""
        return ", ".join(name or "(the model)" for name in self.names)


@dataclass(frozen=True)
class Accelerated:
    """What `accelerate` found in a model and did; `print` shows it as a table."""

    model: nn.Module = field(repr=False)
    """The model that was given, the same object."""
    found: tuple[Found, ...]

    @property
    def swapped(self) -> tuple[Found, ...]:
        """The modules that run elman's forward since."""
        return tuple(f for f in self.found if f.swapped)

    @property
    def left(self) -> tuple[Found, ...]:
        """The modules that stayed as they were, each with its reason."""
        return tuple(f for f in self.found if not f.swapped)

    def restore(self) -> nn.Module:
        """Give what was swapped torch's classes back, in place; `accelerate` swaps again.

        Parameters, hooks and parametrisations are those that the modules have now. What has torch's
        class again already is left alone.

        Returns:
            The model.

        Raises:
            ValueError: something else has changed the class or the forward of a swapped module
                since, so torch's class would not fit; says which. No module is changed then.
        """
        back = [f for f in self.swapped if _class(f.module) not in OURS]
        for f in back:
            if change := _change(f.module):
                raise ValueError(
                    f"restore: {f.name} has {change} since accelerate: undo that first"
                )
        for f in back:
            _become(f.module, THEIRS[_class(f.module)])
        return self.model

    def __str__(self) -> str:
        if not self.found:
            return "no recurrent layer of torch found"
        rows = [(f.name, f.kind, "swapped" if f.swapped else "left", f.reason) for f in self.found]
        head = ("module", "class", "done", "why")
        widths = [max(len(row[k]) for row in [head, *rows]) for k in range(4)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [head, *rows]
        ]
        title = f"{len(self.swapped)} of {len(rows)} recurrent modules swapped"
        return "\n".join([title, *lines])


def accelerate(model: nn.Module) -> Accelerated:
    """Let torch's recurrent layers inside a model run elman's forward, in place.

    Every `torch.nn.RNN`, `LSTM`, `GRU`, `RNNCell`, `LSTMCell` and `GRUCell` becomes elman's drop-in
    of the same name. It remains the same object with the same parameters, so an optimiser made
    before, hooks, parametrisations, shared modules and state dicts go on working, and outputs,
    states, gradients and dropout masks are torch's. What cannot be swapped safely is left, and the
    report says why: a subclass, a module compiled by `torch.jit`, a forward that was replaced, a
    parametrisation that may give another weight at each evaluation.

    Args:
        model: any module; a recurrent layer itself will do.

    Returns:
        A report: `print` it, `.model` is the model, `.restore()` the way back.

    Raises:
        TypeError: `model` is no `torch.nn.Module`.

    Example:
        >>> import torch, elman
        >>> model = torch.nn.ModuleDict({"rnn": torch.nn.GRU(3, 5), "out": torch.nn.Linear(5, 2)})
        >>> report = elman.accelerate(model)
        >>> print(report)
        1 of 1 recurrent modules swapped
        module  class  done     why
        rnn     GRU    swapped
        >>> isinstance(model["rnn"], elman.nn.GRU)
        True
        >>> type(report.restore()["rnn"])
        <class 'torch.nn.modules.rnn.GRU'>
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be a torch.nn.Module, got {type(model).__name__}: "
            "pass the module that holds the recurrent layers"
        )
    places: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if _is_recurrent(module):
            places.setdefault(module, []).append(name)
    found = tuple(_examine(module, tuple(names)) for module, names in places.items())
    for f in found:
        if f.swapped:
            _become(f.module, OURS[_class(f.module)])
    return Accelerated(model, found)


def _is_recurrent(module: nn.Module) -> bool:
    if isinstance(module, torch.jit.ScriptModule):
        return _scripted_name(module) in {theirs.__name__ for theirs in OURS}
    return isinstance(module, nn.RNNBase | nn.RNNCellBase)


def _scripted_name(module: nn.Module) -> str:
    return str(getattr(module, "original_name", ""))


def _examine(module: nn.Module, names: tuple[str, ...]) -> Found:
    reason = _reason_to_leave(module)
    scripted = isinstance(module, torch.jit.ScriptModule)
    kind = _scripted_name(module) if scripted else type(module).__name__
    return Found(names, kind, not reason, reason, module)


def _reason_to_leave(module: nn.Module) -> str:
    """Why this module cannot become a drop-in; empty where it can."""
    if isinstance(module, torch.jit.ScriptModule):
        return "compiled by torch.jit"
    if isinstance(module, DropIn | DropInCell):
        return "elman's already"
    if "forward" in vars(module):
        return "its forward was replaced: accelerate first"
    kind = _class(module)
    if kind in OURS and not _is_torch_s(kind):
        return f"torch.nn.{kind.__name__}.forward was replaced"
    if kind in OURS:
        return _impure(module)
    base = next((k for k in kind.__mro__ if k in OURS), None)
    if base is None or kind.forward is not base.forward:
        return "a subclass with its own forward"
    ours = f"elman.nn.{base.__name__}"
    return f"a subclass: yours, derive it from {ours}; made by a tool, accelerate before"


def _impure(module: nn.Module) -> str:
    """The reason to leave a layer whose parametrisation may draw or keep something; or empty.

    torch's layers evaluate a parametrisation several times a call, the drop-ins once or twice:
    spectral norm would take fewer steps, and a random mask would come from other draws.
    """
    if _is_derived(type(module)):
        chains = cast(nn.ModuleDict, module.parametrizations).values()
        for kind in (type(step) for chain in chains for step in chain.children()):
            if kind.__module__ != parametrizations.__name__ or kind.__name__ not in PURE:
                return f"{kind.__name__} may change at each evaluation, and torch has more of them"
    return ""


def _change(module: nn.Module) -> str:
    """What happened to a swapped module that torch's class would not fit; empty if nothing did."""
    if _class(module) not in THEIRS:
        return f"become {type(module).__name__}"
    return "got a forward of its own" if "forward" in vars(module) else ""


def _is_torch_s(kind: type[nn.Module]) -> bool:
    """Whether the class's forward is the one that torch came with."""
    forward = kind.forward
    return forward.__module__ == nn.RNNBase.__module__ and not hasattr(forward, "__wrapped__")


def _class(module: nn.Module) -> type[nn.Module]:
    """The module's class without what `register_parametrization` derived from it."""
    kind = type(module)
    return kind.__bases__[0] if _is_derived(kind) else kind


def _is_derived(kind: type) -> bool:
    return kind.__module__ == parametrize.__name__


def _become(module: nn.Module, kind: type[nn.Module]) -> None:
    derived = type(module)
    if _is_derived(derived):
        # It holds a property for each weight that is computed. Made anew and not changed: copies of
        # a parametrised module share it.
        kind = type(derived.__name__, (kind,), dict(vars(derived)))
    module.__class__ = kind
