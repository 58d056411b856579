"""A translator as two programs, which its file holds: a source to its memory, and one step."""

from typing import Any

from elman.nn import Builder, Recurrent
from elman.nn.builder import Value
from elman.tasks.translating.network import TranslationNetwork
from elman_runtime.program import Program
from elman_runtime.translate import ENCODE, STEP

TENSORS = "model"
"""What the names of the network's tensors begin with."""


def programs_of(network: TranslationNetwork, builder: Builder) -> dict[str, Program]:
    """What `elman_runtime.translate` runs.

    - `encode`: tokens (T,), ended by the boundary, to `values` (T, W), `keys` (T, A) and each first
      state of both layers of the decoder.
    - `step`: a token (), those values, keys and states, to the log-probabilities (V,) of the next
      token and the new states. `lengths` are those of the source.

    Raises:
        TraceError: its cell has no tape.
        CannotStore: a module of it has no operation.
    """
    return {ENCODE: _encode(network, builder), STEP: _step(network, Builder(beside=builder))}


def _encode(network: TranslationNetwork, b: Builder) -> Program:
    source = b.input("source", "T", kind="int")
    with b.inside(TENSORS):
        found, _ = b.lower(network.encoder, _embed(network, b, source), name="encoder")
        values = b.apply("tanh", b.lower(network.join, found, name="join"))
        with b.inside("attention"):
            keys = network.attention.lower_keys(b, values)
        first = b.apply("tanh", b.lower(network.begin, b.pool(values, "mean"), name="begin"))
        half = int(first.shape[0]) // 2
        parts = (b.slice(first, 0, half), b.slice(first, half, 2 * half))
        made: dict[str, Value] = {}
        for (name, layer), part in zip(_layers(network).items(), parts, strict=True):
            (begun,) = layer.initial_state(1)
            names = layer.cell.state
            made[f"{name}_{names[0]}"] = part
            for state, start in zip(names[1:], begun[1:], strict=True):
                made[f"{name}_{state}"] = b.constant(f"{name}_{state}", start[0].detach())
    return b.build(values=values, keys=keys, **made)


def _step(network: TranslationNetwork, b: Builder) -> Program:
    token = b.input("token", kind="int")
    width, narrow = network.join.out_features, network.attention.key.out_features
    values, keys = b.input("values", "T", width), b.input("keys", "T", narrow)
    before = {name: _states(b, name, layer) for name, layer in _layers(network).items()}
    with b.inside(TENSORS):
        embedded = _embed(network, b, token)
        with b.inside("lower"):
            low, lower = network.lower.lower_step(b, embedded, (before["lower"],))
        context, _ = b.lower(network.attention, low, keys, values, name="attention")
        with b.inside("upper"):
            high, upper = network.upper.lower_step(b, b.concat(low, context), (before["upper"],))
        joined = b.concat(high, context, embedded)
        features = b.apply("tanh", b.lower(network.readout, joined, name="readout"))
        with b.inside("words"):
            logits = network.words.lower_logits(b, features)
    made = {
        f"new_{name}_{state}": value
        for name, (new,) in (("lower", lower), ("upper", upper))
        for state, value in new._asdict().items()
    }
    return b.build(log_probabilities=b.apply("log_softmax", logits), **made)


def _layers(network: TranslationNetwork) -> dict[str, Recurrent]:
    """The decoder's, by their names."""
    return {"lower": network.lower, "upper": network.upper}


def _states(b: Builder, name: str, layer: Recurrent) -> list[Value]:
    """The states of a layer as inputs."""
    (begun,) = layer.initial_state(1)
    pairs = zip(layer.cell.state, begun, strict=True)
    return [b.input(f"{name}_{state}", *leaf.shape[1:]) for state, leaf in pairs]


def _embed(network: TranslationNetwork, b: Builder, tokens: Value) -> Any:
    with b.inside("words"):
        return b.scale(network.words.lower_embed(b, tokens), network.scale)
