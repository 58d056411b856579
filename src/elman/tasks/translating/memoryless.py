"""A translator without a memory, to stand beside the recurrent one: windows and attention."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from elman.data.vocabulary import BOUNDARY
from elman.nn.attention import AdditiveAttention
from elman.nn.tied import Tied
from elman.tasks.translating.network import Memory

PLACES = 256
"""Places that have vectors of their own; those beyond share the last."""


class WindowState(NamedTuple):
    """The last tokens of a target (B, W), and how many were written (B,)."""

    last: Tensor
    place: Tensor


class Memoryless(nn.Module):
    """What translators without recurrence share: embeddings of tokens and places, attention, head.

    Args:
        tokens, embedding: V and E, as in `TranslationNetwork`.
        hidden: H, of what reads and writes, and the width of the attention.
        dropout: before the logits.
    """

    def __init__(self, tokens: int, embedding: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.words = Tied(tokens, embedding, embedding)
        self.scale = math.sqrt(embedding)
        self.places = nn.Embedding(PLACES, embedding)
        self.attention = AdditiveAttention(hidden, hidden, hidden)
        self.readout = nn.Linear(2 * hidden, embedding)
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.places.weight, std=embedding**-0.5)

    def encode(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, " B"]
    ) -> tuple[WindowState, Memory]:
        """What the first step starts from; arguments as those of `TranslationNetwork.encode`."""
        raise NotImplementedError

    def forward(
        self,
        source: Int[Tensor, "B S"],
        lengths: Int[Tensor, " B"],
        before: Int[Tensor, "B T"],
        counted: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "... V"]:
        """As `TranslationNetwork.forward`."""
        features, _ = self._decode(before, *self.encode(source, lengths))
        return self.words.logits(features if counted is None else features[counted])

    def step(
        self, token: Int[Tensor, " B"], state: WindowState, memory: Memory
    ) -> tuple[Float[Tensor, "B V"], WindowState]:
        """As `TranslationNetwork.step`."""
        features, state = self._decode(token[:, None], state, memory)
        return torch.log_softmax(self.words.logits(features[:, 0]), -1), state

    def stepper(self) -> Callable[..., tuple[Tensor, WindowState]]:
        """What `step` is, for many of them."""
        return self.step

    def _decode(
        self, before: Tensor, state: WindowState, memory: Memory
    ) -> tuple[Tensor, WindowState]:
        """Features (B, T, E) of the steps after `before` (B, T), and the state after them."""
        raise NotImplementedError


class WindowNetwork(Memoryless):
    """The same task without recurrence: each token is seen with the two on both sides.

    A source's places are windows of 5 tokens; a target's step sees the last 5 and attends to the
    source once. Both know the number of their place.

    Args:
        tokens, embedding: V and E, as in `TranslationNetwork`.
        hidden: H, of the layers over windows, and the width of the attention.
    """

    WIDTH = 5

    def __init__(self, tokens: int, embedding: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__(tokens, embedding, hidden, dropout)
        self.read = nn.Linear(self.WIDTH * embedding, hidden)
        self.written = nn.Linear(self.WIDTH * embedding, hidden)

    def encode(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, " B"]
    ) -> tuple[WindowState, Memory]:
        """What the first step starts from; arguments as those of `TranslationNetwork.encode`."""
        valid = torch.arange(source.shape[1], device=source.device) < lengths[:, None]
        source = source.masked_fill(~valid, BOUNDARY)
        edge = source.new_full((len(source), self.WIDTH // 2), BOUNDARY)
        windows = torch.cat([edge, source, edge], 1).unfold(1, self.WIDTH, 1)
        values = self.dropout(torch.relu(self.read(self._vectors(windows, lengths * 0))))
        memory = Memory(values, self.attention.keys(values), valid)
        last = source.new_full((len(source), self.WIDTH - 1), BOUNDARY)
        return WindowState(last, lengths * 0), memory

    def _decode(
        self, before: Tensor, state: WindowState, memory: Memory
    ) -> tuple[Tensor, WindowState]:
        whole = torch.cat([state.last, before], 1)
        vectors = self._vectors(whole.unfold(1, self.WIDTH, 1), state.place)
        low = self.dropout(torch.relu(self.written(vectors)))
        context, _ = memory.answers(self.attention, low)
        features = torch.tanh(self.readout(torch.cat([low, context], -1)))
        steps = before.shape[1]
        return self.dropout(features), WindowState(whole[:, steps:], state.place + steps)

    def _vectors(self, windows: Tensor, first: Tensor) -> Tensor:
        """Windows (B, T, W) as vectors (B, T, W * E), at the places from `first` (B,) on."""
        embedded = self.words.embed(windows) * self.scale
        place = first[:, None] + torch.arange(windows.shape[1], device=windows.device)
        at: Tensor = self.places(place.clamp(max=PLACES - 1))
        return (embedded + at[:, :, None]).flatten(2)

    @staticmethod
    def hidden_for(parameters: int, tokens: int, embedding: int) -> int:
        """The hidden units with which it has about so many parameters, at least 1."""
        left = parameters - (tokens + PLACES) * embedding - tokens
        linear = 2 * WindowNetwork.WIDTH * embedding + 2 * embedding + 4
        # 2 H^2 + linear H = left
        return max(1, round((-linear + math.sqrt(linear**2 + 8 * max(0, left))) / 4))
