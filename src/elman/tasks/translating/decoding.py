"""From sentences to sentences by a network in torch; `elman_runtime.translating` knows the rest."""

from collections.abc import Sequence

import torch

from elman.data.vocabulary import BOUNDARY, Tokens, Vocabulary
from elman.nn.search import Hypothesis, beam_search
from elman.tasks.translating.batches import padded
from elman.tasks.translating.memoryless import WindowNetwork
from elman.tasks.translating.network import TranslationNetwork
from elman_runtime import translating
from elman_runtime.translating import Searching, Translation, decode, encode, pieces, tidy

__all__ = [
    "Searching",
    "Translation",
    "Translator",
    "decode",
    "encode",
    "pieces",
    "tidy",
    "translate",
]

Translator = TranslationNetwork | WindowNetwork
"""What can be searched: it has `encode` and `stepper`."""


def translate(
    network: Translator, vocabulary: Vocabulary, lines: Sequence[str], how: Searching
) -> list[list[Translation]]:
    """The translations of each line, the best first: `elman_runtime.translating.translate`."""
    return translating.translate(
        lambda sources, how: _search(network, sources, how), vocabulary, lines, how
    )


@torch.no_grad()
def _search(
    network: Translator, sources: Sequence[Tokens], how: Searching
) -> list[list[Hypothesis]]:
    device = network.words.weight.device
    source, lengths = (t.to(device) for t in padded([[*one, BOUNDARY] for one in sources]))
    state, memory = network.encode(source, lengths)
    return beam_search(
        network.stepper(),
        state,
        shared=memory,
        start=BOUNDARY,
        end=BOUNDARY,
        most=translating.most(sources, how),
        beam=how.beam,
        length_penalty=how.length_penalty,
        n_best=how.n_best,
    )
