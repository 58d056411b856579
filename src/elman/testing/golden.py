"""Golden values of a cell: what an independent implementation made of random distinct weights.

A golden file is JSON: `cell`, `source` (who computed it), `options` of the layer, `weights`,
`arguments` and `expected`, each a mapping from names to nested lists of float64. The names of
`expected` are those of everything that leaves a run: "outputs", "final state h of l0", "gradient of
weight_ih_l0", "gradient of x", "gradient of state h of l0 passed in"; gradients may be left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elman.cells import Cell, by_name
from elman.nn import Recurrent
from elman.testing.case import Arguments, Case, Run, Size, named_leaves, outcome, whole
from elman.testing.tolerance import Difference, assert_close

DRAWN = Size(3, 5, 3, 4)
LENGTHS, GRAD_Y, PASSED_IN, GRAD_FINAL = "lengths", "gradient of outputs", "passed in", "final"


@dataclass(frozen=True)
class Golden:
    """Weights, arguments and what must come of them, all float64."""

    cell: str
    source: str
    weights: dict[str, Tensor]
    arguments: dict[str, Tensor]
    """`x`, further inputs, `lengths`, `state h of l0 passed in`, and what comes back from above:
    `gradient of outputs`, `gradient of final state h of l0`."""
    expected: dict[str, Tensor] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of `Recurrent`, such as constants."""


def draw(cell: type[Cell], size: Size = DRAWN, **options: Any) -> Golden:
    """Random weights and arguments, `expected` still empty: for another implementation to fill.

    Rows are ragged (one has length 1, none 0), a state is passed in, and all values are distinct.
    """
    width = size.hidden if "raw" in cell.inputs else size.input
    case = Case(cell, size._replace(input=width), torch.float64)
    layer = case.layer(**options)
    a = case.arguments(layer)
    assert a.state is not None
    arguments = {"x": a.x, **a.inputs, GRAD_Y: a.grad_y}
    arguments[LENGTHS] = torch.arange(size.batch) * 2 % size.time + 1
    arguments |= {f"{name} {PASSED_IN}": leaf for name, leaf in named_leaves(layer, a.state)}
    arguments |= {
        f"gradient of {GRAD_FINAL} {name}": leaf for name, leaf in named_leaves(layer, a.grad_state)
    }
    weights = {name: value.detach() for name, value in layer.named_parameters()}
    return Golden(cell.__name__, "", weights, arguments, options=options)


def check(golden: Golden, cell: type[Cell] | None = None, run: Run = whole) -> list[Difference]:
    """Compare a layer, run by `run`, with everything that a golden expects.

    Args:
        golden: from `read`, `draw` with `expected` filled in, or `torch_golden`.
        cell: the class, where it is not built in.
        run: how to run the layer; a mutant's, to see the comparison fail.

    Raises:
        AssertionError: names what differs; also where nothing is expected.
    """
    layer = _layer(golden, cell)
    a = _arguments(golden, layer)
    found = outcome(layer, a, run)
    final = {name for name in found if name.startswith("final ")}
    missing = ({"outputs"} | final) - set(golden.expected)
    if missing:
        raise AssertionError(f"the golden of {golden.cell} lacks {min(missing)!r}")
    terms = a.grad_y.numel() * layer.weight_ih_l0.shape[0]
    return [
        assert_close(found[name], value, terms=terms, what=f"{golden.cell}: {name}")
        for name, value in golden.expected.items()
    ]


def read(path: str | Path) -> Golden:
    """A golden from its file."""
    text: dict[str, Any] = json.loads(Path(path).read_text())
    tensors = {part: _tensors(text[part]) for part in ("weights", "arguments", "expected")}
    return Golden(text["cell"], text["source"], options=text["options"], **tensors)


def write(golden: Golden, path: str | Path) -> None:
    """A golden into a file, every digit kept."""
    if not golden.source:
        raise ValueError("golden: source is empty; say which implementation computed it")
    lists = {
        part: {name: value.tolist() for name, value in getattr(golden, part).items()}
        for part in ("weights", "arguments", "expected")
    }
    head = {"cell": golden.cell, "source": golden.source, "options": golden.options}
    Path(path).write_text(json.dumps(head | lists, indent=1) + "\n")


def _tensors(lists: Mapping[str, Any]) -> dict[str, Tensor]:
    return {
        name: torch.tensor(value, dtype=torch.int64 if name == LENGTHS else torch.float64)
        for name, value in lists.items()
    }


def _layer(golden: Golden, cell: type[Cell] | None) -> Recurrent:
    rows, width = golden.weights["weight_ih_l0"].shape
    chosen = cell or by_name(golden.cell)
    hidden = rows // len(chosen.gates)
    layer = Recurrent(chosen, width, hidden, dtype=torch.float64, **golden.options)
    layer.load_state_dict(golden.weights)
    return layer


def _arguments(golden: Golden, layer: Recurrent) -> Arguments:
    given = golden.arguments
    names = [name for name, _ in named_leaves(layer, layer.initial_state(1))]

    def state(form: str) -> Any:
        leaves = iter([given[form.format(name)] for name in names])
        return tuple(
            layer.cell.State(*(next(leaves) for _ in layer.cell.state)) for _ in layer.suffixes
        )

    return Arguments(
        x=given["x"],
        state=state(f"{{}} {PASSED_IN}"),
        inputs={name: given[name] for name in layer.cell.inputs if name != "raw"},
        grad_y=given[GRAD_Y],
        grad_state=state(f"gradient of {GRAD_FINAL} {{}}"),
        lengths=given.get(LENGTHS),
    )
