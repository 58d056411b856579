"""A mean, and how far it may be off."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Student's t at 97.5 %, by degrees of freedom from 1 up.
_T: tuple[float, ...] = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
_T += (2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086)
_NORMAL = 1.960


@dataclass(frozen=True)
class Mean:
    """The mean of some numbers, and the half width of its 95 % interval; None of one number."""

    value: float
    half: float | None

    def text(self, decimals: int = 3) -> str:
        """As in `0.842 ± 0.011`."""
        more = "" if self.half is None else f" ± {self.half:.{decimals}f}"
        return f"{self.value:,.{decimals}f}{more}"


def student(freedom: int) -> float:
    """The factor of a 95 % interval, from 1 degree of freedom up."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    # Cornish and Fisher's first term: within 0.2 % from 20 on.
    return _NORMAL + (_NORMAL**3 + _NORMAL) / (4 * freedom)


def mean(values: Sequence[float]) -> Mean:
    """The mean of at least one number, with Student's interval."""
    count = len(values)
    centre = math.fsum(values) / count
    if count < 2:
        return Mean(centre, None)
    spread = math.sqrt(math.fsum((v - centre) ** 2 for v in values) / (count - 1))
    return Mean(centre, student(count - 1) * spread / math.sqrt(count))


def difference(first: Sequence[float], second: Sequence[float]) -> Mean:
    """The mean of `first` less that of `second`, of the same seeds, pair by pair.

    One number alone, as of a baseline that has no seeds, stands against each.
    """
    if len(first) != len(second):
        first, second = _stretched(first, len(second)), _stretched(second, len(first))
    return mean([a - b for a, b in zip(first, second, strict=True)])


def _stretched(values: Sequence[float], count: int) -> Sequence[float]:
    return [values[0]] * count if len(values) == 1 else values
