"""Networks that forecasters are compared with, and a view that hides or shuffles the window."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.nn.baselines import LinearMap, naive_, zero_
from elman.nn.convolutions import CausalStack
from elman.tasks.comparing import View
from elman.tasks.forecasting.linear_start import (
    MOST_WINDOWS,
    PENALTIES,
    Alone,
    Equations,
    Start,
    solve,
)
from elman.tasks.forecasting.splits import Part, Shape
from elman.tasks.forecasting.windows import Validation, Windows


class ConvolutionNetwork(nn.Module):
    """The linear map of the recurrent network and, beside it, a causal convolution over segments.

    Args:
        window: L, values seen.
        h: K, values forecast.
        segment: S, values in a step.
        hidden: channels.
        dropout: share dropped in each level and before the head.
        season: where the linear map starts, as in `SegmentNetwork`.
    """

    def __init__(
        self, window: int, h: int, segment: int, hidden: int, dropout: float, season: int
    ) -> None:
        super().__init__()
        self.segment, self.seen = segment, window // segment * segment
        self.linear = naive_(LinearMap(window, h), season)
        self.causal = CausalStack(segment, hidden, window // segment, dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = zero_(nn.Linear(hidden, h))

    def forward(self, x: Float[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        """From windows (B, L) to forecasts (B, K)."""
        segments = x[:, x.shape[1] - self.seen :].reshape(len(x), -1, self.segment)
        y = self.causal(segments)[:, -1]
        out: Tensor = self.linear(x) + self.head(self.dropout(y))
        return out


class Seen(nn.Module):
    """A network that is given the last steps of a window alone, the oldest of them shuffled.

    In training the order is drawn anew from torch's generator; in evaluation always the same way.
    What is known of covariates keeps its place.
    """

    def __init__(self, inner: nn.Module, window: int, h: int, segment: int, view: View) -> None:
        super().__init__()
        self.inner, self.window, self.h, self.segment = inner, window, h, segment
        steps = window // segment
        self.moved = min(steps, round(view.shuffled * steps))

    def forward(
        self,
        x: Float[Tensor, "B L"],
        hist: Tensor | None = None,
        futr: Tensor | None = None,
        static: Tensor | None = None,
    ) -> Tensor:
        """From whole windows (B, L) to forecasts (B, K)."""
        x = self.shown(x)
        if hist is None and futr is None and static is None:
            out: Tensor = self.inner(x)
            return out
        hist = None if hist is None else hist[:, -self.window :]
        futr = None if futr is None else futr[:, -(self.window + self.h) :]
        known: Tensor = self.inner(x, hist, futr, static)
        return known

    def shown(self, x: Float[Tensor, "B L"]) -> Float[Tensor, "B W"]:
        """What is seen of windows: their end, shuffled."""
        x = x[:, -self.window :]
        if self.moved < 2:
            return x
        first = x.shape[1] % self.segment
        generator = None if self.training else torch.Generator().manual_seed(0)
        order = torch.rand(len(x), self.moved, generator=generator).argsort(1)
        end = first + self.moved * self.segment
        segments = x[:, first:end].reshape(len(x), self.moved, self.segment)
        drawn = segments.gather(1, order[..., None].expand_as(segments))
        return torch.cat([x[:, :first], drawn.flatten(1), x[:, end:]], 1)


def start_of(parts: list[Part], shape: Shape, view: View) -> Start:
    """The linear map that networks of a view begin at: the best for what it shows."""
    if not view.shuffled:
        return solve(parts, shape)
    batch = Windows(parts, shape, 1, seed=0).some(MOST_WINDOWS)
    seen = _seen(nn.Identity(), shape, view)
    equations = Equations.of(batch._replace(x=seen.shown(batch.x)), shape)
    error_of, found = Validation(parts, shape), []
    for penalty in PENALTIES:
        linear = equations.solved(penalty)
        found.append(Start(linear, penalty, error_of(_seen(Alone(linear), shape, view))))
    return min(found, key=lambda start: start.error)


def _seen(inner: nn.Module, shape: Shape, view: View) -> Seen:
    return Seen(inner, shape.window, shape.h, shape.segment, view).eval()
