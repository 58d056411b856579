"""The other libraries: JAX's `lax.scan` under `jit`, and ONNX Runtime's RNN, GRU and LSTM.

Both are imported when they are first asked for; one that is not installed raises `Absent`. They
get the tensors of torch's layer, its layout (T, B, I) and its gate order, and return what it does.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
import torch
from contest import Absent, Contestant
from torch import Tensor

PACKAGES = {"JAX": "jax", "ONNX Runtime": "onnxruntime"}
UNROLL = 4
"""Steps of a scan that XLA compiles as one: a little faster than 1, and 10 gains nothing more."""


@cache
def version(peer: str) -> str | None:
    """The version of an installed peer; None where it is not installed."""
    try:
        return metadata.version(PACKAGES[peer])
    except metadata.PackageNotFoundError:
        return None


def require(peer: str, asked: Sequence[str]) -> None:
    """Raise `Absent` unless the peer was asked for and is installed."""
    if PACKAGES[peer] not in asked:
        raise Absent("not asked for")
    if version(peer) is None:
        raise Absent("not installed")


def versions(asked: Sequence[str]) -> dict[str, str | None]:
    """The version of each peer asked for, by package."""
    return {package: version(peer) for peer, package in PACKAGES.items() if package in asked}


def jax_pass(
    forward: Callable[..., tuple[Any, ...]],
    inputs: Sequence[Tensor],
    up: Sequence[Tensor] | None = None,
) -> Callable[[], tuple[Any, ...]]:
    """A compiled pass in JAX: outputs and, where `up` is given, the gradients of all inputs.

    Args:
        forward: gives a tuple of outputs, in `jax.numpy`.
        inputs: its arguments.
        up: gradients that arrive from above, one for each output; None for inference.
    """
    import jax

    jax.config.update("jax_enable_x64", inputs[0].dtype == torch.float64)
    given = [_to_jax(t) for t in inputs]
    above = None if up is None else tuple(map(_to_jax, up))

    def train(up: tuple[Any, ...], *inputs: Any) -> tuple[Any, ...]:
        out, pull = jax.vjp(forward, *inputs)
        return (*out, *pull(up))

    compiled = jax.jit(forward if above is None else train)
    arguments = given if above is None else [above, *given]
    return lambda: jax.block_until_ready(compiled(*arguments))


def _to_jax(tensor: Tensor) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(tensor.detach().numpy())


def jax_scan(
    step: Callable[[Any, Any], Any], first: Any, over_time: Any, out: Callable[[Any], Any]
) -> tuple[Any, Any]:
    """Outputs of every step and the final state of `state = step(state, input)`.

    Args:
        step: the recurrence.
        first: the state before the first step.
        over_time: inputs, time first.
        out: what of a state is an output.
    """
    from jax import lax

    def one(state: Any, now: Any) -> tuple[Any, Any]:
        new = step(state, now)
        return new, out(new)

    final, outputs = lax.scan(one, first, over_time, unroll=UNROLL)
    return outputs, final


def jax_layer(cell: str) -> Callable[..., tuple[Any, ...]]:
    """`torch.nn.RNN`, `GRU` or `LSTM` in JAX: (x, *states, *weights) to (y, *states).

    x (T, B, I); each state (1, B, H); weights in torch's order, with `weight_hr` last if any.
    """
    step = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}[cell]
    states = 2 if cell == "LSTM" else 1

    def forward(x: Any, *rest: Any) -> tuple[Any, ...]:
        first = tuple(s[0] for s in rest[:states])
        w_ih, w_hh, b_ih, b_hh, *projection = rest[states:]
        projected = x @ w_ih.T + b_ih

        def one(state: tuple[Any, ...], now: Any) -> tuple[Any, ...]:
            h, *others = step(state, now, state[0] @ w_hh.T + b_hh)
            return (h @ projection[0].T if projection else h, *others)

        y, final = jax_scan(one, first, projected, lambda state: state[0])
        return (y, *(s[None] for s in final))

    return forward


def _rnn(_: tuple[Any, ...], x: Any, u: Any) -> tuple[Any, ...]:
    import jax.numpy as jnp

    return (jnp.tanh(x + u),)


def _gru(state: tuple[Any, ...], x: Any, u: Any) -> tuple[Any, ...]:
    import jax
    import jax.numpy as jnp

    width = state[0].shape[-1]
    r, z = jnp.split(jax.nn.sigmoid(x[:, : 2 * width] + u[:, : 2 * width]), 2, -1)
    n = jnp.tanh(x[:, 2 * width :] + r * u[:, 2 * width :])
    return (n + z * (state[0] - n),)


def _lstm(state: tuple[Any, ...], x: Any, u: Any) -> tuple[Any, ...]:
    import jax
    import jax.numpy as jnp

    i, f, g, o = jnp.split(x + u, 4, -1)
    c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


ONNX_ORDER = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
"""Torch's gates in ONNX's order: z r h of r z n, and i o f c of i f g o."""


def onnx_layer(
    cell: str, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]
) -> Contestant:
    """Inference in ONNX Runtime of `torch.nn.RNN`, `GRU` or `LSTM`, on memory bound beforehand.

    x (T, B, I); each state (1, B, H); weights w_ih, w_hh, b_ih, b_hh.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise Absent(f"cannot be imported ({error})") from error
    inputs = {"X": x, "initial_h": states[0]}
    if cell == "LSTM":
        inputs["initial_c"] = states[1]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        _onnx_model(cell, inputs, weights), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(
            name, onnxruntime.OrtValue.ortvalue_from_numpy(value.detach().numpy())
        )
    for output in session.get_outputs():
        binding.bind_output(output.name)

    def unpack(_: Any) -> list[np.ndarray[Any, Any]]:
        y, *final = (value.numpy() for value in binding.get_outputs())
        return [y[:, 0], *final]

    return Contestant(lambda: session.run_with_iobinding(binding), unpack)


def _onnx_model(cell: str, inputs: Mapping[str, Tensor], weights: Sequence[Tensor]) -> bytes:
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError as error:
        raise Absent(f"onnx cannot be imported ({error})") from error
    w_ih, w_hh, b_ih, b_hh = (_onnx_gates(cell, w) for w in weights)
    tensors = {"W": w_ih[None], "R": w_hh[None], "B": np.concatenate([b_ih, b_hh])[None]}
    names = ["X", "W", "R", "B", "", *list(inputs)[1:]]
    outputs = ["Y", "Y_h", *(["Y_c"] if cell == "LSTM" else [])]
    settings = {"linear_before_reset": 1} if cell == "GRU" else {}
    node = helper.make_node(cell, names, outputs, hidden_size=w_hh.shape[1], **settings)
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [node],
        cell,
        [helper.make_tensor_value_info(k, kind, list(v.shape)) for k, v in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    # A version of the format that every recent ONNX Runtime reads.
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    return bytes(model.SerializeToString())


def _onnx_gates(cell: str, weight: Tensor) -> np.ndarray[Any, Any]:
    blocks = weight.detach().chunk(len(ONNX_ORDER[cell]))
    return torch.cat([blocks[k] for k in ONNX_ORDER[cell]]).numpy()
