"""A causal convolution over text, and texts that are seen in part."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

from elman.data.corpus import Corpus, Part
from elman.data.vocabulary import BOUNDARY
from elman.nn.convolutions import CausalStack
from elman.nn.tied import Tied
from elman.tasks.comparing import View
from elman.tasks.texts.measuring import predicted, score_of, token_nats

_WINDOWS, _ROWS = 4096, 512  # measured; at a time


class ConvolutionText(nn.Module):
    """A network without a recurrence: dilated convolutions over the last tokens.

    Args:
        tokens: V.
        embedding: E, the width of a token's vector.
        hidden: channels.
        steps: tokens that it sees at least.
        dropout: share dropped in each level.
    """

    def __init__(
        self, tokens: int, embedding: int, hidden: int, steps: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.causal = CausalStack(embedding, hidden, steps, dropout)
        self.words = Tied(tokens, embedding, hidden, tied=False)

    def forward(self, x: Int[Tensor, "B T"], state: Any = None) -> tuple[Tensor, Any]:
        """Logits (B, T, V) after each token of x; the state is the tokens before x."""
        kept = self.causal.reach - 1
        if state is None:
            state = x.new_full((len(x), kept), BOUNDARY)
        whole = torch.cat([state, x], 1)
        y = self.causal(self.words.embed(whole))[:, kept:]
        return self.words.logits(y), whole[:, x.shape[1] :]

    def forget(self, state: Any, _rows: Tensor) -> Any:
        """The state as it is: it ends by itself."""
        return state


@torch.no_grad()
def viewed_nats(model: nn.Module, corpus: Corpus, part: Part, view: View) -> float:
    """Nats a character of some tokens, evenly over a part, each after `view.steps` tokens alone.

    The oldest of these are shuffled, the same way for every network.
    """
    assert view.steps is not None
    first, last = predicted(part)
    at = np.unique(np.linspace(max(first, view.steps), last - 1, _WINDOWS).astype(np.int64))
    before = corpus.tokens[at[:, None] + np.arange(-view.steps, 0)].astype(np.int64)
    moved = round(view.shuffled * view.steps)
    if moved > 1:
        generator = np.random.Generator(np.random.Philox(key=[0, moved]))
        before[:, :moved] = generator.permuted(before[:, :moved], axis=1)
    truth = np.asarray(corpus.tokens[at])
    nats = []
    model.eval()
    for k in range(0, len(at), _ROWS):
        x = torch.from_numpy(before[k : k + _ROWS])
        logits, _ = model(x)
        y = torch.from_numpy(truth[k : k + _ROWS].astype(np.int64))
        nats.append(token_nats(logits[:, -1:], y[:, None])[:, 0].double().numpy())
    units = max(1, round(part.units * len(at) / (last - first)))
    return score_of(np.concatenate(nats), truth, units, corpus.vocabulary).nats
