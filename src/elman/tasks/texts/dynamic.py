"""Dynamic evaluation: the weights go on learning from the text that they have just predicted.

After Krause et al., "Dynamic evaluation of neural sequence models" (2018): each stretch is first
scored, then learnt from. Gradients are divided by the root of their mean square so far, and the
weights are drawn back to where they were. A score of this kind stands apart: other methods could
learn from the text as well.
"""

import copy
import itertools
import math

import numpy as np
import torch
from torch import Tensor, nn

from elman import state as states
from elman.data.corpus import Corpus, Part
from elman.tasks.texts.measuring import Score, predicted, score_of, token_nats

RATES = (3e-4, 1e-3, 3e-3)
"""Learning rates to choose from."""

RATE = 1e-3
_LENGTH = 50  # tokens of a stretch
_DECAY = 0.002  # of the way back to the weights that were trained, a stretch
_SMOOTH = 0.999
_CONTEXT = 1000  # tokens read, and learnt from, before those that are scored
_CHOICE = 20_000  # tokens of validation that the rate is chosen by


def choose_rate(network: nn.Module, corpus: Corpus) -> float:
    """The rate that is best on the beginning of validation; `RATE` where there is none."""
    part = corpus.validation
    if not len(part):
        return RATE
    first = Part(part.start, min(part.stop, part.start + _CHOICE), 1)
    return min(RATES, key=lambda rate: dynamic_score(network, corpus, first, rate).nats)


def dynamic_score(network: nn.Module, corpus: Corpus, part: Part, rate: float = RATE) -> Score:
    """The score of a part, learning on the way; the network itself stays as it is."""
    moving = copy.deepcopy(network).eval()
    learner = _Learner(moving, rate)
    first, last = predicted(part)
    nats = np.empty(last - first)
    begin = max(0, first - 1 - _CONTEXT)
    # Stretches end where the scored part begins, so that none lies in both.
    ends = [*range(first - 1, begin, -_LENGTH), begin][::-1]
    ends += [*range(first - 1 + _LENGTH, last - 1, _LENGTH), last - 1]
    state = None
    for start, stop in itertools.pairwise(ends):
        x = torch.from_numpy(corpus.tokens[start : stop + 1].astype(np.int64))[None]
        logits, state = moving(x[:, :-1], state)
        lost = token_nats(logits, x[:, 1:])
        if start >= first - 1:
            nats[start + 1 - first : stop + 1 - first] = lost.detach()[0].numpy()
        learner.learn(lost.mean())
        state = states.map_leaves(Tensor.detach, state)
    truth = np.asarray(corpus.tokens[first:last])
    return score_of(nats, truth, part.units, corpus.vocabulary)


class _Learner:
    """RMSprop with a way back to the weights it began with."""

    def __init__(self, network: nn.Module, rate: float) -> None:
        self._live = [p for p in network.parameters() if p.requires_grad]
        self._home = [p.detach().clone() for p in self._live]
        self._square = [torch.zeros_like(p) for p in self._live]
        self._rate, self._steps = rate, 0

    def learn(self, loss: Tensor) -> None:
        """One update."""
        self._steps += 1
        scale = 1 / math.sqrt(1 - _SMOOTH**self._steps)
        gradients = torch.autograd.grad(loss, self._live)
        with torch.no_grad():
            for p, home, square, gradient in zip(
                self._live, self._home, self._square, gradients, strict=True
            ):
                square.lerp_(gradient.square(), 1 - _SMOOTH)
                p.addcdiv_(gradient, square.sqrt().mul_(scale).add_(1e-4), value=-self._rate)
                p.lerp_(home, _DECAY)
