"""How a comparison is made."""

from dataclasses import dataclass
from typing import Literal, get_args

Match = Literal["parameters", "time"]

SHARES = (0.25, 0.5, 1.0)
"""Of the parameters, among which tuning chooses."""
RATES = (0.2, 5.0)
"""Times the learning rate, between which tuning draws."""
DROPOUTS = (0.0, 0.5)
_LEAST = {"seeds": 1, "tune": 1, "curve_seeds": 0}


@dataclass(frozen=True)
class CompareSettings:
    """How networks are compared.

    - `seeds`: trainings of each network, from as many starts.
    - `tune`: settings that are tried for each network, the same for all: the defaults, and others
      of learning rate, size and dropout, drawn by the seed. Validation chooses.
    - `match`: parameters: as many parameters and as many steps of training; time: as many
      parameters and as many seconds of training as the first cell takes.
    - `curve_seeds`: trainings for each point of the curves, which show the quality with fewer steps
      seen and with their order shuffled; 0 for no curves.
    """

    seeds: int = 3
    tune: int = 1
    match: Match = "parameters"
    curve_seeds: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError naming the field, the rule, what came and the repair."""
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be a whole number; got {value!r}; give {least} or up")
            if value < least:
                raise ValueError(f"{name} must be {least} or more; got {value}; raise it")
        if self.match not in get_args(Match):
            words = " or ".join(get_args(Match))
            raise ValueError(f"match must be {words}; got {self.match!r}; choose one")
