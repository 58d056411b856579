"""The network: an encoder in both directions, and a decoder that attends to what it found."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from elman.cells import Cell
from elman.nn import Recurrent
from elman.nn.attention import AdditiveAttention
from elman.nn.masks import scaled
from elman.nn.steps import stepper
from elman.nn.tied import Tied


class Memory(NamedTuple):
    """What is known of sources, for the decoder: made once a sentence.

    - `values`: (R, S, H), what stands at each place; `keys`: (R, S, A), how it is found.
    - `valid`: (R, S), false on padding.
    """

    values: Tensor
    keys: Tensor
    valid: Tensor

    def answers(self, attention: AdditiveAttention, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Contexts (B, T, H) and weights (B, T, S) for queries (B, T, Q).

        Several targets may share a source: B is R or a multiple of it, and the targets of one
        source are neighbours. They ask it together, so that it is never copied.
        """
        asked = queries.reshape(len(self.valid), -1, queries.shape[2])
        context, weights = attention(asked, self.keys, self.values, self.valid)
        shape = (*queries.shape[:2], -1)
        return context.reshape(shape), weights.reshape(shape)

    def asking(self, attention: AdditiveAttention) -> Callable[[Tensor], Tensor]:
        """Contexts (B, H) for one query each, (B, Q), as `answers` has them, many times."""
        rows, whole = len(self.valid), bool(self.valid.all())
        ask = attention.asking(self.keys, self.values, None if whole else self.valid)
        return lambda queries: ask(queries.view(rows, -1, queries.shape[1]))[0].flatten(0, 1)


class DecoderState(NamedTuple):
    """Between two tokens of a target: the states of both layers."""

    lower: Any
    upper: Any


class TranslationNetwork(nn.Module):
    """Logits of each next token of a target, given its source and the tokens before.

    The decoder has two layers. The lower reads the tokens of the target; its output asks the
    source; the upper reads that output beside the answer. No layer waits for the answer to the
    step before, so a whole target runs in one call of each layer, and `step` is the same step by
    step. All words share one embedding: of the source, of the target, and of the logits.

    Axes: B batch, S tokens of the source, T of the target, E width of a token's vector, H hidden.

    Args:
        cell: the recurrence of all layers.
        tokens: V, of both languages.
        embedding: E.
        hidden: H, and the width of the attention.
        layers: of the encoder.
        dropout: between layers and before the logits; input_dropout: of the vectors of tokens, the
            same entries in a whole sentence; word_dropout: of whole tokens; weight_drop: of U.
    """

    def __init__(
        self,
        cell: type[Cell],
        tokens: int,
        embedding: int,
        hidden: int,
        layers: int = 1,
        *,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        word_dropout: float = 0.0,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__()
        rates: Any = {"input_dropout": input_dropout, "weight_drop": weight_drop}
        between = dropout if layers > 1 else 0.0
        self.word_dropout = word_dropout
        self.words = Tied(tokens, embedding, embedding)
        self.scale = math.sqrt(embedding)  # logits want small entries, the recurrence large ones
        self.encoder = Recurrent(
            cell,
            embedding,
            hidden,
            layers,
            bidirectional=True,
            dropout=between,
            output_dropout=dropout,
            **rates,
        )
        self.lower = Recurrent(cell, embedding, hidden, output_dropout=dropout, **rates)
        width = self.lower.output_size
        self.join = nn.Linear(self.encoder.output_size, width)
        self.begin = nn.Linear(width, 2 * hidden)
        self.attention = AdditiveAttention(width, width, hidden)
        self.upper = Recurrent(
            cell, 2 * width, hidden, output_dropout=dropout, weight_drop=weight_drop
        )
        self.readout = nn.Linear(2 * width + embedding, embedding)
        self.dropout = nn.Dropout(dropout)

    def encode(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, " B"]
    ) -> tuple[DecoderState, Memory]:
        """What the decoder starts from: its first states, and the memory of sources.

        Args:
            source: tokens, each row ended by the boundary; what stands beyond has no influence.
            lengths: tokens of each row, the boundary among them: 1 to S.
        """
        valid = torch.arange(source.shape[1], device=source.device) < lengths[:, None]
        # One sentence is never padded; without lengths there is less to do.
        alone = len(source) == 1 and not torch.compiler.is_compiling()
        whole = alone and int(lengths[0]) == source.shape[1]
        found, _ = self.encoder(self._embed(source), lengths=None if whole else lengths)
        values = torch.tanh(self.join(found)) * valid[..., None]
        first = torch.tanh(self.begin(values.sum(1) / lengths[:, None]))
        lower, upper = first.chunk(2, -1)
        state = DecoderState(
            _with_first(self.lower.initial_state(len(source)), lower),
            _with_first(self.upper.initial_state(len(source)), upper),
        )
        return state, Memory(values, self.attention.keys(values), valid)

    def forward(
        self,
        source: Int[Tensor, "B S"],
        lengths: Int[Tensor, " B"],
        before: Int[Tensor, "B T"],
        counted: Bool[Tensor, "B T"] | None = None,
    ) -> Float[Tensor, "... V"]:
        """Logits of the token after each of `before` (B, T), the target so far.

        Args:
            before: the boundary, then the tokens of the target but the last.
            counted: where logits are wanted; the result is then (N, V), in the order of rows.
        """
        features, _, _ = self._decode(before, *self.encode(source, lengths))
        return self.words.logits(features if counted is None else features[counted])

    def step(
        self, token: Int[Tensor, " B"], state: DecoderState, memory: Memory
    ) -> tuple[Float[Tensor, "B V"], DecoderState]:
        """Log-probabilities of the next token after one of each row, and the new state.

        The memory has a row for each source: B of them, or fewer, as `Memory.answers` says.
        """
        features, state, _ = self._decode(token[:, None], state, memory)
        return torch.log_softmax(self.words.logits(features[:, 0]), -1), state

    def stepper(self) -> Callable[..., tuple[Tensor, DecoderState]]:
        """What `step` is, in evaluation and for the weights as they are now, for many steps."""
        lower, upper = stepper(self.lower), stepper(self.upper)
        words, scale, readout = self.words, self.scale, self.readout
        asked: tuple[Memory, Callable[[Tensor], Tensor]] | None = None

        def step(token: Tensor, state: DecoderState, memory: Memory) -> tuple[Tensor, DecoderState]:
            nonlocal asked
            if asked is None or asked[0] is not memory:
                asked = memory, memory.asking(self.attention)
            embedded = words.embed(token) * scale
            low, below = lower(embedded, state.lower)
            context = asked[1](low)
            high, above = upper(torch.cat([low, context], -1), state.upper)
            features = torch.tanh(readout(torch.cat([high, context, embedded], -1)))
            return torch.log_softmax(words.logits(features), -1), DecoderState(below, above)

        return step

    def attended(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, " B"], before: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T S"]:
        """How much each step of a target attends to each token of its source: sums to 1 over S."""
        return self._decode(before, *self.encode(source, lengths))[2]

    def _decode(
        self, before: Tensor, state: DecoderState, memory: Memory
    ) -> tuple[Tensor, DecoderState, Tensor]:
        """Features (B, T, E) after each token, the new state, and the attention (B, T, S)."""
        embedded = self._embed(before)
        low, lower = self.lower(embedded, state.lower)
        context, weights = memory.answers(self.attention, low)
        high, upper = self.upper(torch.cat([low, context], -1), state.upper)
        features = torch.tanh(self.readout(torch.cat([high, context, embedded], -1)))
        return self.dropout(features), DecoderState(lower, upper), weights

    def _embed(self, tokens: Tensor) -> Tensor:
        embedded = self.words.embed(tokens) * self.scale
        kept = scaled(self.word_dropout if self.training else 0.0, embedded, *tokens.shape, 1)
        return embedded if kept is None else embedded * kept


def _with_first(state: Any, value: Tensor) -> Any:
    """The state of one layer, its first tensor replaced."""
    (only,) = state
    return (type(only)(value, *only[1:]),)
