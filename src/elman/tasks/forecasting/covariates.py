"""What is known beside the values: how it enters the network, without influence at first."""

import torch
from torch import Tensor, nn

from elman.nn.baselines import zero_

Known = tuple[Tensor | None, ...]
"""hist (B, L, Eh), futr (B, L + K, Ef) and static (B, Es), each None where there is none."""


def checked(sizes: tuple[int, int, int], known: Known) -> Known:
    """hist, futr and static themselves; `sizes` is how many of each there must be.

    Raises:
        ValueError: one is missing, or too much.
    """
    for name, size, one in zip(("hist", "futr", "static"), sizes, known, strict=True):
        found = 0 if one is None else one.shape[-1]
        if found != size:
            raise ValueError(
                f"{name} must have {size} covariates; got {found}; give what the network was "
                "built for"
            )
    return tuple(one if size else None for size, one in zip(sizes, known, strict=True))


def regression(effect: nn.Module | None, known: Known, window: int) -> Tensor | None:
    """What covariates known ahead explain (B, L + K), as a difference from the last value.

    Args:
        effect: a linear map of them to one number; None where there are none.
    """
    if effect is None or known[1] is None:
        return None
    explained: Tensor = effect(known[1])[..., 0]
    return explained - explained[:, window - 1 : window]


class Covariates(nn.Module):
    """Covariates as inputs of the segments, of the questions, and of a regression.

    The regression takes from the window what the covariates known ahead explain at once and puts
    it back into the forecast: what is left is forecast by the network, which sees them as well.

    Args:
        segment: S, values in a step of the recurrence.
        hidden: units of a layer.
        n_hist, n_futr, n_stat: how many of each kind; 0 for none.
    """

    def __init__(self, segment: int, hidden: int, n_hist: int, n_futr: int, n_stat: int) -> None:
        super().__init__()
        self.segment = segment
        self.sizes = (n_hist, n_futr, n_stat)
        seen = segment * (n_hist + n_futr)
        self.seen = zero_(nn.Linear(seen, hidden)) if seen else None
        self.ahead = zero_(nn.Linear(segment * n_futr, hidden)) if n_futr else None
        self.static = zero_(nn.Linear(n_stat, hidden)) if n_stat else None
        self.effect = zero_(nn.Linear(n_futr, 1)) if n_futr else None

    def checked(self, *known: Tensor | None) -> Known:
        """hist, futr and static themselves. Raises ValueError where one is missing or too much."""
        return checked(self.sizes, known)

    def regression(self, known: Known, window: int) -> Tensor | None:
        """What covariates known ahead explain (B, L + K), as a difference from the last value."""
        return regression(self.effect, known, window)

    def of_window(self, known: Known, window: int, seen: int) -> Tensor | None:
        """What is added to the segments of the window (B, segments, H)."""
        hist, futr, static = known
        found: Tensor | None = None
        if self.seen is not None:
            both = [one[:, :window] for one in (hist, futr) if one is not None]
            found = self.seen(self._cut(torch.cat(both, -1)[:, window - seen :]))
        return self._with_static(found, static)

    def of_forecast(self, known: Known, h: int, asked: int) -> Tensor | None:
        """What is added to the questions (B, segments, H)."""
        _, futr, static = known
        found: Tensor | None = None
        if self.ahead is not None and futr is not None:
            missing = asked * self.segment - h
            rest = nn.functional.pad(futr[:, futr.shape[1] - h :], (0, 0, 0, missing))
            found = self.ahead(self._cut(rest))
        return self._with_static(found, static)

    def _cut(self, values: Tensor) -> Tensor:
        return values.reshape(len(values), -1, self.segment * values.shape[-1])

    def _with_static(self, found: Tensor | None, static: Tensor | None) -> Tensor | None:
        if self.static is None or static is None:
            return found
        fixed: Tensor = self.static(static)[:, None]
        return fixed if found is None else found + fixed
