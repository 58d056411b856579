"""The network: embedding, recurrence, logits; and its slower or memoryless relations."""

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from elman import state as states
from elman.cells import Cell
from elman.data.vocabulary import BOUNDARY
from elman.nn import Recurrent
from elman.nn.tied import Tied

if TYPE_CHECKING:
    from elman.nn.builder import Builder, Value


class LanguageNetwork(nn.Module):
    """Logits of the next token, and a state of constant size.

    A boundary token starts the state anew: rows of packed documents equal the documents apart.

    Args:
        cell: the recurrence.
        tokens: V, how many there are.
        embedding: E, the width of a token's vector.
        hidden, layers: of the recurrence.
        dropout: after each layer; input_dropout: of the embedding; weight_drop: of U.
        clip_steps: longest gradient of a state at a step, see `Recurrent`.
        tied: share the embedding's weights with the output layer where E = hidden.
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
        weight_drop: float = 0.0,
        clip_steps: float | None = None,
        tied: bool = True,
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(
            cell,
            embedding,
            hidden,
            layers,
            dropout=dropout if layers > 1 else 0.0,
            output_dropout=dropout,
            input_dropout=input_dropout,
            weight_drop=weight_drop,
            clip_steps=clip_steps,
        )
        self.words = Tied(tokens, embedding, self.recurrent.output_size, tied)

    def forward(
        self, x: Int[Tensor, "B T"], state: Any = None
    ) -> tuple[Float[Tensor, "B T V"], Any]:
        """Logits after each token of x, and the new state; T is at least 1."""
        state = self.recurrent.initial_state(len(x)) if state is None else state
        masks = self.recurrent.draw_masks(*x.shape) if self.training else None
        boundary = x == BOUNDARY
        # Most batches have none, and a plain call has the widest choice of engines.
        reset = boundary if bool(boundary.any()) else None
        y, state = self.recurrent(self.words.embed(x), state, reset=reset, masks=masks)
        return self.words.logits(y), state

    def step(self, x: Int[Tensor, " B"], state: Any) -> tuple[Float[Tensor, "B V"], Any]:
        """Logits after one token of each row, and the new state; in evaluation mode."""
        state = self._anew(x == BOUNDARY, state)
        y, state = self.recurrent.step(self.words.embed(x), state)
        return self.words.logits(y), state

    def lower(self, builder: "Builder", tokens: "Value") -> "Value":
        """Tokens (T,) to logits (T, V) as operations of a program, which knows no boundaries."""
        with builder.inside("words"):
            embedded = self.words.lower_embed(builder, tokens)
        y, _ = builder.lower(self.recurrent, embedded, name="recurrent")
        with builder.inside("words"):
            logits: Value = self.words.lower_logits(builder, y)
        return logits

    def _anew(self, where: Tensor, state: Any) -> Any:
        """The state with the rows (B,) that start anew at their start."""
        if not bool(where.any()):
            return state
        return states.where(where, self.recurrent.initial_state(len(where)), state)

    def forget(self, state: Any, rows: Tensor) -> Any:
        """The state with `rows`, a mask (B,), started anew."""
        return self._anew(rows, state)


class Window(nn.Module):
    """A network without a memory: the last W tokens, one hidden layer, logits of the next."""

    WIDTH = 16

    def __init__(
        self, tokens: int, embedding: int, hidden: int, dropout: float = 0.0, width: int = WIDTH
    ) -> None:
        super().__init__()
        self.width = width
        self.embed = nn.Embedding(tokens, embedding)
        self.inner = nn.Linear(width * embedding, hidden)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(hidden, tokens)

    def forward(self, x: Int[Tensor, "B T"], state: Any = None) -> tuple[Tensor, Any]:
        """Logits (B, T, V) after each token of x; the state is the tokens before x (B, W - 1)."""
        if state is None:
            state = x.new_full((len(x), self.width - 1), BOUNDARY)
        whole = torch.cat([state, x], 1)
        windows = self.embed(whole).unfold(1, self.width, 1).transpose(2, 3).flatten(2)
        found = self.outer(self.dropout(torch.relu(self.inner(windows))))
        return found, whole[:, x.shape[1] :]

    def forget(self, state: Any, _rows: Tensor) -> Any:
        """The state as it is: it ends by itself."""
        return state

    @staticmethod
    def hidden_for(parameters: int, tokens: int, embedding: int) -> int:
        """The hidden units with which it has about so many parameters, at least 1."""
        left = parameters - tokens * embedding - tokens
        return max(1, round(left / (Window.WIDTH * embedding + 1 + tokens)))
