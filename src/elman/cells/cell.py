"""What a cell is: equations and the names of what they read."""

from collections import namedtuple
from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any, ClassVar

from elman.init import Initialiser


class Cell:
    """A recurrence, as its equations. Subclass it and write `update`; never instantiate it.

    Class attributes:
        gates: names of the row blocks of the input projection W, in order.
        state: names of the states; U multiplies the first, which is also what is read out.
        recurrent: names of the row blocks of the recurrent projection U; default: `gates`;
            `()` means that there is no U.
        params: parameters of one value a unit: name -> initialiser (see `elman.init`).
        constants: settings of the layer: name -> default number. Read as `p.name`.
        inputs: further inputs of a step, keyword arguments of the layer, read as `x.name`;
            (B, T) is one value a row, (B, T, H) one a unit. `raw` is the layer's own input and
            needs input_size = hidden_size.
        bias: whether layers have b_ih and b_hh; False for a cell that adds shifts of its own.
        forget_gate, input_gate: which gate keeps the old state when it is open, and which one
            admits the new; only initialisers read them.

    Methods, all without `self`:
        update(x, u, s, p): the new state, or a tuple of them in the order of `state`.
            `x.g` is gate g of W x_t + b_ih; `u.g` is gate g of U h_{t-1} + b_hh; `u.g(v)` is the
            same product with v in place of h_{t-1}; `s` is the previous state; `p` holds the
            parameters and constants.
        read(s, x, p), optional: what the layer returns, from the new state; a tuple of values is
            concatenated. Default: the first state.
        start(p), optional: the state before the first step, in the order of `state`, each
            broadcastable to (H,). Default: zeros.
        constrain(U), optional: what multiplies in place of U, made anew in each call from one
            gate's block of the stored U, a tensor (H, H); it keeps the shape.

    Example:
        >>> from elman.ops import tanh
        >>> class Leaky(Cell):
        ...     gates = ("n",)
        ...     constants = {"rate": 0.1}
        ...
        ...     def update(x, u, s, p):
        ...         return s.h + p.rate * (tanh(x.n + u.n) - s.h)
    """

    gates: ClassVar[tuple[str, ...]] = ()
    state: ClassVar[tuple[str, ...]] = ("h",)
    recurrent: ClassVar[tuple[str, ...]]
    params: ClassVar[Mapping[str, Initialiser]] = {}
    constants: ClassVar[Mapping[str, float]] = {}
    inputs: ClassVar[tuple[str, ...]] = ()
    bias: ClassVar[bool] = True
    forget_gate: ClassVar[str | None] = None
    input_gate: ClassVar[str | None] = None
    State: ClassVar[type[Any]]
    update: ClassVar[Callable[..., Any]]
    read: ClassVar[Callable[..., Any] | None] = None
    start: ClassVar[Callable[..., Any] | None] = None
    constrain: ClassVar[Callable[..., Any] | None] = None

    def __new__(cls, *args: Any, **kwargs: Any) -> "Cell":
        raise TypeError(
            f"{cls.__name__} is a cell: equations without parameters, never instantiated. "
            f"Write elman.nn.Recurrent({cls.__name__}, input_size, hidden_size)."
        )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "recurrent" not in cls.__dict__:
            cls.recurrent = cls.gates
        _check(cls)
        cls.State = namedtuple("State", cls.state)  # type: ignore[misc]
        # So that a state can be pickled: it is found again as an attribute of its cell.
        cls.State.__module__, cls.State.__qualname__ = cls.__module__, f"{cls.__qualname__}.State"


def _check(cls: type[Cell]) -> None:
    for attribute in ("gates", "state", "recurrent", "inputs"):
        names = getattr(cls, attribute)
        if isinstance(names, str) or not isinstance(names, tuple):
            raise TypeError(
                f"{cls.__name__}.{attribute}: a tuple of names is needed, got {names!r}"
            )
        _check_names(cls, attribute, names)
    for attribute in ("params", "constants"):
        _check_names(cls, attribute, tuple(getattr(cls, attribute)))
    if not cls.state:
        raise ValueError(f"{cls.__name__}.state: a cell needs at least one state")
    if "update" not in cls.__dict__ and not hasattr(cls, "update"):
        raise TypeError(f"{cls.__name__} has no update(x, u, s, p)")
    _check_disjoint(cls, "x", cls.gates, cls.inputs)
    _check_disjoint(cls, "p", tuple(cls.params), tuple(cls.constants))
    for attribute in ("forget_gate", "input_gate"):
        gate = getattr(cls, attribute)
        if gate is not None and gate not in cls.gates:
            raise ValueError(f"{cls.__name__}.{attribute}: {gate!r} is none of gates {cls.gates}")


def _check_names(cls: type[Cell], attribute: str, names: tuple[str, ...]) -> None:
    for name in names:
        if not name.isidentifier() or iskeyword(name) or name.startswith("_"):
            raise ValueError(f"{cls.__name__}.{attribute}: {name!r} is not a usable name")
    if len(set(names)) < len(names):
        raise ValueError(f"{cls.__name__}.{attribute}: a name stands twice in {names}")


def _check_disjoint(cls: type[Cell], where: str, a: tuple[str, ...], b: tuple[str, ...]) -> None:
    both = set(a) & set(b)
    if both:
        raise ValueError(f"{cls.__name__}: {where}.{min(both)} would mean two things")
