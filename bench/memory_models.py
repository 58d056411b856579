"""Networks for the tasks of bench/memory.py: any cell as a stack, and two that do not recur."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from memory_tasks import Task
from torch import Tensor, nn

from elman import init
from elman.nn import Recurrent, orthogonal_


@dataclass(frozen=True)
class Spec:
    """A network and how it is trained.

    - `lasting`: initialised for `times` x the length of the task (`init.recommended_`).
    - `orthogonal`: U is held orthogonal in training.
    - `blocks`: norm, layer, gated linear unit and a way round, for each layer.
    - `frozen`: parameters of the cell that stay as they began: in a turning state a small change
      of the angle turns what is 500 steps old out of all recognition.
    - `angle`: a state of LRU turns by at most so much a step as it begins, instead of by 2 pi:
      along a line of an image little changes from one pixel to the next.
    - `wide`: units of a head with a norm in front and dropout; 0: the plain one of 64.
    """

    cell: str
    hidden: int = 64
    layers: int = 1
    lasting: bool = False
    times: float = 1.0
    orthogonal: bool = False
    blocks: bool = False
    frozen: tuple[str, ...] = ()
    angle: float | None = None
    wide: int = 0
    lr: float = 3e-3
    options: dict[str, Any] = field(default_factory=dict)


class Reader(nn.Module):
    """Reads a sequence (B, T, I) and says something at its last steps (B, `read`, O)."""

    def __init__(self, spec: Spec, task: Task) -> None:
        super().__init__()
        self.read = task.read
        self.body = _Blocks(spec, task) if spec.blocks else _layers(spec, task, task.inputs)
        self.head = _head(spec, self.body.output_size, task.outputs)
        for name, parameter in self.named_parameters():
            kind = name.rpartition(".")[2].partition("_l")[0]
            parameter.requires_grad_(kind not in spec.frozen)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x)[0][:, -self.read :])  # type: ignore[no-any-return]


def _head(spec: Spec, inputs: int, outputs: int) -> nn.Module:
    middle = [nn.Linear(inputs, spec.wide or 64), nn.ReLU()]
    if spec.wide:
        middle = [nn.LayerNorm(inputs), *middle, nn.Dropout(0.3)]
    return nn.Sequential(*middle, nn.Linear(spec.wide or 64, outputs))


def _layers(spec: Spec, task: Task, inputs: int, layers: int | None = None) -> Recurrent:
    made: Recurrent = Recurrent(
        spec.cell, inputs, spec.hidden, layers or spec.layers, **spec.options
    )
    if spec.lasting:
        init.recommended_(made, length=round(spec.times * task.length))
    if spec.angle is not None:
        init.log_of_uniform(spec.angle)(made.theta_l0.data)
    return orthogonal_(made) if spec.orthogonal else made


class _Blocks(nn.Module):
    """Layers of a cell, each with a gated linear unit behind; from the second on with a norm in
    front and a way round."""

    def __init__(self, spec: Spec, task: Task) -> None:
        super().__init__()
        wide = self.output_size = spec.hidden
        inputs = [task.inputs, *[wide] * (spec.layers - 1)]
        self.norms = nn.ModuleList(nn.LayerNorm(wide) for _ in inputs[1:])
        self.cells = nn.ModuleList(_layers(spec, task, width, 1) for width in inputs)
        self.gates = nn.ModuleList(nn.Linear(c.output_size, 2 * wide) for c in self.cells)  # type: ignore[arg-type]
        self.last = task.read

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        for k, (cell, gate) in enumerate(zip(self.cells, self.gates, strict=True)):
            y = cell(self.norms[k - 1](x) if k else x)[0]
            if k == len(self.cells) - 1:  # the rest is not read
                x, y = x[:, -self.last :], y[:, -self.last :]
            new = nn.functional.glu(gate(y), -1)
            x = x + new if k else new
        return x, None


class LastSteps(nn.Module):
    """A feedforward network over the last steps, as large as `like`."""

    STEPS = 100

    def __init__(self, task: Task, like: int) -> None:
        super().__init__()
        self.read, self.outputs = task.read, task.outputs
        seen, said = self.STEPS * task.inputs, task.read * task.outputs
        wide = max(4, round(like / (seen + said)))
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(seen, wide), nn.ReLU(), nn.Linear(wide, said)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x[:, -self.STEPS :]).view(len(x), self.read, self.outputs)


class Constant(nn.Module):
    """Says the same whatever it reads: the mean, or the most frequent class."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.said = nn.Parameter(torch.zeros(task.read, task.outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.said.expand(len(x), *self.said.shape)


LRU_FROZEN = ("nu", "theta")
NETWORKS: dict[str, dict[str, Spec]] = {
    "adding": {
        "MinGRU, length": Spec("MinGRU", 16, lasting=True, lr=2e-2),
        "IndRNN x 2, length": Spec("IndRNN", 64, 2, lasting=True, lr=3e-3),
        "GRU, length": Spec("GRU", 64, lasting=True, lr=5e-3),
        "LSTM, length": Spec("LSTM", 64, lasting=True, lr=5e-3),
        "RNN, orthogonal": Spec("RNN", 128, orthogonal=True, lr=1e-3),
        "CoRNN": Spec("CoRNN", 128, lr=2e-2),
        "MinGRU": Spec("MinGRU", 16, lr=2e-2),
        "GRU": Spec("GRU", 64, lr=5e-3),
        "LSTM": Spec("LSTM", 64, lr=5e-3),
        "RNN": Spec("RNN", 128, lr=1e-3),
    },
    "copying": {
        "LRU, length": Spec("LRU", 128, lasting=True, times=4, frozen=LRU_FROZEN, lr=3e-3),
        "GRU, length": Spec("GRU", 128, lasting=True, lr=3e-3),
        "LSTM, length": Spec("LSTM", 128, lasting=True, lr=3e-3),
        "RNN, orthogonal": Spec("RNN", 128, orthogonal=True, lr=1e-3),
        "MinGRU, length": Spec("MinGRU", 128, lasting=True, lr=1e-2),
        "LRU": Spec("LRU", 128, frozen=LRU_FROZEN, lr=3e-3),
        "LSTM": Spec("LSTM", 128, lr=3e-3),
        "RNN": Spec("RNN", 128, lr=1e-3),
    },
}
"""For each task those that should do it and, below, those that should not."""


def _digits(angle: float, **constants: float) -> dict[str, Spec]:
    """For MNIST; the constants are those of the coRNN's authors.

    The first has a memory that is never trained, so it costs no backward pass over time: what it
    learns is to read 256 numbers in which the whole image still stands.
    """
    frozen = (*LRU_FROZEN, "gamma", "weight_ih")
    return {
        "LRU frozen, length": Spec(
            "LRU", 128, lasting=True, times=4, frozen=frozen, angle=angle, wide=512, lr=2e-3
        ),
        "LRU x 2, length": Spec("LRU", 64, 2, True, blocks=True, frozen=LRU_FROZEN, lr=4e-3),
        "GRU, length": Spec("GRU", 96, lasting=True, lr=3e-3),
        "CoRNN": Spec("CoRNN", 128, lr=4e-3, options={"constants": constants}),
        "IndRNN x 2, length": Spec("IndRNN", 128, 2, lasting=True, lr=1e-3),
        "RNN, orthogonal": Spec("RNN", 128, orthogonal=True, lr=1e-3),
        "GRU": Spec("GRU", 96, lr=3e-3),
        "RNN": Spec("RNN", 128, lr=1e-3),
    }


NETWORKS["sequential"] = _digits(math.pi / 4, dt=0.042, gamma=2.7, epsilon=4.7)
NETWORKS["permuted"] = _digits(2 * math.pi, dt=0.076, gamma=0.4, epsilon=8.0)
