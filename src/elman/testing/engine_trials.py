"""Calls on which an engine is compared with the reference: sizes, options and arguments."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from elman import state as tree
from elman.cells import Cell
from elman.engine import Explanation, explain, use
from elman.nn import Masks, Recurrent
from elman.testing.case import Arguments, Case, Run, Size, outcome, reachable_state
from elman.testing.contract import fit
from elman.testing.options import takes_projection
from elman.testing.sequences import fill_padding, ragged


class Kind(NamedTuple):
    """What is special about a call."""

    bidirectional: bool = False
    stacked: bool = False
    bias: bool = True
    projected: bool = False
    regularised: bool = False
    training: bool = True
    learnt: bool = False
    """The initial state is a parameter, and none is passed in."""
    default: bool = False
    """No state is passed in."""
    ragged: bool = False
    empty: bool = False
    """All lengths are 0."""
    reset: bool = False
    wide: bool = False
    """Further inputs have one value a unit."""
    states: bool = False
    filled: bool = False
    """Beyond each row's length stands NaN, in what comes from above too."""
    clip: float | None = None
    """Longest gradient of the state at a step."""
    strength: float = 1.0
    """What U is multiplied by: beyond 1, what is small may grow."""


BOTH = Kind(bidirectional=True)
EVERYTHING = BOTH._replace(regularised=True, ragged=True, reset=True)

KINDS: dict[str, Kind] = {
    "state passed in": Kind(),
    "default state": Kind(default=True),
    "no bias": Kind(bias=False),
    "stacked": BOTH._replace(stacked=True),
    "lengths": BOTH._replace(ragged=True),
    "no lengths but 0": BOTH._replace(ragged=True, empty=True),
    "reset": BOTH._replace(ragged=True, reset=True),
    "learnt initial state": BOTH._replace(learnt=True, ragged=True, reset=True),
    "projection": BOTH._replace(projected=True, ragged=True),
    "dropout and zoneout": EVERYTHING,
    "dropout, zoneout and projection": EVERYTHING._replace(projected=True),
    "zoneout on average": Kind(regularised=True, training=False, reset=True),
    "inputs of one value a unit": BOTH._replace(wide=True, ragged=True),
    "states of every step": BOTH._replace(states=True, regularised=True, reset=True),
    "states of ragged rows": BOTH._replace(states=True, ragged=True),
    "NaN in padding": BOTH._replace(filled=True, ragged=True),
    "clipped at every step": EVERYTHING._replace(clip=0.5),
    "clipped, with projection": EVERYTHING._replace(clip=0.5, projected=True, states=True),
    "both directions": BOTH,
    "unstable": BOTH._replace(strength=1.5),
}

# Ones, primes, more than one vector of units, more than one block of rows; I and H are odd, so
# that no row of W or U but the first is aligned. Scans share out units too, from 257 on. Arrays of
# a megabyte and more are kept apart, and there states are not copied for the gradient of U.
QUICK: tuple[tuple[str, Size], ...] = (
    ("state passed in", Size(1, 1, 1, 1)),
    ("state passed in", Size(13, 3, 1, 5)),
    ("state passed in", Size(29, 2, 3, 17)),
    ("state passed in", Size(2, 5, 5, 33)),
    ("state passed in", Size(3, 0, 2, 5)),
    ("state passed in", Size(0, 2, 1, 3)),
    ("default state", Size(2, 3, 2, 5)),
    ("no bias", Size(3, 1, 2, 17)),
    ("stacked", Size(3, 2, 3, 7)),
    ("lengths", Size(13, 4, 3, 7)),
    ("no lengths but 0", Size(3, 2, 1, 2)),
    ("reset", Size(13, 4, 2, 7)),
    ("learnt initial state", Size(7, 5, 3, 5)),
    ("projection", Size(7, 3, 2, 11)),
    ("dropout and zoneout", Size(7, 4, 2, 5)),
    ("dropout, zoneout and projection", Size(7, 3, 2, 6)),
    ("zoneout on average", Size(3, 3, 2, 5)),
    ("inputs of one value a unit", Size(4, 3, 2, 5)),
    ("states of every step", Size(4, 3, 2, 5)),
    ("states of ragged rows", Size(4, 4, 2, 5)),
    ("NaN in padding", Size(4, 4, 2, 5)),
    ("clipped at every step", Size(5, 4, 2, 5)),
    ("clipped, with projection", Size(4, 3, 2, 6)),
    ("both directions", Size(37, 41, 3, 67)),
    ("unstable", Size(2, 25, 3, 7)),
)
SCAN = ("state passed in", Size(3, 2, 1, 300))
# A layer norm of few units or of one input undoes most of what it is given: QUICK has those.
THOROUGH = (
    *(Size(1, 1, 1, 1), Size(1, 9, 4, 5), Size(3, 3, 3, 13), Size(29, 2, 3, 8), Size(2, 5, 5, 33)),
    *(Size(7, 4, 2, 17), Size(3, 2, 2, 16), Size(6, 3, 7, 15), Size(12, 1, 4, 31)),
    *(Size(25, 2, 5, 67), Size(64, 3, 3, 9), Size(5, 23, 3, 11)),
)


@dataclass(frozen=True)
class Trial:
    """A layer with random weights, what it is called with, and the name of that in messages."""

    name: str
    case: Case
    layer: Recurrent
    arguments: Arguments
    masks: Masks | None
    states: bool

    def __str__(self) -> str:
        return f"{self.name}, {self.case}"

    def outcome(self) -> dict[str, Tensor]:
        """Everything that leaves the call, in whatever engine is forced."""
        return outcome(self.layer, self.arguments, self.run)

    @property
    def run(self) -> Run:
        """The layer called with this trial's options."""
        return partial(_call, masks=self.masks, states=self.states)

    def explain(self) -> Explanation:
        """What each engine says to the call."""
        a = self.arguments
        return explain(
            self.layer,
            a.x,
            state=a.state,
            lengths=a.lengths,
            reset=a.reset,
            masks=self.masks,
            states=self.states,
            **a.inputs,
        )


def trials(cell: type[Cell], dtype: torch.dtype, thorough: bool) -> Iterator[tuple[str, Case]]:
    """Names of the calls that concern a cell, with their sizes."""
    pairs = [*QUICK, SCAN] if not cell.recurrent else [*QUICK]
    pairs += product(KINDS, THOROUGH) if thorough else ()
    for name, size in dict.fromkeys(pairs):
        if _concerns(KINDS[name], cell, size, dtype):
            yield name, Case(cell, fit(cell, size), dtype)


def _concerns(kind: Kind, cell: type[Cell], size: Size, dtype: torch.dtype) -> bool:
    if kind.projected:
        return takes_projection(cell) and size.hidden > 1
    if kind.wide:
        return bool(set(cell.inputs) - {"raw"})
    # In float32 what was rounded differently may grow beyond any tolerance.
    return kind.strength == 1 or dtype == torch.float64


def trial(name: str, case: Case) -> Trial:
    """The call of that name, with random weights, arguments and masks."""
    kind = KINDS[name]
    layer = case.layer(**_options(kind, case)).train(kind.training)
    _strengthen(layer, kind.strength)
    if kind.learnt:
        _learn(layer, case.layer())
    batch, steps = case.size.batch, case.size.time
    masks = layer.draw_masks(batch, steps) if kind.regularised and kind.training else None
    found = Trial(name, case, layer, _arguments(kind, case, layer), masks, kind.states)
    return _with_gradients_of_states(found) if kind.states else found


def _options(kind: Kind, case: Case) -> dict[str, Any]:
    # Seldom so many that nothing of a state is left, which a layer norm would blow up.
    rates = {"state_dropout": 0.2, "weight_drop": 0.2, "zoneout": 0.3}
    return {
        "bidirectional": kind.bidirectional,
        "layers": case.layers if kind.stacked else 1,
        "bias": kind.bias,
        "proj_size": case.size.hidden // 2 if kind.projected else 0,
        "learn_initial_state": kind.learnt,
        "clip_steps": kind.clip,
        **(rates if kind.regularised else {}),
    }


def _strengthen(layer: Recurrent, strength: float) -> None:
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name.startswith("weight_hh"):
                parameter.mul_(strength)


def _learn(layer: Recurrent, other: Recurrent) -> None:
    """First states that a layer can be in: some cells divide by theirs."""
    with torch.no_grad():
        for suffix in layer.suffixes:
            for name, value in zip(layer.cell.state, reachable_state(other, 1)[0], strict=True):
                getattr(layer, f"{name}_0_{suffix}").copy_(value[0])


def _arguments(kind: Kind, case: Case, layer: Recurrent) -> Arguments:
    a = case.arguments(layer, default=kind.default or kind.learnt, wide=kind.wide)
    if kind.ragged and case.size.time:
        a = ragged(a)
    if kind.empty:
        a = replace(a, lengths=torch.zeros(case.size.batch, dtype=torch.int64))
    if kind.reset:
        a = replace(a, reset=torch.rand(a.x.shape[:2]) < 0.3)
    if kind.filled:
        a = fill_padding(a, torch.nan)
        above = replace(a, x=a.grad_y, inputs={})
        a = replace(a, grad_y=fill_padding(above, torch.nan).x)
    return a


def _call(layer: Recurrent, a: Arguments, *, masks: Masks | None, states: bool) -> Any:
    options = {"lengths": a.lengths, "reset": a.reset, "masks": masks, "states": states}
    y, final, *kept = layer(a.x, a.state, **options, **a.inputs)
    if not states:
        return y, final
    # Their gradients from above come with those of the outputs.
    return torch.cat([y, *tree.leaves(kept[0])], -1), final


def _with_gradients_of_states(found: Trial) -> Trial:
    with torch.no_grad(), use("reference"):
        y, _ = found.run(found.layer, found.arguments)
    return replace(found, arguments=replace(found.arguments, grad_y=torch.randn_like(y)))
