"""Golden values from the cells of `torchrecurrent`."""

from importlib.metadata import version
from typing import Any

import torch
import torchrecurrent
from rows import H, I, record

torch.set_default_dtype(torch.float64)
SOURCE = f"torchrecurrent {version('torchrecurrent')}, "


def dense(gates: int, recurrent: int) -> dict[str, tuple[int, ...]]:
    return {
        "weight_ih": (gates * H, I),
        "weight_hh": (recurrent * H, H),
        "bias_ih": (gates * H,),
        "bias_hh": (recurrent * H,),
    }


def fill(module: torch.nn.Module, values: dict[str, Any]) -> torch.nn.Module:
    """Every parameter of a module from an array of the same shape; none is left as it was."""
    named = dict(module.named_parameters())
    assert set(named) == set(values), (sorted(named), sorted(values))
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(torch.as_tensor(values[name]).reshape(parameter.shape))
    return module


def stepper(make: Any, rename: Any = dict) -> Any:
    """`step` of a cell of the package, whose parameters are `rename(weights)`."""

    def step(weights: Any, x: Any, _further: Any, state: Any) -> Any:
        cell = fill(make(), rename(weights))
        given = [torch.as_tensor(s)[None] for s in state]
        with torch.no_grad():
            new = cell(torch.as_tensor(x)[None], given[0] if len(given) == 1 else tuple(given))
        leaves = new if isinstance(new, tuple) else (new,)
        return leaves[0][0].numpy(), tuple(leaf[0].numpy() for leaf in leaves)

    return step


def peepholes(w: Any) -> Any:
    own = torch.cat([torch.as_tensor(w[name]) for name in ("peep_i", "peep_f", "peep_o")])
    return {k: v for k, v in w.items() if not k.startswith("peep")} | {"weight_ph": own}


def oscillators(w: Any) -> Any:
    two = {"weight_hh": w["weight_hh"][:H], "weight_ch": w["weight_hh"][H:]}
    biases = {"bias_ih": w["b"], "bias_hh": torch.zeros(H), "bias_ch": torch.zeros(H)}
    return {"weight_ih": w["weight_ih"], **two, **biases}


def diagonal(w: Any) -> Any:
    return {
        "weight_ih": w["weight_ih"],
        "bias_ih": w["bias_ih"],
        "vector_u": w["u"],
        "bias_hh": torch.zeros(H),
    }


def main() -> None:
    cells = torchrecurrent
    peep = dict.fromkeys(("peep_i", "peep_f", "peep_o"), (H,))
    record(
        "PeepholeLSTM",
        SOURCE + "PeepholeLSTMCell",
        stepper(lambda: cells.PeepholeLSTMCell(I, H), peepholes),
        dense(4, 4) | peep,
        states=("h", "c"),
    )
    record("MGU", SOURCE + "MGUCell", stepper(lambda: cells.MGUCell(I, H)), dense(2, 2))
    light = stepper(lambda: cells.LiGRUCell(I, H, nonlinearity="relu"))
    record("LiGRU", SOURCE + "LiGRUCell", light, dense(2, 2))
    record(
        "IndRNN",
        SOURCE + "IndRNNCell",
        stepper(lambda: cells.IndRNNCell(I, H, nonlinearity="relu"), diagonal),
        {"weight_ih": (H, I), "bias_ih": (H,), "u": (H,)},
    )
    oscillation = {"dt": 0.3, "gamma": 1.7, "epsilon": 0.9}
    record(
        "CoRNN",
        SOURCE + "coRNNCell",
        stepper(lambda: cells.coRNNCell(I, H, **oscillation), oscillators),
        {"weight_ih": (H, I), "weight_hh": (2 * H, H), "b": (H,)},
        states=("y", "z"),
        options={"constants": oscillation},
    )
    integration = {"epsilon": 0.3, "gamma": 0.2}
    record(
        "AntisymmetricRNN",
        SOURCE + "AntisymmetricRNNCell",
        stepper(lambda: cells.AntisymmetricRNNCell(I, H, **integration)),
        dense(1, 1),
        options={"constants": integration},
    )


if __name__ == "__main__":
    main()
