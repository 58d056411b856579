"""The network: a linear map of the window and, beside it, a recurrence over its segments."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.cells import Cell
from elman.nn import Recurrent
from elman.nn.baselines import LinearMap, naive_, zero_
from elman.state import map_leaves
from elman.tasks.forecasting.covariates import Covariates
from elman.tasks.forecasting.spread import Spread

if TYPE_CHECKING:
    from elman.nn.builder import Builder, Value


class SegmentNetwork(nn.Module):
    """Forecasts h steps from a window of L, each window on its own scale.

    The window is cut into segments, which are the steps of the recurrence (L / S of them instead
    of L). From its last state every segment of the forecast is decoded at once: one more step of
    the same layers, fed with a learned vector that says which segment is meant. Added to a linear
    map of the window, and starting at zero, so that training begins at a naive forecast.

    After SegRNN (Lin et al., "SegRNN: Segment Recurrent Neural Network for Long-Term Time Series
    Forecasting", 2023), section 4; without its channel embeddings, and with the linear map.

    Axes: B batch, L window, K = h, P = L + K, Q quantiles; Eh, Ef, Es covariates.

    Args:
        cell: the recurrence.
        window: L, values seen.
        h: K, values forecast.
        segment: S, values in a step of the recurrence; at most L and at most K.
        hidden: units of a layer.
        layers: of the recurrence.
        dropout: share dropped between layers and before the head.
        season: where the linear map starts: at the values so many steps ago; 0: at the last value.
        quantiles: probabilities, ascending, whose quantiles are forecast beside the value.
        n_hist: Eh, covariates that are known as far as the values are.
        n_futr: Ef, covariates that are known for the forecast too.
        n_stat: Es, covariates that do not change.
        clip_steps: longest gradient of a state at a step, see `Recurrent`.

    Example:
        >>> from elman.cells import GRU
        >>> net = SegmentNetwork(GRU, window=48, h=12, segment=6, hidden=8, quantiles=(0.1, 0.9))
        >>> net(torch.zeros(2, 48)).shape
        torch.Size([2, 12, 3])
    """

    def __init__(
        self,
        cell: type[Cell],
        window: int,
        h: int,
        segment: int,
        hidden: int,
        layers: int = 1,
        dropout: float = 0.0,
        season: int = 0,
        *,
        quantiles: tuple[float, ...] = (),
        n_hist: int = 0,
        n_futr: int = 0,
        n_stat: int = 0,
        clip_steps: float | None = None,
    ) -> None:
        super().__init__()
        self.h, self.segment = h, segment
        # The segments end with the window; what does not fill one is left to the linear map.
        self.seen = window // segment * segment
        self.linear = naive_(LinearMap(window, h), season)
        self.embed = nn.Linear(segment, hidden)
        between = dropout if layers > 1 else 0.0
        self.recurrent = Recurrent(
            cell, hidden, hidden, layers, dropout=between, clip_steps=clip_steps
        )
        self.position = nn.Parameter(0.1 * torch.randn(-(-h // segment), hidden))
        self.dropout = nn.Dropout(dropout)
        self.head = zero_(nn.Linear(self.recurrent.output_size, segment))
        self.covariates = Covariates(segment, hidden, n_hist, n_futr, n_stat)
        self.spread = Spread(self.recurrent.output_size, segment, quantiles) if quantiles else None

    def forward(
        self,
        x: Float[Tensor, "B L"],
        hist: Float[Tensor, "B L Eh"] | None = None,
        futr: Float[Tensor, "B P Ef"] | None = None,
        static: Float[Tensor, "B Es"] | None = None,
    ) -> Float[Tensor, "B K"] | Float[Tensor, "B K 1+Q"]:
        """From windows (B, L) to forecasts (B, K); with quantiles (B, K, 1 + Q), the value first.

        Raises:
            ValueError: a covariate that the network was built for is missing, or one that it was
                not.
        """
        known = self.covariates.checked(hist, futr, static)
        moved = self.covariates.regression(known, x.shape[1])
        residual = x if moved is None else x - moved[:, : x.shape[1]]
        decoded = self._decode(self._encode(residual, known), known)
        value: Tensor = self.linear(residual) + self._joined(self.head(decoded))
        if moved is not None:
            value = value + moved[:, x.shape[1] :]
        if self.spread is None:
            return value
        apart = self.spread(decoded).reshape(len(x), -1, self.spread.count)[:, : self.h]
        # The quantiles hold on to the value; where they lie must not pull at it.
        return torch.cat([value[..., None], value.detach()[..., None] + apart], -1)

    def lower(self, b: "Builder", x: "Value") -> "Value":
        """Windows (L,) to forecasts (K,) or (K, 1 + Q) in a program; no covariates."""
        window, count = int(x.shape[0]), self.position.shape[0]
        cut = b.slice(x, window - self.seen, window)
        segments = b.reshape(cut, self.seen // self.segment, self.segment)
        entered = b.apply("relu", b.lower(self.embed, segments, name="embed"))
        _, state = b.lower(self.recurrent, entered, name="recurrent")
        question = b.constant("position", self.position)
        with b.inside("recurrent"):
            decoded, _ = self.recurrent.lower_step(b, question, state)
        parts = b.reshape(b.lower(self.head, decoded, name="head"), count * self.segment)
        linear = b.lower(self.linear, x, name="linear")
        value = b.apply("add", linear, b.slice(parts, 0, self.h))
        if self.spread is None:
            return value
        apart = b.lower(self.spread, decoded, name="spread")
        apart = b.reshape(apart, count * self.segment, self.spread.count)
        value = b.reshape(value, self.h, 1)
        apart = b.slice(apart, 0, self.h, axis="first")
        return b.concat(value, b.apply("add", value, apart))

    def _encode(self, x: Tensor, known: tuple[Tensor | None, ...]) -> object:
        segments = x[:, x.shape[1] - self.seen :].reshape(len(x), -1, self.segment)
        entered = self.embed(segments)
        extra = self.covariates.of_window(known, x.shape[1], self.seen)
        _, state = self.recurrent(torch.relu(entered if extra is None else entered + extra))
        return state

    def _decode(self, state: object, known: tuple[Tensor | None, ...]) -> Tensor:
        """Each row of the batch once for every segment of the forecast: (B, segments, O)."""
        asked = self.position.shape[0]
        question = self.position[None]
        extra = self.covariates.of_forecast(known, self.h, asked)
        question = question if extra is None else question + extra
        repeated = map_leaves(lambda leaf: leaf.repeat_interleave(asked, 0), state)
        batch = len(_first_leaf(repeated)) // asked
        rows = question.expand(batch, -1, -1).reshape(batch * asked, 1, -1)
        y, _ = self.recurrent(rows, repeated)
        out: Tensor = self.dropout(y[:, 0]).reshape(batch, asked, -1)
        return out

    def _joined(self, parts: Tensor) -> Tensor:
        return parts.flatten(1)[:, : self.h]


def _first_leaf(state: object) -> Tensor:
    while isinstance(state, tuple):
        state = state[0]
    assert isinstance(state, Tensor)
    return state
