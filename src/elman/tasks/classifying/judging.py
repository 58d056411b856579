"""Judgement of a running text, word by word, in constant memory: the network's program, run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from elman.nn import Builder, CannotStore
from elman.tasks.classifying.fitted import Fitted
from elman.tasks.classifying.measuring import probabilities
from elman.tasks.classifying.programs import programs_of
from elman.trace import TraceError
from elman_runtime.classify import Judge, steps_of
from elman_runtime.program import runner

__all__ = ["Judge", "judge_of"]

Array = np.ndarray[Any, np.dtype[Any]]


def judge_of(fitted: Fitted, several: bool) -> Judge:
    """A judge of one text, at its beginning; torch itself where the cell has no tape."""
    assert fitted.reader.lexicon is not None
    builder, classes = Builder(), fitted.reader.classes
    try:
        programs = programs_of(fitted.network, fitted.temperature, several, builder)
    except (CannotStore, TraceError):
        return Judge(classes, fitted.reader.lexicon, _in_torch(fitted, several))
    steps = runner(programs["step"], builder.tensors, builder.tapes)
    return Judge(classes, fitted.reader.lexicon, steps_of(steps, len(classes)))


def _in_torch(fitted: Fitted, several: bool) -> Callable[[Array], Array]:
    network, state = fitted.network.eval(), fitted.network.initial_state(1)

    @torch.no_grad()
    def advance(token: Array) -> Array:
        nonlocal state
        logits, state = network.step(torch.from_numpy(token[None]), state)
        found: Array = probabilities(logits.double().numpy(), several, fitted.temperature)[0]
        return found

    return advance
