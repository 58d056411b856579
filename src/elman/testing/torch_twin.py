"""Golden values from `torch.nn`, for the cells it has."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from elman.cells import GRU, LSTM, RNN, Cell, RNNReLU
from elman.testing.golden import GRAD_Y, LENGTHS, Golden, draw

TWINS: dict[type[Cell], Any] = {
    RNN: nn.RNN,
    RNNReLU: lambda i, h, **kind: nn.RNN(i, h, nonlinearity="relu", **kind),
    GRU: nn.GRU,
    LSTM: nn.LSTM,
}


def torch_golden(cell: type[Cell]) -> Golden | None:
    """Everything that leaves `torch.nn`'s layer of the same equations; None where it has none.

    Rows are packed, so that lengths too come from another implementation.
    """
    if cell not in TWINS:
        return None
    golden = draw(cell)
    x = golden.arguments["x"]
    hidden = golden.weights["weight_ih_l0"].shape[0] // len(cell.gates)
    twin = TWINS[cell](x.shape[2], hidden, batch_first=True, dtype=torch.float64)
    twin.load_state_dict(golden.weights)
    return replace(
        golden, source=f"torch.nn {torch.__version__}", expected=_run(cell, twin, golden)
    )


def _run(cell: type[Cell], twin: nn.Module, golden: Golden) -> dict[str, Tensor]:
    given = golden.arguments
    x = given["x"].clone().requires_grad_()
    first = {s: given[f"state {s} of l0 passed in"].clone().requires_grad_() for s in cell.state}
    start = tuple(leaf[None] for leaf in first.values())
    packed = pack_padded_sequence(x, given[LENGTHS], batch_first=True, enforce_sorted=False)
    output, last = twin(packed, start if len(start) > 1 else start[0])
    y, _ = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])
    final = last if isinstance(last, tuple) else (last,)
    found = {"outputs": y}
    found |= {f"final state {s} of l0": f[0] for s, f in zip(cell.state, final, strict=True)}
    total = (y * given[GRAD_Y]).sum()
    for name in list(found)[1:]:
        total = total + (found[name] * given[f"gradient of {name}"]).sum()
    sources = dict(twin.named_parameters()) | {"x": x}
    sources |= {f"state {s} of l0 passed in": leaf for s, leaf in first.items()}
    grads = torch.autograd.grad(total, list(sources.values()))
    found |= {f"gradient of {name}": g for name, g in zip(sources, grads, strict=True)}
    return {name: value.detach() for name, value in found.items()}
