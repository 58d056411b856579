"""Random configurations of the drop-ins beside torch's own layers, in float64.

`configurations(n)` draws them; `compare(c)` runs both with the same seed and returns everything
that leaves: outputs, final states, and gradients of the input, of every parameter and of hx.
"""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from elman import engine
from elman import nn as elman_nn

FORMS = ("padded", "one", "packed", "packed unsorted", "lengths")
ENGINES = (None, "torch", "reference")
FUNCTIONS: dict[str, Any] = {
    "LSTM": torch.lstm,
    "GRU": torch.gru,
    "RNN_TANH": torch.rnn_tanh,
    "RNN_RELU": torch.rnn_relu,
}


@dataclass(frozen=True)
class Configuration:
    """One layer, what it is given, and the engine that is forced."""

    layer: str
    nonlinearity: str
    form: str
    engine: str | None
    layers: int
    bidirectional: bool
    batch_first: bool
    bias: bool
    proj_size: int
    dropout: float
    training: bool
    hx: bool
    strided: bool
    input_size: int
    hidden_size: int
    steps: int
    batch: int
    seed: int

    @property
    def terms(self) -> int:
        """How many terms the longest sum has: through time, layers and, for weights, rows."""
        return self.layers * self.steps * (self.input_size + 2 * self.hidden_size + self.batch)

    def build(self, classes: Any) -> nn.RNNBase:
        """The layer out of `torch.nn` or `elman.nn`, as the seed initialises it."""
        options: dict[str, Any] = {"nonlinearity": self.nonlinearity} if self.nonlinearity else {}
        if self.proj_size:
            options["proj_size"] = self.proj_size
        torch.manual_seed(self.seed)
        layer = getattr(classes, self.layer)(
            self.input_size,
            self.hidden_size,
            num_layers=self.layers,
            bias=self.bias,
            batch_first=self.batch_first,
            dropout=self.dropout,
            bidirectional=self.bidirectional,
            dtype=torch.float64,
            **options,
        )
        return layer.train(self.training)  # type: ignore[no-any-return]


class Compared(NamedTuple):
    """One tensor that left both layers."""

    what: str
    actual: Tensor
    expected: Tensor

    @property
    def difference(self) -> float:
        """The largest absolute one."""
        return float((self.actual - self.expected).abs().max()) if self.actual.numel() else 0.0


def configurations(number: int, seed: int = 0) -> list[Configuration]:
    """Drawn at random over every option; the same for the same seed."""
    draw = random.Random(seed)
    return [_draw(draw, k) for k in range(number)]


def _draw(draw: random.Random, k: int) -> Configuration:
    layer = draw.choice(("RNN", "LSTM", "GRU"))
    layers, hidden = draw.choice((1, 2, 3)), draw.choice((2, 5, 8))
    form = draw.choice(FORMS)
    return Configuration(
        layer,
        nonlinearity=draw.choice(("tanh", "relu")) if layer == "RNN" else "",
        form=form,
        engine=draw.choice(ENGINES),
        layers=layers,
        bidirectional=draw.random() < 0.5,
        batch_first=draw.random() < 0.5,
        bias=draw.random() < 0.7,
        proj_size=draw.randrange(1, hidden) if layer == "LSTM" and draw.random() < 0.4 else 0,
        dropout=draw.choice((0.0, 0.3, 1.0)) if layers > 1 else 0.0,
        training=draw.random() < 0.8,
        hx=draw.random() < 0.5,
        strided=draw.random() < 0.4,
        input_size=draw.choice((1, 3, 4)),
        hidden_size=hidden,
        steps=draw.choice((1, 2, 3, 7, 13)),
        batch=1 if form == "one" else draw.choice((1, 2, 3, 5)),
        seed=k,
    )


def facets(c: Configuration) -> Iterator[tuple[str, str]]:
    """What a configuration counts for in a table."""
    yield "layer", f"{c.layer} {c.nonlinearity}".strip()
    for field in fields(c):
        if field.name not in ("layer", "nonlinearity", "proj_size", "seed"):
            yield field.name, str(getattr(c, field.name))
    yield "proj_size", "yes" if c.proj_size else "no"


# --- running both --------------------------------------------------------------------------------


class _Given(NamedTuple):
    """What both layers are given, and what gradients arrive."""

    leaf: Tensor
    lengths: Tensor
    hx: tuple[Tensor, ...]
    upstream: torch.Generator


def _given(c: Configuration) -> _Given:
    numbers = torch.Generator().manual_seed(c.seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=numbers, dtype=torch.float64).requires_grad_()

    rows = (c.batch, c.steps) if c.batch_first else (c.steps, c.batch)
    shape = (c.steps,) if c.form == "one" else rows
    leaf = normal(*shape, c.input_size * (2 if c.strided else 1))
    lengths = torch.randint(1, c.steps + 1, (c.batch,), generator=numbers)
    if c.form == "packed":
        lengths = lengths.sort(descending=True).values
    states = (c.layers * (2 if c.bidirectional else 1), *(() if c.form == "one" else (c.batch,)))
    widths = (c.proj_size or c.hidden_size, c.hidden_size)[: 2 if c.layer == "LSTM" else 1]
    hx = tuple(normal(*states, width) for width in widths) if c.hx else ()
    return _Given(leaf, lengths, hx, numbers)


def compare(c: Configuration) -> list[Compared]:
    """Everything that leaves the drop-in and its twin, under the same name."""
    ours, theirs = c.build(elman_nn), c.build(nn)
    found = _leaves(c, ours, _run_ours)
    expected = _leaves(c, theirs, _run_torch)
    if found.keys() != expected.keys():
        raise AssertionError(f"{found.keys()} left the one and {expected.keys()} the other")
    return [Compared(name, found[name], expected[name]) for name in found]


def _leaves(c: Configuration, layer: nn.RNNBase, run: Any) -> dict[str, Tensor]:
    given = _given(c)
    x = given.leaf[..., ::2] if c.strided else given.leaf
    torch.manual_seed(c.seed)
    output, final = run(c, layer, x, given)
    left = _named_output(output) | {f"final {k}": s for k, s in enumerate(_as_tuple(final))}
    into = {"input": given.leaf, **{f"hx {k}": s for k, s in enumerate(given.hx)}}
    into |= dict(layer.named_parameters())
    floating = [t for t in left.values() if t.is_floating_point()]
    upstream = [torch.randn(t.shape, generator=given.upstream, dtype=t.dtype) for t in floating]
    gradients = torch.autograd.grad(
        floating, list(into.values()), upstream, allow_unused=True, materialize_grads=True
    )
    named = dict(zip((f"gradient of {name}" for name in into), gradients, strict=True))
    return {name: t.detach() for name, t in (left | dict(layer.named_parameters()) | named).items()}


def _named_output(output: Any) -> dict[str, Tensor]:
    if isinstance(output, PackedSequence):
        parts = output._asdict()
        return {f"output.{name}": part for name, part in parts.items() if part is not None}
    return {"output": output}


def _as_tuple(state: Any) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def _hx(given: _Given) -> Any:
    if not given.hx:
        return None
    return given.hx if len(given.hx) == 2 else given.hx[0]


def _pack(c: Configuration, x: Tensor, lengths: Tensor) -> PackedSequence:
    return pack_padded_sequence(x, lengths, c.batch_first, enforce_sorted=c.form == "packed")


def _run_ours(c: Configuration, layer: Any, x: Tensor, given: _Given) -> Any:
    with _forced(c.engine):
        if c.form.startswith("packed"):
            return layer(_pack(c, x, given.lengths), _hx(given))
        if c.form == "lengths":
            return layer(x, _hx(given), lengths=given.lengths)
        return layer(x, _hx(given))


def _forced(name: str | None) -> AbstractContextManager[None]:
    return engine.use(name)


def _run_torch(c: Configuration, layer: nn.RNNBase, x: Tensor, given: _Given) -> Any:
    hx = _hx(given)
    if c.form == "lengths" and layer.training and c.dropout:
        return _layer_by_layer(c, layer, x, given)
    if c.form == "lengths":
        output, final = layer(_pack(c, x, given.lengths), hx)
        return _unpack(c, output), final
    return layer(_pack(c, x, given.lengths) if c.form.startswith("packed") else x, hx)


def _unpack(c: Configuration, packed: PackedSequence) -> Tensor:
    return pad_packed_sequence(packed, c.batch_first, total_length=c.steps)[0]


def _layer_by_layer(c: Configuration, layer: nn.RNNBase, x: Tensor, given: _Given) -> Any:
    """torch's packed layers one by one, with dropout drawn over (T, B, O) between them."""
    ways, per = (2 if c.bidirectional else 1), len(layer._flat_weights_names) // c.layers
    finals, packed = [], _pack(c, x, given.lengths)
    for k in range(c.layers):
        weights = [getattr(layer, n) for n in layer._flat_weights_names[k * per : (k + 1) * per]]
        hx = _first(c, given, k * ways, (k + 1) * ways)
        assert packed.sorted_indices is not None
        hx = tuple(s.index_select(1, packed.sorted_indices) for s in hx)
        data, *final = FUNCTIONS[layer.mode](
            packed.data,
            packed.batch_sizes,
            hx if c.layer == "LSTM" else hx[0],
            weights,
            c.bias,
            1,
            0.0,
            True,
            c.bidirectional,
        )
        finals.append([s.index_select(1, packed.unsorted_indices) for s in final])
        packed = packed._replace(data=data)
        y = _unpack(c, packed)
        if k + 1 < c.layers:
            time_first = y.transpose(0, 1) if c.batch_first else y
            y = dropout(time_first.contiguous(), c.dropout)
            packed = _pack(c, y.transpose(0, 1) if c.batch_first else y, given.lengths)
    final = tuple(torch.cat(leaf) for leaf in zip(*finals, strict=True))
    return y, final if c.layer == "LSTM" else final[0]


def _first(c: Configuration, given: _Given, low: int, high: int) -> tuple[Tensor, ...]:
    if given.hx:
        return tuple(s[low:high] for s in given.hx)
    widths = (c.proj_size or c.hidden_size, c.hidden_size)[: 2 if c.layer == "LSTM" else 1]
    return tuple(torch.zeros(high - low, c.batch, w, dtype=torch.float64) for w in widths)
