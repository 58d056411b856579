"""Check that every engine that can run a cell agrees with the reference."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from elman.engine import ENGINES, explain, use
from elman.nn import Recurrent
from elman.testing.case import Arguments, Case, outcome
from elman.testing.options import takes_projection
from elman.testing.sequences import ragged
from elman.testing.tolerance import Difference


def engines(case: Case) -> Iterator[Difference | str]:
    """Outputs, states and gradients of each engine are the reference's, whatever the options."""
    ran = set()
    for options in _options(case):
        layer = case.layer(**options)
        for label, a in _arguments(case, layer, every=not options):
            with use("reference"):
                expected = outcome(layer, a)
            for engine in _able(layer, a):
                with use(engine):
                    found = outcome(layer, a)
                yield from case.agree(f"{engine}, {options}, {label}", found, expected)
                ran.add(engine)
    yield ", ".join(engine for engine in ENGINES if engine in ran) or "reference alone"


def _options(case: Case) -> Iterator[dict[str, Any]]:
    yield {}
    yield {"bias": False}
    yield {"layers": case.layers, "bidirectional": True}
    if takes_projection(case.cell) and case.size.hidden > 1:
        yield {"proj_size": case.size.hidden // 2, "bidirectional": True}


def _arguments(case: Case, layer: Recurrent, every: bool) -> Iterator[tuple[str, Arguments]]:
    a = case.arguments(layer)
    yield "state given", a
    yield "lengths", ragged(a)
    if every:
        yield "default state", replace(a, state=None)
        yield "reset", replace(ragged(a), reset=torch.rand(a.x.shape[:2]) < 0.3)


def _able(layer: Recurrent, a: Arguments) -> Iterator[str]:
    """The engines, other than the reference, that run this."""
    told = explain(layer, a.x, state=a.state, lengths=a.lengths, reset=a.reset, **a.inputs)
    return (v.engine for v in told if v.runs and v.engine != "reference")
