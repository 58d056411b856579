"""A translator of causal convolutions, and translators that see a part of the source."""

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from elman.data.vocabulary import BOUNDARY
from elman.nn.convolutions import CausalStack
from elman.nn.tied import Tied
from elman.tasks.comparing import View
from elman.tasks.translating.memoryless import PLACES, Memoryless, WindowState
from elman.tasks.translating.network import Memory

_BACK = 16  # tokens of a target that are seen at least


class ConvolutionNetwork(Memoryless):
    """The same task by dilated convolutions: two over the source, one from each end, and attention.

    A target's step sees the last tokens, at least 16, and attends to the source once. Both know the
    number of their place (Gehring et al., "Convolutional sequence to sequence learning", 2017).

    Args:
        tokens, embedding: V and E, as in `TranslationNetwork`.
        hidden: channels, and the width of the attention.
        steps: tokens of a source that each of its places sees at least, to each side.
        dropout: share dropped in each level and before the logits.
    """

    def __init__(
        self, tokens: int, embedding: int, hidden: int, steps: int, dropout: float = 0.0
    ) -> None:
        super().__init__(tokens, embedding, hidden, dropout)
        self.forwards = CausalStack(embedding, hidden, steps, dropout)
        self.backwards = CausalStack(embedding, hidden, steps, dropout)
        self.join = nn.Linear(2 * hidden, hidden)
        self.written = CausalStack(embedding, hidden, _BACK, dropout)

    def encode(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, " B"]
    ) -> tuple[WindowState, Memory]:
        """What the first step starts from; arguments as those of `TranslationNetwork.encode`."""
        x = self._vectors(source, lengths * 0)
        place = torch.arange(source.shape[1], device=source.device)
        valid = place < lengths[:, None]
        # Each row from its own end, so that padding comes last in both directions.
        turned = torch.where(valid, lengths[:, None] - 1 - place, place)
        wide = turned[..., None].expand(-1, -1, self.join.out_features)
        back = self.backwards(x.gather(1, turned[..., None].expand_as(x))).gather(1, wide)
        values = torch.tanh(self.join(torch.cat([self.forwards(x), back], -1)))
        values = self.dropout(values) * valid[..., None]
        memory = Memory(values, self.attention.keys(values), valid)
        last = source.new_full((len(source), self.written.reach - 1), BOUNDARY)
        return WindowState(last, lengths * 0), memory

    def _decode(
        self, before: Tensor, state: WindowState, memory: Memory
    ) -> tuple[Tensor, WindowState]:
        whole, steps = torch.cat([state.last, before], 1), before.shape[1]
        x = self._vectors(whole, state.place - state.last.shape[1])
        low = self.written(x)[:, -steps:]
        context, _ = memory.answers(self.attention, low)
        features = torch.tanh(self.readout(torch.cat([low, context], -1)))
        return self.dropout(features), WindowState(whole[:, steps:], state.place + steps)

    def _vectors(self, tokens: Tensor, first: Tensor) -> Tensor:
        """Tokens (B, T) as vectors (B, T, E), at the places from `first` (B,) on."""
        place = first[:, None] + torch.arange(tokens.shape[1], device=tokens.device)
        at: Tensor = self.places(place.clamp(0, PLACES - 1))
        return self.words.embed(tokens) * self.scale + at


class Seen(nn.Module):
    """A translator that is given the last tokens of a source alone, the oldest of them shuffled.

    In training the order is drawn anew from torch's generator; in evaluation always the same way.
    """

    def __init__(self, inner: Any, view: View) -> None:
        super().__init__()
        self.inner, self.view = inner, view

    @property
    def words(self) -> Tied:
        """Of the network within."""
        found: Tied = self.inner.words
        return found

    def encode(self, source: Tensor, lengths: Tensor) -> Any:
        """As `TranslationNetwork.encode`."""
        return self.inner.encode(*self.shown(source, lengths))

    def forward(
        self, source: Tensor, lengths: Tensor, before: Tensor, counted: Tensor | None = None
    ) -> Tensor:
        """As `TranslationNetwork.forward`."""
        found: Tensor = self.inner(*self.shown(source, lengths), before, counted)
        return found

    def step(self, token: Tensor, state: Any, memory: Memory) -> Any:
        """As `TranslationNetwork.step`."""
        return self.inner.step(token, state, memory)

    def stepper(self) -> Any:
        """As `TranslationNetwork.stepper`."""
        return self.inner.stepper()

    def shown(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, " B"]
    ) -> tuple[Tensor, Tensor]:
        """What is seen of sources, each ended by its boundary, and the new lengths."""
        kept = (lengths - 1).clamp(max=self.view.steps)
        place = torch.arange(int(kept.max()) + 1, device=source.device).expand(len(source), -1)
        moved = torch.round(self.view.shuffled * kept)[:, None]
        generator = None if self.training else torch.Generator().manual_seed(0)
        drawn = torch.rand(place.shape, generator=generator).to(source.device)
        order = torch.where(place < moved, drawn, 1.0 + place).argsort(1)
        at = (lengths - 1 - kept)[:, None] + order
        return source.gather(1, at.clamp(max=source.shape[1] - 1)), kept + 1
