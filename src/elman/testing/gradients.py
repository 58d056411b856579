"""Checks of a cell's derivatives against finite differences."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError
from torch.func import functional_call

from elman import state as states
from elman.engine import use
from elman.testing.case import Case


def finite_differences(case: Case) -> Iterator[str]:
    """Every gradient is the limit of differences, in the reference engine."""
    yield _hold("gradients", torch.autograd.gradcheck, case)


def double_backward(case: Case) -> Iterator[str]:
    """So is every gradient of a gradient."""
    yield _hold("second derivatives", torch.autograd.gradgradcheck, case)


def _hold(what: str, check: Callable[..., bool], case: Case) -> str:
    function, sources = _as_function(case)
    with use("reference"):
        if not check(function, sources, fast_mode=True, raise_exception=False):
            # Along random directions first, which is fast; entry by entry to say where.
            try:
                check(function, sources)
            except GradcheckError as error:
                raise AssertionError(f"{what} disagree with finite differences: {error}") from error
            raise AssertionError(f"{what} disagree with finite differences along a direction")
    return f"{len(sources)} tensors"


def _as_function(case: Case) -> tuple[Callable[..., Any], tuple[Tensor, ...]]:
    """The layer as a function of everything that has a gradient, and where to evaluate it."""
    layer = case.layer()
    a = case.arguments(layer)
    parameters = dict(layer.named_parameters())
    names, inputs = list(parameters), list(a.inputs)
    given = [a.x, *a.inputs.values(), *states.leaves(a.state), *parameters.values()]
    sources = tuple(t.detach().clone().requires_grad_() for t in given)

    def function(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        further = dict(zip(inputs, rest, strict=False))
        leaves = rest[len(inputs) : len(inputs) + len(layer.cell.state)]
        weights = dict(zip(names, rest[-len(names) :], strict=True))
        state = (layer.cell.State(*leaves),)
        y, final = functional_call(layer, weights, (x, state), further)
        return (y, *states.leaves(final))

    return function, sources
