"""How torch's own layers are written into a program, one row of a table each."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from elman.engine import Weights
from elman.nn.dropin_base import CELLS
from elman.nn.refused import CannotStore, named
from elman.trace import trace
from elman_runtime.program.form import Value

if TYPE_CHECKING:
    from elman.nn.builder import Builder

__all__ = ["TABLE", "Stacked", "last_axes", "lower_rnn", "over_last_axis"]

Lower = Callable[..., Any]


class Stacked(tuple[Any, ...]):
    """A state (L * D, B, H) of torch's layers: one value for each layer and direction."""


def lower_rnn(b: "Builder", module: Any, x: Value, hx: Any = None) -> tuple[Value, Any]:
    """nn.RNN, LSTM, GRU: outputs (T, D * O), and the state in torch's form.

    In a program the batch comes first, whatever `batch_first` says.
    """
    if hx is not None:
        raise CannotStore(
            f"{b.where or named(module)}: starts from a state that is computed; a program's states "
            "start at zero: leave hx out"
        )
    b.lies("batch first" if module.batch_first else "time first", module)
    cell = CELLS[module.mode]
    tape = trace(cell, backward=False, projected=bool(module.proj_size))
    ways = 2 if module.bidirectional else 1
    y, found = x, []
    for layer in range(module.num_layers):
        suffixes = [f"l{layer}{way}" for way in ("", "_reverse")[:ways]]
        ran = [
            b.cell(y, tape, _weights(module, suffix), suffix, reverse=suffix.endswith("reverse"))
            for suffix in suffixes
        ]
        y = b.concat(*(one.y for one in ran))
        found += [one.state for one in ran]
    leaves = tuple(map(Stacked, zip(*found, strict=True)))
    return y, leaves if len(leaves) > 1 else leaves[0]


def _weights(module: nn.RNNBase, suffix: str) -> Weights:
    def get(name: str, there: Any) -> Any:
        return getattr(module, f"{name}_{suffix}") if there else None

    biases = get("bias_ih", module.bias), get("bias_hh", module.bias)
    projection = get("weight_hr", module.proj_size)
    return Weights(get("weight_ih", True), get("weight_hh", True), *biases, projection)


def last_axes(b: "Builder", x: Value) -> set[int]:
    """What torch calls the last axis of a value: -1, and its number counted from the batch."""
    rank = len(x.shape)
    # Where each step stands for the last one, torch's tensor has no axis of time.
    return {-1, rank - 1 if b.each and x.shape[:1] == ("T",) else rank, rank}


def over_last_axis(b: "Builder", x: Value, dim: int | None) -> None:
    """Refuse a softmax over another axis than the last."""
    if dim not in last_axes(b, x):
        where = b.where or "softmax"
        raise CannotStore(f"{where}: a softmax is over the last axis, got dim={dim}; write dim=-1")


def _linear(b: "Builder", m: nn.Linear, x: Value) -> Value:
    return b.linear(x, m.weight, m.bias)


def _embedding(b: "Builder", m: nn.Embedding, x: Value) -> Value:
    if m.max_norm is not None:
        raise CannotStore(f"{b.where}: max_norm changes rows as they are read; leave it out")
    return b.embedding(x, m.weight)


def _layer_norm(b: "Builder", m: nn.LayerNorm, x: Value) -> Value:
    if len(m.normalized_shape) != 1:
        shape = m.normalized_shape
        raise CannotStore(f"{b.where}: a program normalises the last axis, not {shape}")
    return b.layer_norm(x, m.weight, m.bias, m.eps)


def _batch_norm(b: "Builder", m: Any, x: Value) -> Value:
    if m.running_mean is None or m.running_var is None or len(x.shape) != 1:
        raise CannotStore(
            f"{b.where}: BatchNorm1d is stored with its running statistics, of (batch, features); "
            f"got {x.shape} a row; use LayerNorm over sequences"
        )
    scale = torch.rsqrt(m.running_var + m.eps) * (1.0 if m.weight is None else m.weight)
    return b.affine(x, scale, (0.0 if m.bias is None else m.bias) - m.running_mean * scale)


def _softplus(b: "Builder", m: nn.Softplus, x: Value) -> Value:
    if m.threshold != 20:
        raise CannotStore(f"{b.where}: softplus is linear from 20 on, got threshold={m.threshold}")
    if m.beta == 1:
        return b.apply("softplus", x)
    return b.scale(b.apply("softplus", b.scale(x, m.beta)), 1 / m.beta)


def _gelu(b: "Builder", m: nn.GELU, x: Value) -> Value:
    if m.approximate != "none":
        raise CannotStore(f"{b.where}: GELU is the exact one, got {m.approximate!r}; leave it out")
    return b.apply("gelu", x)


def _leaky(b: "Builder", m: nn.LeakyReLU, x: Value) -> Value:
    slope = float(m.negative_slope)
    return b.apply("maximum" if slope <= 1 else "minimum", x, b.scale(x, slope))


def _silu(b: "Builder", _: nn.SiLU, x: Value) -> Value:
    return b.apply("mul", x, b.apply("sigmoid", x))


def _identity(_: "Builder", __: nn.Module, x: Any) -> Any:
    return x


def _sequential(b: "Builder", m: nn.Sequential, x: Any) -> Any:
    for name, module in m.named_children():
        x = b.lower(module, x, name=name)
    return x


def _activation(op: str) -> Lower:
    return lambda b, _, x: b.apply(op, x)


def _softmax(op: str) -> Lower:
    def lower(b: "Builder", m: Any, x: Value) -> Value:
        over_last_axis(b, x, m.dim)
        return b.apply(op, x)

    return lower


TABLE: dict[type[nn.Module], Lower] = {
    nn.RNN: lower_rnn,
    nn.LSTM: lower_rnn,
    nn.GRU: lower_rnn,
    nn.Linear: _linear,
    nn.Embedding: _embedding,
    nn.LayerNorm: _layer_norm,
    nn.BatchNorm1d: _batch_norm,
    nn.ReLU: _activation("relu"),
    nn.Tanh: _activation("tanh"),
    nn.Sigmoid: _activation("sigmoid"),
    nn.Softplus: _softplus,
    nn.GELU: _gelu,
    nn.SiLU: _silu,
    nn.LeakyReLU: _leaky,
    nn.Softmax: _softmax("softmax"),
    nn.LogSoftmax: _softmax("log_softmax"),
    nn.Dropout: _identity,
    nn.AlphaDropout: _identity,
    nn.Dropout1d: _identity,
    nn.Identity: _identity,
    nn.Sequential: _sequential,
}
"""Class -> `lower(builder, module, value) -> value`, as at evaluation."""
