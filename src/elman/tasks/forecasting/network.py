"""The network: a linear map of the window and, beside it, a recurrence over its segments."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from elman.cells import Cell
from elman.nn import Recurrent
from elman.nn.baselines import naive_, zero_
from elman.state import map_leaves


class SegmentNetwork(nn.Module):
    """Forecasts h steps from a window of L, each window on its own scale.

    The window is cut into segments, which are the steps of the recurrence (L / S of them instead
    of L). From its last state every segment of the forecast is decoded at once: one more step of
    the same layers, fed with a learned vector that says which segment is meant. Added to a linear
    map of the window, and starting at zero, so that training begins at a naive forecast.

    After SegRNN (Lin et al., "SegRNN: Segment Recurrent Neural Network for Long-Term Time Series
    Forecasting", 2023), section 4; without its channel embeddings, and with the linear map.

    Args:
        cell: the recurrence.
        window: L, values seen.
        h: K, values forecast.
        segment: S, values in a step of the recurrence; at most L and at most K.
        hidden: units of a layer.
        layers: of the recurrence.
        dropout: share dropped between layers and before the head.
        season: where the linear map starts: at the values so many steps ago; 0: at the last value.

    Example:
        >>> from elman.cells import GRU
        >>> net = SegmentNetwork(GRU, window=48, h=12, segment=6, hidden=8)
        >>> net(torch.zeros(2, 48)).shape
        torch.Size([2, 12])
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
    ) -> None:
        super().__init__()
        self.h, self.segment = h, segment
        # The segments end with the window; what does not fill one is left to the linear map.
        self.seen = window // segment * segment
        self.linear = naive_(nn.Linear(window, h), season)
        self.embed = nn.Linear(segment, hidden)
        between = dropout if layers > 1 else 0.0
        self.recurrent = Recurrent(cell, hidden, hidden, layers, dropout=between)
        self.position = nn.Parameter(0.1 * torch.randn(-(-h // segment), hidden))
        self.dropout = nn.Dropout(dropout)
        self.head = zero_(nn.Linear(self.recurrent.output_size, segment))

    def forward(self, x: Float[Tensor, "B L"]) -> Float[Tensor, "B K"]:
        """From windows (B, L) to forecasts (B, K)."""
        out: Tensor = self.linear(x) + self._decode(self._encode(x), len(x))
        return out

    def _encode(self, x: Tensor) -> object:
        segments = x[:, x.shape[1] - self.seen :].reshape(len(x), -1, self.segment)
        _, state = self.recurrent(torch.relu(self.embed(segments)))
        return state

    def _decode(self, state: object, batch: int) -> Tensor:
        """Each row of the batch once for every segment of the forecast."""
        asked = self.position.shape[0]
        repeated = _repeat(state, asked)
        question = self.position.repeat(batch, 1)[:, None]
        y, _ = self.recurrent(question, repeated)
        parts = self.head(self.dropout(y[:, 0]))
        return parts.reshape(batch, asked * self.segment)[:, : self.h]  # type: ignore[no-any-return]


def _repeat(state: object, times: int) -> object:
    return map_leaves(lambda leaf: leaf.repeat_interleave(times, 0), state)
