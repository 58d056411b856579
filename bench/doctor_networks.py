"""Networks for `bench/doctor.py`: healthy ones, and ones made ill in a known way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import elman
from elman.cells import builtin
from elman.init import recurrent_layers
from elman.nn import Mogrifier, Recurrent


class Size(NamedTuple):
    """Rows, steps, inputs and units."""

    rows: int
    steps: int
    inputs: int
    units: int


@dataclass
class Network:
    """A model, what it is examined on, and further arguments of `examine`."""

    model: nn.Module
    batch: Any
    options: dict[str, Any] = field(default_factory=dict)


Make = Callable[[Size], Network]


def plain(cell: str, **options: Any) -> Make:
    """A layer of a cell at its default initialisation."""

    def make(size: Size) -> Network:
        known = builtin()[cell]
        inputs = size.units if "raw" in known.inputs else size.inputs
        layer = Recurrent(cell, inputs, size.units, **options)
        x = torch.randn(size.rows, size.steps, inputs)
        more = {n: torch.rand(size.rows, size.steps) for n in known.inputs if n != "raw"}
        return Network(layer, {"x": x, **more})

    return make


def long(make: Make, steps: int = 250) -> Make:
    """The same on longer sequences."""
    return lambda size: make(size._replace(steps=steps))


def torchs(kind: str, **options: Any) -> Make:
    """torch's own layer, as torch initialises it."""

    def make(size: Size) -> Network:
        layer = getattr(nn, kind)(size.inputs, size.units, batch_first=True, **options)
        return Network(layer, (torch.randn(size.rows, size.steps, size.inputs),))

    return make


def changed(make: Make, change: Callable[[Network], Any]) -> Make:
    """A network, changed."""

    def made(size: Size) -> Network:
        network = make(size)
        with torch.no_grad():
            change(network)
        return network

    return made


def times_u(factor: float) -> Callable[[Network], None]:
    """U times a factor, in every layer."""

    def change(network: Network) -> None:
        for name, weight in network.model.named_parameters():
            if "weight_hh" in name:
                weight.mul_(factor)

    return change


def inputs(change: Callable[[Tensor], Tensor]) -> Callable[[Network], None]:
    """Other inputs."""

    def changing(network: Network) -> None:
        if isinstance(network.batch, dict):
            network.batch["x"] = change(network.batch["x"])
        else:
            network.batch = (change(network.batch[0]),)

    return changing


def bias(gate: str, value: float, share: float = 1.0) -> Callable[[Network], None]:
    """b_ih of a gate becomes a value, in a share of its units."""

    def change(network: Network) -> None:
        for layer in recurrent_layers(network.model):
            names = {"LSTM": "ifgo", "GRU": "rzn"}.get(getattr(layer.owner, "mode", ""))
            rows = layer.rows("bias_ih", (names or layer.owner.cell.gates).index(gate))
            assert rows is not None
            rows[: round(share * len(rows))] = value

    return change


def both_sides(network: Network) -> None:
    """Biases of plus or minus twenty, at random."""
    for layer in recurrent_layers(network.model):
        found = layer.get("bias_ih")
        assert found is not None
        found.copy_(20.0 * torch.randint(0, 2, found.shape).mul(2).sub(1))


def forgetful(value: float) -> Callable[[Network], None]:
    """Forget gates with a bias far below zero."""
    return lambda network: elman.init.forget_bias_(network.model, value)


class Reader(nn.Module):
    """A recurrence and a head, which reads what `how` says."""

    def __init__(self, cell: str, size: Size, how: str = "state") -> None:
        super().__init__()
        self.how = how
        width = size.units if "raw" in builtin()[cell].inputs else size.inputs
        self.lift = nn.Linear(size.inputs, width)
        self.recurrent = Recurrent(cell, width, size.units)
        out = self.recurrent.output_size
        self.head = nn.Linear(size.inputs if how == "input" else out, 1)
        if how == "zero":
            nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        """From (B, T, I) to (B, T, 1)."""
        more = {n: torch.ones(x.shape[:2]) for n in self.recurrent.cell.inputs if n != "raw"}
        y, _ = self.recurrent(self.lift(x), **more)
        read = {"input": x, "detached": y.detach()}.get(self.how, y)
        out: Tensor = self.head(read)
        return out


def running_mean(model: nn.Module, x: Tensor, carry: None) -> tuple[Tensor, None]:
    """The error of the mean of the first input so far."""
    target = x[..., :1].cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]
    return (model(x) - target).square().mean(), carry


def learning(
    cell: str, how: str = "state", optimizer: Callable[..., Any] | None = None, **options: Any
) -> Make:
    """A model with a loss, and an optimiser, before any training."""

    def make(size: Size) -> Network:
        model = Reader(cell, size, how)
        given: dict[str, Any] = {"loss": running_mean}
        if optimizer is not None:
            given["optimizer"] = optimizer(model.parameters(), **options)
        return Network(model, torch.randn(size.rows, size.steps, size.inputs), given)

    return make


def trained(cell: str, steps: int = 60) -> Make:
    """The same, after some steps of training, with its history."""

    def make(size: Size) -> Network:
        network = learning(cell, "state", torch.optim.AdamW, lr=3e-3)(size)
        optimizer, history = network.options["optimizer"], []
        for step in range(steps):
            x = torch.randn(16, size.steps, size.inputs)
            loss, _ = running_mean(network.model, x, None)
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(network.model.parameters(), 1.0)
            optimizer.step()
            history.append({"step": step, "lr": 3e-3, "loss": loss.item(), "norm": float(norm)})
        network.options |= {"history": history, "clip_norm": 1.0}
        return network

    return make


def diverged(size: Size) -> Network:
    """A history whose loss rises; weights as they were."""
    network = learning("GRU")(size)
    losses = [1.0, 0.8, 0.7, 3.0, 9.0, 40.0]
    network.options["history"] = [
        {"step": 50 * k, "lr": 0.1, "loss": loss, "norm": loss} for k, loss in enumerate(losses)
    ]
    return network


def deeper(how: str) -> Make:
    """Two layers, of which one is ill."""
    return changed(
        plain("LSTM", layers=2, bidirectional=True),
        lambda network: network.model.weight_hh_l1_reverse.mul_(8.0 if how == "exploding" else 1.0),
    )


def needing(cell: str) -> Make:
    """A network that is fine but for a task that needs more memory than it has."""

    def make(size: Size) -> Network:
        network = plain(cell)(size)
        network.options["memory"] = size.steps - 6
        return network

    return make


def mogrifier(size: Size) -> Network:
    """A module with `step` of its own."""
    layer = Recurrent(Mogrifier(Recurrent("LSTM", size.inputs, size.units)))
    return Network(layer, (torch.randn(size.rows, size.steps, size.inputs),))


VANISHING, EXPLODING = "vanishing", "exploding"

ILL: dict[str, tuple[str, Make]] = {
    "RNN, U x 0.1": (VANISHING, changed(plain("RNN"), times_u(0.1))),
    "RNNReLU, U x 0.1": (VANISHING, changed(plain("RNNReLU"), times_u(0.1))),
    "torch RNN, U x 0.02": (VANISHING, changed(torchs("RNN"), times_u(0.02))),
    "RNN, U = 0": (VANISHING, changed(plain("RNN"), times_u(0.0))),
    **{
        f"{cell}, forget bias -6": (VANISHING, changed(plain(cell), forgetful(-6.0)))
        for cell in ("LSTM", "GRU", "GRUResetBefore", "LiGRU", "PeepholeLSTM")
    },
    "torch LSTM, forget bias -6": (VANISHING, changed(torchs("LSTM"), forgetful(-6.0))),
    "MinGRU, z open: nothing is kept": (
        "stuck or vanishing",
        changed(plain("MinGRU"), bias("z", 10.0)),
    ),
    "RNN, all but six steps of memory needed": (VANISHING, needing("RNN")),
    "GRU, all but six steps of memory needed": (VANISHING, needing("GRU")),
    "RNN, U x 4": (EXPLODING, changed(plain("RNN"), times_u(4.0))),
    "RNNReLU, U x 1.8": (EXPLODING, changed(plain("RNNReLU"), times_u(1.8))),
    "LSTM, U x 8": (EXPLODING, changed(plain("LSTM"), times_u(8.0))),
    "GRU, U x 10": (EXPLODING, changed(plain("GRU"), times_u(10.0))),
    "torch LSTM, U x 15": (EXPLODING, changed(torchs("LSTM"), times_u(15.0))),
    "LSTM, two layers both ways, one U x 8": (EXPLODING, deeper("exploding")),
    **{
        f"{cell}, inputs x 1000": ("inputs", changed(plain(cell), inputs(lambda x: 1000 * x)))
        for cell in ("RNN", "LSTM", "GRU", "MinGRU", "SLSTM")
    },
    "torch GRU, inputs x 1000": ("inputs", changed(torchs("GRU"), inputs(lambda x: 1000 * x))),
    "LSTM, inputs x 1e-6": ("inputs", changed(plain("LSTM"), inputs(lambda x: 1e-6 * x))),
    "RNN, U x 30": ("saturated or exploding", changed(plain("RNN"), times_u(30.0))),
    "RNN, biases +-20": ("stuck", changed(plain("RNN"), both_sides)),
    "LSTM, biases +-20": ("stuck", changed(plain("LSTM"), both_sides)),
    "LSTM, input gate closed": ("stuck", changed(plain("LSTM"), bias("i", -20.0))),
    "LSTM, output gate closed": ("stuck", changed(plain("LSTM"), bias("o", -20.0))),
    "GRU, z open: nothing enters": ("stuck", changed(plain("GRU"), bias("z", 20.0))),
    "GRU, r closed": ("stuck", changed(plain("GRU"), bias("r", -20.0))),
    "MinGRU, z closed: nothing enters": ("stuck", changed(plain("MinGRU"), bias("z", -20.0))),
    "RNNReLU, bias -10": ("dead", changed(plain("RNNReLU"), bias("h", -10.0))),
    "RNNReLU, half of biases -10": ("dead", changed(plain("RNNReLU"), bias("h", -10.0, 0.5))),
    "IndRNN, bias -10": ("dead", changed(plain("IndRNN"), bias("h", -10.0))),
    "LiGRU, candidate bias -10": ("dead", changed(plain("LiGRU"), bias("n", -10.0))),
    "GRU, head reads the input": ("ignored", learning("GRU", "input")),
    "LSTM, output detached": ("ignored", learning("LSTM", "detached")),
    "LSTM, head of zeros": ("ignored", learning("LSTM", "zero")),
    "GRU, Adam lr 1": ("learning rate", learning("GRU", "state", torch.optim.Adam, lr=1.0)),
    "LSTM, AdamW lr 0.3": ("learning rate", learning("LSTM", "state", torch.optim.AdamW, lr=0.3)),
    "RNN, SGD lr 1000": ("learning rate", learning("RNN", "state", torch.optim.SGD, lr=1000.0)),
    "GRU, loss rises": ("learning rate", diverged),
    "GRU, NaN in the inputs": (
        "not finite",
        changed(plain("GRU"), inputs(lambda x: x.index_fill(1, torch.tensor([3]), torch.nan))),
    ),
    "RNNReLU, U x 1e20": ("not finite", changed(plain("RNNReLU"), times_u(1e20))),
}

HEALTHY: dict[str, tuple[str, Make]] = {
    **{f"{cell}, default": ("", plain(cell)) for cell in builtin()},
    **{f"torch {kind}, default": ("", torchs(kind)) for kind in ("RNN", "LSTM", "GRU")},
    "torch LSTM, two layers both ways": ("", torchs("LSTM", num_layers=2, bidirectional=True)),
    "LSTM, two layers both ways": ("", plain("LSTM", layers=2, bidirectional=True)),
    "GRU, three layers, residual, layer norm": (
        "",
        plain("GRU", layers=3, residual=True, layer_norm=True),
    ),
    "LSTM, projected": ("", plain("LSTM", proj_size=5)),
    "LSTM, zoneout": ("", plain("LSTM", zoneout=0.1)),
    "LSTM, chrono of 1000 steps": (
        "",
        changed(plain("LSTM"), lambda n: elman.init.chrono_(n.model, 1000)),
    ),
    "GRU, chrono of 1000 steps": (
        "",
        changed(plain("GRU"), lambda n: elman.init.chrono_(n.model, 1000)),
    ),
    "RNNReLU, U = identity": (
        "",
        changed(plain("RNNReLU"), lambda n: elman.init.identity_(n.model.weight_hh_l0)),
    ),
    **{
        f"{cell}, default, 250 steps": ("", long(plain(cell)))
        for cell in ("RNN", "LSTM", "GRU", "LRU", "LayerNormLSTM")
    },
    "LSTM, inputs x 3": ("", changed(plain("LSTM"), inputs(lambda x: 3 * x))),
    "GRU, inputs x 0.1": ("", changed(plain("GRU"), inputs(lambda x: 0.1 * x))),
    "GRU, inputs of 0 and 1": ("", changed(plain("GRU"), inputs(lambda x: (x > 1).float()))),
    "Mogrifier": ("", mogrifier),
    "LSTM, Adam lr 0.01": ("", learning("LSTM", "state", torch.optim.Adam, lr=0.01)),
    "GRU, SGD lr 0.1": ("", learning("GRU", "state", torch.optim.SGD, lr=0.1)),
    **{
        f"{cell}, trained": ("", trained(cell))
        for cell in ("RNN", "LSTM", "GRU", "LiGRU", "RNNReLU", "IndRNN", "LRU", "SLSTM", "CfC")
    },
}
