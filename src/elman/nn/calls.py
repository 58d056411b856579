"""What the calls of a `forward` are in a program: functions, methods of tensors, indexing."""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from elman.nn.refused import CannotStore, named
from elman.nn.torch_layers import Stacked, last_axes, over_last_axis
from elman_runtime.program.form import Value

__all__ = ["FUNCTIONS", "METHODS", "Constant", "Largest", "indexed"]

Call = Callable[..., Any]
"""`call(walk, *args, **kwargs)` with values for tensors; `walk` is what follows the forward."""


class Constant(NamedTuple):
    """A tensor of the module, or one that its forward makes of no input."""

    name: str
    tensor: Tensor


class Largest(tuple[Any, ...]):
    """What `max(dim=...)` returns: values, and indices that no program has."""


def indexed(walk: Any, x: Any, index: Any) -> Any:
    """x[index]: a part of a tuple, one layer's state, the last step, or some features."""
    if isinstance(x, Stacked):
        first, *rest = index if isinstance(index, tuple) else (index,)
        if isinstance(first, int) and all(part == slice(None) for part in rest):
            return _present(walk, x[first])
    elif isinstance(x, tuple) and not isinstance(x, Value | Constant) and isinstance(index, int):
        return _present(walk, x[index]) if isinstance(x, Largest) else x[index]
    elif isinstance(x, Value):
        return _part(walk, x, index if isinstance(index, tuple) else (index,))
    raise walk.refusal(f"[{index}] of {named(x)}")


def _present(walk: Any, value: Any) -> Any:
    if value is None:
        where = walk.b.where or type(walk.module).__name__
        raise CannotStore(f"{where}: its forward reads a state that no program gives after a step")
    return value


def _part(walk: Any, x: Value, index: tuple[Any, ...]) -> Value:
    """Of a value (T, F): the last step; of any value: a range of the last axis."""
    axes = len(x.shape) + 1
    if Ellipsis in index:
        at = index.index(Ellipsis)
        index = (*index[:at], *[slice(None)] * (axes - len(index) + 1), *index[at + 1 :])
    whole = [*index, *[slice(None)] * (axes - len(index))]
    if len(whole) != axes:
        raise walk.refusal(f"[{', '.join(map(str, index))}] of {x.shape}")
    time = 1 - walk.batch_axis
    if x.shape[:1] == ("T",) and whole[time] == -1:
        x, axes = walk.b.last(x), axes - 1
        del whole[time]
        if axes != len(x.shape) + 1:  # each step stands for the last one
            whole.insert(1, slice(None))
    *rest, end = whole
    if any(part != slice(None) for part in rest):
        raise walk.refusal(f"[{', '.join(map(str, index))}] of {x.shape}")
    return x if end == slice(None) else _range(walk, x, end)


def _range(walk: Any, x: Value, end: Any) -> Value:
    size = x.shape[-1]
    if not isinstance(end, slice) or end.step not in (None, 1) or not isinstance(size, int):
        raise walk.refusal(f"[..., {end}] of {x.shape}")
    start, stop, _ = end.indices(size)
    found: Value = walk.b.slice(x, start, stop)
    return found


# --- calls ---------------------------------------------------------------------------------------


def _apply(op: str) -> Call:
    def call(walk: Any, x: Any, inplace: bool = False) -> Value:  # noqa: ARG001
        found: Value = walk.b.apply(op, walk.value(x, op))
        return found

    return call


def _arithmetic(op: str) -> Call:
    """Of two values, or of a value and a number."""

    def call(walk: Any, x: Any, y: Any) -> Value:
        found: Value
        if isinstance(y, int | float) and isinstance(x, Value) and op in _BY_NUMBER:
            found = walk.b.scale(x, *_BY_NUMBER[op](y))
        else:
            found = walk.b.apply(op, walk.value(x, op), walk.value(y, op))
        return found

    return call


_BY_NUMBER: dict[str, Callable[[float], tuple[float, float]]] = {
    "add": lambda n: (1.0, n),
    "sub": lambda n: (1.0, -n),
    "mul": lambda n: (n, 0.0),
}


def _gelu(walk: Any, x: Value, approximate: str = "none") -> Value:
    if approximate != "none":
        raise walk.refusal(f"gelu(approximate={approximate!r})")
    found: Value = walk.b.apply("gelu", x)
    return found


def _silu(walk: Any, x: Value, inplace: bool = False) -> Value:  # noqa: ARG001
    found: Value = walk.b.apply("mul", x, walk.b.apply("sigmoid", x))
    return found


def _softmax(op: str) -> Call:
    def call(walk: Any, x: Value, dim: int | None = None, **_: Any) -> Value:
        over_last_axis(walk.b, x, dim)
        found: Value = walk.b.apply(op, x)
        return found

    return call


def _cat(walk: Any, tensors: Any, dim: int = 0, axis: int | None = None) -> Value:
    values = [walk.value(x, "cat") for x in tensors]
    dim = dim if axis is None else axis
    if any(dim not in last_axes(walk.b, value) for value in values):
        raise walk.refusal(f"cat(dim={dim}) of {values[0].shape}")
    found: Value = walk.b.concat(*values)
    return found


def _linear(walk: Any, x: Value, weight: Any, bias: Any = None) -> Value:
    if not isinstance(weight, Constant) or not isinstance(bias, Constant | None):
        raise walk.refusal("linear(...) with weights that are computed")
    tensors = weight.tensor, None if bias is None else bias.tensor
    names = weight.name, "bias" if bias is None else bias.name
    found: Value = walk.b.linear(x, *tensors, names)
    return found


def _pool(how: str) -> Call:
    def call(walk: Any, x: Any, dim: Any = None, keepdim: bool = False) -> Value:
        dim = dim[0] if isinstance(dim, tuple | list) and len(dim) == 1 else dim
        if not isinstance(x, Value) or keepdim or not walk.is_time(x, dim):
            raise walk.refusal(f"{how}(dim={dim}), other than over time")
        found: Value = walk.b.pool(x, how)
        return found

    return call


def _largest(walk: Any, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    if isinstance(dim, Value | Constant):
        return _arithmetic("maximum")(walk, x, dim)
    return Largest((_pool("max")(walk, x, dim, keepdim), None))


def _squeeze(walk: Any, x: Any, dim: int | None = None) -> Value:
    if isinstance(x, Stacked) and len(x) == 1 and dim == 0:
        found: Value = _present(walk, x[0])
        return found
    at_end = isinstance(x, Value) and x.shape[-1:] == (1,)
    if not at_end or dim not in last_axes(walk.b, x):
        raise walk.refusal(f"squeeze({'' if dim is None else dim}) of {named(x)}")
    # A value with time keeps its last axis of one: no operation takes it away.
    return x if "T" in x.shape else walk.b.reshape(x, *x.shape[:-1])  # type: ignore[no-any-return]


def _view(walk: Any, x: Any, *shape: Any) -> Value:
    if not isinstance(x, Value):
        raise walk.refusal(f"view{shape} of {named(x)}")
    wanted = walk.sizes(x, shape)
    # Where each step stands for the last one, a view that changes nothing is all there can be.
    same = x.shape[1 if "T" in x.shape else 0 :] == tuple(wanted)
    found: Value = x if same else walk.b.reshape(x, *wanted)
    return found


def _flatten(walk: Any, x: Any, start_dim: int = 0, end_dim: int = -1) -> Value:
    if start_dim != 1 or end_dim not in (-1, len(getattr(x, "shape", ()))):
        raise walk.refusal(f"flatten({start_dim}, {end_dim}) of {named(x)}")
    return _view(walk, x, -1, -1)


def _same(_: Any, x: Any, *__: Any, **___: Any) -> Any:
    return x


def _turn(walk: Any, *_: Any, **__: Any) -> Any:
    where = walk.b.where or type(walk.module).__name__
    raise CannotStore(
        f"{where}: its forward turns axes, and a program's time stays first; use batch_first=True, "
        "and elman.nn.CausalConv1d, which takes (batch, time, features)"
    )


_UNARY = "relu tanh sigmoid exp log abs sqrt neg softplus".split()  # noqa: SIM905
_BINARY = {"add": "add", "sub": "sub", "mul": "mul", "div": "div", "truediv": "div"}
_BINARY |= {"maximum": "maximum", "minimum": "minimum"}


def _known() -> tuple[dict[Any, Call], dict[str, Call]]:
    functions: dict[Any, Call] = {}
    methods: dict[str, Call] = {name: _apply(name) for name in _UNARY if name != "softplus"}
    for name in _UNARY:
        for room in (torch, F, operator):
            if hasattr(room, name):
                functions[getattr(room, name)] = _apply(name)
    for name, op in _BINARY.items():
        for room in (torch, operator):
            for full in (name, f"i{name}"):
                if hasattr(room, full):
                    functions[getattr(room, full)] = _arithmetic(op)
        methods |= {name: _arithmetic(op), f"{name}_": _arithmetic(op)}
    for name in ("softmax", "log_softmax"):
        methods[name] = _softmax(name)
        functions |= {getattr(room, name): _softmax(name) for room in (torch, F)}
    methods |= {"mean": _pool("mean"), "amax": _pool("max"), "max": _largest, "squeeze": _squeeze}
    functions |= {torch.mean: _pool("mean"), torch.amax: _pool("max"), torch.max: _largest}
    functions |= {torch.cat: _cat, torch.concat: _cat, torch.squeeze: _squeeze, F.linear: _linear}
    functions |= {torch.flatten: _flatten, F.dropout: _same, F.gelu: _gelu, F.silu: _silu}
    methods |= {"view": _view, "reshape": _view, "flatten": _flatten}
    methods |= dict.fromkeys(("contiguous", "clone", "detach", "to"), _same)
    methods |= dict.fromkeys(("transpose", "permute", "swapaxes"), _turn)
    functions |= dict.fromkeys((torch.transpose, torch.permute, torch.swapaxes), _turn)
    return functions, methods


FUNCTIONS, METHODS = _known()
