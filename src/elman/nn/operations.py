"""The operations of programs on torch tensors (B, *shape), differentiable all of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from elman import engine as engines
from elman.cells import Cell
from elman.engine import Call, Weights, valid_steps
from elman.nn.pooling import Last, Pool
from elman_runtime.program.form import Node

__all__ = ["Run"]

Given = list[Tensor]
MATRICES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


@dataclass
class Run:
    """One run of a program: its tensors, and what is known so far by name."""

    cells: Sequence[type[Cell]]
    tensors: Mapping[str, Tensor]
    values: dict[str, Tensor]
    states: dict[str, Tensor]
    lengths: Tensor | None

    def node(self, node: Node, timed: bool) -> None:
        """Carry out one operation; `timed`: over the axis of time, which lengths cut."""
        given = [self.values[name] for name in node.inputs]
        made = _OPS[node.op](self, node, given, timed)
        made = made if isinstance(made, tuple) else (made,)
        self.values.update(zip(node.outputs, made, strict=True))

    def tensor(self, node: Node, role: str) -> Any:
        """A parameter of a node; None where it has none of this role."""
        return self.tensors[node.params[role]] if role in node.params else None

    def cell(self, node: Node) -> tuple[type[Cell], Weights, list[str]]:
        """The cell of a node, its weights, and the names of its further inputs."""
        cell = self.cells[node.attrs["tape"]]
        params = {name: self.tensor(node, name) for name in cell.params}
        matrices = {role: self.tensor(node, role) for role in MATRICES}
        weights = Weights(**matrices, params=params)
        return cell, weights, [name for name in cell.inputs if name != "raw"]


# --- over time -----------------------------------------------------------------------------------


def _cell(run: Run, node: Node, given: Given, timed: bool) -> tuple[Tensor, ...]:
    cell, weights, names = run.cell(node)
    call = Call(
        cell,
        given[0],
        cell.State(*(run.states[name] for name in node.states)),
        weights,
        inputs=dict(zip(names, given[1:], strict=True)),
        lengths=run.lengths if timed else None,
        reverse=bool(node.attrs.get("reverse")),
        keep=_keep(node),
    )
    found = engines.run(call)
    run.states.update(zip(node.states, found.state, strict=True))
    return (found.output, *found.state)[: len(node.outputs)]


def _keep(node: Node) -> tuple[float, ...] | None:
    return tuple(1.0 - share for share in node.attrs.get("zoneout", ())) or None


def _cell_step(run: Run, node: Node, given: Given, _: bool) -> tuple[Tensor, ...]:
    """One step for every row of x (B, ..., I), as a batch of sequences of one step."""
    cell, weights, names = run.cell(node)
    x, held, more = given[0], given[1 : 1 + len(cell.state)], given[1 + len(cell.state) :]
    rows = x.shape[:-1]

    def flat(v: Tensor) -> Tensor:
        """(B, ..., F), or (B, F) with the axes that it lacks after the batch, as rows."""
        spread = v.reshape(v.shape[0], *[1] * (x.dim() - v.dim()), *v.shape[1:])
        return spread.expand(*rows, v.shape[-1]).reshape(-1, v.shape[-1])

    call = Call(
        cell,
        flat(x)[:, None],
        cell.State(*map(flat, held)),
        weights,
        inputs={
            name: (v.reshape(-1) if v.shape == rows else flat(v))[:, None]
            for name, v in zip(names, more, strict=True)
        },
        keep=_keep(node),
    )
    found = engines.run(call)
    made = (found.output[:, 0], *found.state)
    return tuple(v.reshape(*rows, v.shape[-1]) for v in made)


def _last(run: Run, _: Node, given: Given, timed: bool) -> Tensor:
    found: Tensor = Last()(given[0], run.lengths if timed else None)
    return found


def _pool(run: Run, node: Node, given: Given, timed: bool) -> Tensor:
    found: Tensor = Pool(node.attrs["how"])(given[0], run.lengths if timed else None)
    return found


def _running(run: Run, node: Node, given: Given, timed: bool) -> Tensor:
    x, (count, value) = given[0], (run.states[name] for name in node.states)
    within = _within(run, x, timed)[..., None]
    steps = count[:, None] + within.cumsum(1)
    if node.attrs["how"] == "max":
        low = torch.cat([value.masked_fill(count == 0, -torch.inf)[:, None], x], 1)
        low[:, 1:] = low[:, 1:].masked_fill(~within, -torch.inf)
        made = low.cummax(1).values[:, 1:].masked_fill(steps == 0, 0.0)
    else:
        total = (count * value)[:, None] + x.masked_fill(~within, 0.0).cumsum(1)
        made = total / steps.clamp(min=1)
    if x.shape[1]:
        count, value = steps[:, -1], made[:, -1]
    run.states.update(zip(node.states, (count, value), strict=True))
    return made


def _within(run: Run, x: Tensor, timed: bool) -> Tensor:
    """Which steps of x (B, T, F) lie within their row, (B, T)."""
    found = valid_steps(run.lengths, x.shape[1]) if timed else None
    return x.new_ones(x.shape[:2], dtype=torch.bool) if found is None else found


def _conv(run: Run, node: Node, given: Given, timed: bool) -> Tensor:
    x, before, weight = given[0], run.states[node.states[0]], run.tensor(node, "weight")
    whole = torch.cat([before, x], 1)
    ends = _within(run, x, timed).sum(1)[:, None] + torch.arange(before.shape[1], device=x.device)
    run.states[node.states[0]] = whole.gather(1, ends[..., None].expand(-1, -1, whole.shape[2]))
    if not x.shape[1]:
        return x.new_zeros(x.shape[0], 0, weight.shape[0])
    gap, bias = node.attrs["dilation"], run.tensor(node, "bias")
    return F.conv1d(whole.transpose(1, 2), weight, bias, dilation=gap).transpose(1, 2)


def _attention(run: Run, node: Node, given: Given, timed: bool) -> tuple[Tensor, Tensor]:
    query, keys, values = given
    rows = query.reshape(query.shape[0], -1, 1, query.shape[-1])
    scores = torch.tanh(rows + keys[:, None]) @ run.tensor(node, "v")
    within = _within(run, keys, timed)[:, None]
    # A row without steps has no largest score; its weights are zero.
    weights = scores.masked_fill(~within, -torch.inf).softmax(-1).masked_fill(~within, 0.0)
    leading = query.shape[:-1]
    return (weights @ values).reshape(*leading, -1), weights.reshape(*leading, keys.shape[1])


# --- element by element --------------------------------------------------------------------------


def _linear(run: Run, node: Node, given: Given, _: bool) -> Tensor:
    return F.linear(given[0], run.tensor(node, "weight"), run.tensor(node, "bias"))


def _embedding(run: Run, node: Node, given: Given, _: bool) -> Tensor:
    return F.embedding(given[0], run.tensor(node, "weight"))


def _layer_norm(run: Run, node: Node, given: Given, _: bool) -> Tensor:
    x, tensors = given[0], (run.tensor(node, "weight"), run.tensor(node, "bias"))
    return F.layer_norm(x, x.shape[-1:], *tensors, node.attrs["eps"])


def _affine(run: Run, node: Node, given: Given, _: bool) -> Tensor:
    scale, shift = run.tensor(node, "scale"), run.tensor(node, "shift")
    made = given[0] if scale is None else given[0] * scale
    found: Tensor = made if shift is None else made + shift
    return found


def _constant(run: Run, node: Node, _: Given, __: bool) -> Tensor:
    value: Tensor = run.tensor(node, "value")
    batch = next(iter(run.values.values())).shape[0]
    found: Tensor = value.expand(batch, *value.shape)
    return found


def _scale(_: Run, node: Node, given: Given, __: bool) -> Tensor:
    found: Tensor = given[0] * node.attrs["factor"] + node.attrs["shift"]
    return found


def _slice(_: Run, node: Node, given: Given, __: bool) -> Tensor:
    axis, start, stop = (node.attrs[key] for key in ("axis", "start", "stop"))
    return given[0].narrow(1 if axis == "first" else -1, start, stop - start)


def _reshape(_: Run, node: Node, given: Given, __: bool) -> Tensor:
    return given[0].reshape(given[0].shape[0], *node.attrs["shape"])


def _repeat(_: Run, node: Node, given: Given, __: bool) -> Tensor:
    x = given[0]
    return x[:, None].expand(x.shape[0], node.attrs["n"], *x.shape[1:])


def _concat(_: Run, __: Node, given: Given, ___: bool) -> Tensor:
    return torch.cat(given, -1)


def _plain(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda _, __, given, ___: function(given[0])


def _two(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def compute(_: Run, __: Node, given: Given, ___: bool) -> Tensor:
        rank = max(v.dim() for v in given)
        # Axes that broadcasting would add come after the batch.
        spread = (v.reshape(v.shape[0], *[1] * (rank - v.dim()), *v.shape[1:]) for v in given)
        return function(*spread)

    return compute


_OPS: dict[str, Callable[..., Any]] = {
    "cell": _cell,
    "cell_step": _cell_step,
    "last": _last,
    "pool": _pool,
    "running": _running,
    "conv": _conv,
    "attention": _attention,
    "linear": _linear,
    "embedding": _embedding,
    "layer_norm": _layer_norm,
    "affine": _affine,
    "constant": _constant,
    "scale": _scale,
    "slice": _slice,
    "reshape": _reshape,
    "repeat": _repeat,
    "concat": _concat,
    **{
        name: _plain(getattr(torch, name))
        for name in ("sigmoid", "tanh", "relu", "exp", "log", "neg", "abs", "sqrt")
    },
    "softplus": _plain(F.softplus),
    "gelu": _plain(F.gelu),
    "softmax": _plain(lambda x: x.softmax(-1)),
    "log_softmax": _plain(lambda x: x.log_softmax(-1)),
    **{
        name: _two(getattr(torch, name))
        for name in ("add", "sub", "mul", "div", "maximum", "minimum")
    },
}
