"""The scores of a bag of words beside those of a network: how much they count."""

from typing import Any

import numpy as np

from elman.tasks.classifying.measuring import best_temperature, doubtful_loss

_SHARES = np.linspace(0.05, 0.95, 19)
_TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(1.3), 20))


def best_factor(network: Any, words: Any, flags: Any, several: bool) -> float:
    """How many times the scores of words are added to a network's, for the least loss; 0 for none.

    What is blended are calibrated logits, as Wolpert (1992) stacks models: a share of one and the
    rest of the other, on examples that neither was trained on.

    Args:
        network, words: logits (N, C) of both, on validation.
        flags: which classes are true: (N, C).
    """
    if not len(flags):
        return 0.0
    warm, cold = (best_temperature(one, flags, several) for one in (network, words))

    def loss(share: float) -> float:
        logits = (1 - share) * network / warm + share * words / cold
        return min(doubtful_loss(logits / t, flags, several) for t in _TEMPERATURES.tolist())

    losses = [loss(share) for share in _SHARES.tolist()]
    if min(losses) >= loss(0.0):
        return 0.0
    share = float(_SHARES[int(np.argmin(losses))])
    return share / (1 - share) * warm / cold
