"""Settings that are tried: the same for every network."""

import dataclasses
from typing import NamedTuple

import numpy as np

from elman.compare.settings import DROPOUTS, RATES, SHARES


class Draw(NamedTuple):
    """One setting: learning rate, share of the parameters, dropout."""

    lr: float
    share: float
    dropout: float


@dataclasses.dataclass(frozen=True)
class Tried:
    """A setting, and what it came to on validation."""

    draw: Draw
    score: float


def draws(count: int, lr: float, dropout: float, seed: int) -> list[Draw]:
    """The defaults, and `count` - 1 others, drawn by the seed."""
    generator = np.random.Generator(np.random.Philox(key=[seed, 2]))
    found = [Draw(lr, 1.0, dropout)]
    low, high = np.log(RATES)
    for _ in range(count - 1):
        rate = lr * float(np.exp(generator.uniform(low, high)))
        share = SHARES[int(generator.integers(len(SHARES)))]
        found.append(Draw(float(f"{rate:.2g}"), share, round(generator.uniform(*DROPOUTS), 2)))
    return found
