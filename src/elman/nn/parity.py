"""How far a program is from the module that it was made of, measured on random input."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from elman.tolerance import Difference, compare
from elman_runtime.program import Program, evaluate
from elman_runtime.program.form import Value
from elman_runtime.tape import Tape

__all__ = ["Parity", "Written", "drawn", "evaluating", "measure", "outputs_of"]

ROWS, STEPS = 3, 7


class Written(NamedTuple):
    """A module as programs: what a file holds, and how its arguments lie in torch."""

    programs: dict[str, Program]
    tensors: dict[str, Any]
    tapes: list[Tape]
    made: Any
    """What lowering it returned: values in the form of what its `forward` returns."""
    keywords: tuple[str, ...]
    """Names of those inputs that its `forward` takes by name, the last ones."""
    time_first: bool


class Parity(NamedTuple):
    """The worst difference between torch and a program."""

    program: str
    difference: float
    allowed: float

    @property
    def close(self) -> bool:
        """Whether rounding explains it."""
        return self.difference <= self.allowed


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """A module in evaluation mode and without gradients, and as it was afterwards."""
    before = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for m, training in before.items():
            m.training = training


def outputs_of(made: Any, results: Any = None) -> list[tuple[str, Value, Any]]:
    """Names and values of what a module returns, each beside the same of `results`.

    A value is "y"; of several, those that are no states of layers are y, y1, ..., or have the names
    of a dict.
    """
    if isinstance(made, dict):
        pairs = {k: (v, None if results is None else results[k]) for k, v in made.items()}
    else:
        several = type(made) is tuple
        values = made if several else (made,)
        found = (
            (results if several else (results,)) if results is not None else [None] * len(values)
        )
        pairs = {
            f"y{k}" if k else "y": pair for k, pair in enumerate(zip(values, found, strict=True))
        }
    return [(k, v, r) for k, (v, r) in pairs.items() if isinstance(v, Value)]


def drawn(program: Program, tensors: Mapping[str, Any]) -> list[Tensor]:
    """Random inputs for a program, (B, T, ...): tokens within their table, normal numbers."""
    kind = next((torch.from_numpy(t[:0]).dtype for t in tensors.values() if t.ndim), torch.float32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = []
        for value in program.inputs:
            shape = [ROWS, *(STEPS if n == "T" else int(n) for n in value.shape)]
            if value.kind == "int":
                found.append(torch.randint(_rows(program, tensors, value.name), shape))
            else:
                found.append(torch.randn(shape, dtype=kind))
        return found


def _rows(program: Program, tensors: Mapping[str, Any], name: str) -> int:
    """How many rows the table has that reads an input."""
    for node in program.nodes:
        if node.op == "embedding" and name in node.inputs:
            return int(tensors[node.params["weight"]].shape[0])
    return 2


def measure(module: nn.Module, written: Written, inputs: Sequence[Tensor]) -> list[Parity]:
    """Main whole, and step after each of the first steps, against the module.

    `inputs` are batch first.
    """
    found = [_main(module, written, inputs)]
    if "step" in written.programs:
        found.append(_step(module, written, inputs))
    return found


def _main(module: nn.Module, written: Written, inputs: Sequence[Tensor]) -> Parity:
    got = _evaluated(written, "main", inputs)
    wanted = _ran(module, written, inputs)
    pairs = zip(got, wanted, strict=True)
    return _worst("main", [compare(a, b, terms=_terms(written), what="y") for a, b in pairs])


def _step(module: nn.Module, written: Written, inputs: Sequence[Tensor]) -> Parity:
    got, found = _evaluated(written, "step", inputs), []
    timed = [v.shape[:1] == ("T",) for v in written.programs["step"].inputs]
    for t in range(next(x.shape[1] for x, yes in zip(inputs, timed, strict=True) if yes)):
        part = [x[:, : t + 1] if yes else x for x, yes in zip(inputs, timed, strict=True)]
        for a, b in zip(got, _ran(module, written, part), strict=True):
            at = torch.as_tensor(a)[:, t]
            found.append(compare(at.reshape(b.shape), b, terms=_terms(written), what="y"))
    return _worst("step", found)


def _evaluated(written: Written, name: str, inputs: Sequence[Tensor]) -> list[Any]:
    program = written.programs[name]
    arrays = [x.numpy(force=True) for x in inputs]
    return list(evaluate(program, written.tensors, written.tapes, arrays)[0])


def _ran(module: nn.Module, written: Written, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The module's own outputs, batch first."""
    device = next((p.device for p in module.parameters()), inputs[0].device)
    there = [x.to(device) for x in inputs]
    lying = [_turned(x) if written.time_first and x.dim() > 1 else x for x in there]
    count = len(lying) - len(written.keywords)
    with evaluating(module):
        results = module(*lying[:count], **dict(zip(written.keywords, lying[count:], strict=True)))
    found = []
    for _, value, result in outputs_of(written.made, results):
        timed = written.time_first and value.shape[:1] == ("T",)
        found.append(_turned(result) if timed else result)
    return found


def _turned(x: Tensor) -> Tensor:
    return x.transpose(0, 1)


def _terms(written: Written) -> int:
    """Terms of the longest sum: every weight's row, at every step."""
    widths = (int(t.shape[-1]) for t in written.tensors.values() if np.ndim(t) > 1)
    return STEPS * max(1, sum(widths))


def _worst(name: str, found: Sequence[Difference]) -> Parity:
    worst = max(found, key=lambda d: d.ratio)
    return Parity(name, abs(worst.actual - worst.expected), worst.allowed)
