"""A plain module's `forward`, followed once on symbols and written into a program."""

import inspect
import math
import operator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from elman.nn.calls import FUNCTIONS, METHODS, Constant, Largest, indexed
from elman.nn.lowering import can_lower
from elman.nn.refused import CannotStore, named
from elman.nn.torch_layers import Stacked
from elman_runtime.program.form import Value

if TYPE_CHECKING:
    from elman.nn.builder import Builder

__all__ = ["followed", "layout_of"]

ROWS = 7919
"""What `x.size(0)` is while a forward is followed: a number that stands for the batch."""


def layout_of(module: nn.Module) -> str:
    """How sequences lie in a module: "time first" where one of torch's layers in it says so."""
    layers = (m for m in module.modules() if isinstance(m, nn.RNNBase))
    return "time first" if any(not m.batch_first for m in layers) else "batch first"


def followed(b: "Builder", module: nn.Module, *values: Any, **inputs: Any) -> Any:
    """What a module's `forward` makes of `values`.

    Raises:
        CannotStore: names the call in it that has no operation, or why it cannot be followed.
    """
    tracer = _Tracer(module)
    graph = tracer.graph_of(len(values), inputs, b.where)
    return _Walk(b, module, tracer.constants).run(graph, [*values, *inputs.values()])


class _Proxy(fx.Proxy):
    """A value whose batch size, device and dtype may be asked, as first states are made of them."""

    def size(self, dim: int | None = None) -> Any:
        if dim is not None and dim == self.tracer.batch_axis:  # type: ignore[attr-defined]
            return ROWS
        return self.tracer.create_proxy("call_method", "size", (self, dim), {})

    @property
    def shape(self) -> Any:
        return _Shape(self)

    @property
    def device(self) -> Any:
        return self.tracer.like.device  # type: ignore[attr-defined]

    @property
    def dtype(self) -> Any:
        return self.tracer.like.dtype  # type: ignore[attr-defined]

    def new_zeros(self, *shape: Any, **options: Any) -> Tensor:
        return self.tracer.like.new_zeros(*shape, **options)  # type: ignore[attr-defined,no-any-return]


class _Shape:
    def __init__(self, of: _Proxy) -> None:
        self.of = of

    def __getitem__(self, axis: int) -> Any:
        return self.of.size(axis)


class _Tracer(fx.Tracer):
    """Stops at every module that is stored by itself, and leaves the module as it was."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.constants: dict[str, Tensor] = {}
        self.batch_axis = 1 if layout_of(module) == "time first" else 0
        self.like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))

    def graph_of(self, count: int, inputs: dict[str, Any], where: str) -> fx.Graph:
        """The calls of `forward` with `count` arguments and the named ones."""
        names = list(inspect.signature(self.module.forward).parameters.values())
        rest = [p for p in names[count:] if p.name not in inputs]
        given = {p.name: p.default for p in rest if p.default is not p.empty}
        name = where or type(self.module).__name__
        try:
            return self.trace(self.module, concrete_args=given)
        except CannotStore:
            raise
        except Exception as error:
            # Whatever a forward does to a symbol that no symbol can do.
            raise CannotStore(
                f"{name}: its forward cannot be followed: {_first_line(error)}; write it without "
                "branches on values and without sizes of time, or give the class a "
                "lower(builder, x) (docs/save-and-export.md)"
            ) from error

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        return can_lower(m) or type(m).__module__.startswith(("torch.nn", "elman."))

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def create_arg(self, a: Any) -> Any:
        if isinstance(a, Tensor) and not isinstance(a, nn.Parameter):
            # fx would set it as an attribute of the user's module.
            name = f"constant_{len(self.constants)}"
            self.constants[name] = a
            return self.create_node("get_attr", name, (), {})
        return super().create_arg(a)


class _Walk:
    """The calls of a graph, one after the other, on values of a program."""

    def __init__(self, b: "Builder", module: nn.Module, constants: dict[str, Tensor]) -> None:
        self.b, self.module, self.constants = b, module, constants
        self.batch_axis = 1 if layout_of(module) == "time first" else 0
        self.known: dict[fx.Node, Any] = {}

    def run(self, graph: fx.Graph, values: list[Any]) -> Any:
        """What the graph returns of its arguments; those that it was fixed for are left out."""
        waiting = iter(values)
        for node in graph.nodes:
            if node.op == "placeholder":
                self.known[node] = next(waiting, None)
            elif node.op == "output":
                return self._of(node.args[0])
            else:
                self.known[node] = self._call(node)
        raise CannotStore(f"{self.b.where}: its forward returns nothing")

    def _of(self, arg: Any) -> Any:
        """An argument with values in place of nodes."""
        return fx.node.map_arg(arg, lambda node: self.known[node])

    def _call(self, node: fx.Node) -> Any:
        args, kwargs = self._of(node.args), self._of(node.kwargs)
        if node.op == "get_attr":
            return self._attribute(str(node.target))
        if node.op == "call_module":
            return self._module(str(node.target), args, kwargs)
        if node.target is operator.getitem:
            return indexed(self, args[0], args[1])
        if node.op == "call_function" and node.target is getattr:
            return self._part(node, *args)
        table: Any = METHODS if node.op == "call_method" else FUNCTIONS
        if node.target not in table:
            raise self.refusal(_called(node))
        return table[node.target](self, *args, **kwargs)

    def refusal(self, call: str) -> CannotStore:
        """That a call has no operation."""
        name = self.b.where or type(self.module).__name__
        return CannotStore(
            f"{name}: its forward calls {call}, which no program can say; docs/save-and-export.md "
            "lists what it can, or give the class a lower(builder, x)"
        )

    def _attribute(self, name: str) -> Any:
        if name in self.constants:
            return Constant(name, self.constants[name])
        found: Any = self.module
        for part in name.split("."):
            found = getattr(found, part)
        return Constant(name, found) if isinstance(found, Tensor) else found

    def _part(self, node: fx.Node, of: Any, name: str, *_: Any) -> Any:
        if isinstance(of, Largest) and name == "values":
            return of[0]
        if isinstance(of, tuple) and name in getattr(of, "_fields", ()):
            return getattr(of, name)  # a part of a cell's state
        raise self.refusal(_called(node))

    def _module(self, name: str, args: Any, kwargs: Any) -> Any:
        given = [a for a in args if not _no_state(a)]
        named_given = {k: v for k, v in kwargs.items() if not _no_state(v)}
        if any(isinstance(a, Constant) for a in (*given, *named_given.values())):
            raise CannotStore(f"{self._full(name)}: takes values alone, and got a tensor")
        return self.b.lower(self.module.get_submodule(name), *given, name=name, **named_given)

    def _full(self, name: str) -> str:
        return ".".join(filter(None, [self.b.where, name]))

    # --- what the calls of `calls` ask -----------------------------------------------------------

    def value(self, x: Any, what: str) -> Value:
        """An argument as a value: a tensor of the module becomes a constant."""
        if isinstance(x, Value):
            return x
        if isinstance(x, int | float) and not isinstance(x, bool):
            floats = (p.dtype for p in self.module.parameters() if p.is_floating_point())
            return self.b.constant("number", torch.tensor(float(x), dtype=next(floats, None)))
        if isinstance(x, Constant):
            tensor = x.tensor
            while tensor.dim() and tensor.shape[0] == 1:
                tensor = tensor[0]
            return self.b.constant(x.name, x.tensor if tensor.dim() == x.tensor.dim() else tensor)
        raise CannotStore(f"{self.b.where or what}: {what} takes values, and got {named(x)}")

    def is_time(self, x: Any, dim: Any) -> bool:
        """Whether `dim` of a torch tensor is the axis of time of its value."""
        axis = dim + len(x.shape) + 1 if isinstance(dim, int) and dim < 0 else dim
        return bool(x.shape[:1] == ("T",) and axis == 1 - self.batch_axis)

    def sizes(self, x: Value, shape: Any) -> list[int]:
        """The shape without the batch that view(B, ...) asks for."""
        wanted = list(shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape)
        timed = "T" in x.shape
        total = math.prod(n for n in x.shape if isinstance(n, int))
        rest = wanted[1:]
        known = math.prod(n for n in rest if n != -1)
        if wanted[0] not in (ROWS, -1) or (timed and not self.b.each) or not known or total % known:
            raise self.refusal(f"view{tuple(wanted)} of {x.shape}")
        return [total // known if n == -1 else n for n in rest]


def _no_state(value: Any) -> bool:
    """None, or a state of zeros made for the call, which is what programs start at."""
    if isinstance(value, Constant):
        made = not isinstance(value.tensor, nn.Parameter) and ROWS in value.tensor.shape
        return made and not value.tensor.any()
    if isinstance(value, tuple) and not isinstance(value, Stacked):
        return bool(value) and all(map(_no_state, value))
    return value is None


def _called(node: fx.Node) -> str:
    target = node.target
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    return f"{'.' if node.op == 'call_method' else ''}{name}(...)"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
