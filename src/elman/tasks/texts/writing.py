"""What writes a text: the network's program on the runtime, the same that its file holds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from elman import state as states
from elman.nn import Builder, CannotStore
from elman.tasks.texts.network import LanguageNetwork
from elman.trace import TraceError
from elman_runtime.program import Program, runner
from elman_runtime.writing import Steps

Array = np.ndarray[Any, np.dtype[Any]]


def program_of(network: LanguageNetwork, builder: Builder) -> Program:
    """From tokens (T,) to logits (T, V).

    Raises:
        TraceError: its cell has no tape.
        CannotStore: a module of it has no operation.
    """
    tokens = builder.input("token", "T", kind="int")
    return builder.build(logits=builder.lower(network, tokens, name="model"))


def runner_of(network: LanguageNetwork) -> Steps:
    """What runs the network as it is now, token by token; torch itself where it has no tape."""
    builder = Builder()
    try:
        program = program_of(network, builder)
    except (CannotStore, TraceError):
        return TorchRunner(network)
    return runner(program, builder.tensors, builder.tapes)


class TorchRunner:
    """Steps a network whose cell has no tape; see `elman_runtime.writing.Steps`."""

    def __init__(self, network: LanguageNetwork) -> None:
        self._network = network.eval()
        self._first = network.recurrent.initial_state(1)
        self._sizes = [leaf.numel() for leaf in states.leaves(self._first)]
        self.state_size = sum(self._sizes)
        self.dtype = np.dtype(str(network.words.bias.dtype).removeprefix("torch."))

    def start(self) -> Array:
        """The state (state_size,) before the first step."""
        found: Array = self._flat(self._first)[0]
        return found

    @torch.no_grad()
    def run(
        self,
        state: Array,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        rows: Array | None = None,
    ) -> None:
        """As `Steps.run`."""
        chosen = np.arange(len(state)) if rows is None else rows
        parts = iter(torch.from_numpy(state[chosen]).split_with_sizes(self._sizes, 1))
        now = states.map_leaves(lambda leaf: next(parts).reshape(-1, *leaf.shape[1:]), self._first)
        logits, now = self._network(torch.from_numpy(inputs[0]), now)
        outputs[0][:] = logits.numpy()
        state[chosen] = self._flat(now)

    def _flat(self, tree: Any) -> Array:
        found: Array = torch.cat([leaf.flatten(1) for leaf in states.leaves(tree)], 1).numpy()
        return found
