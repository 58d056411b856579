"""The probability of a given text, token by token, as numbers and as a picture."""

import csv
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from elman.data.vocabulary import BOUNDARY, UNKNOWN, Decoder, Vocabulary
from elman.report import Page, Section, page, surprise
from elman.tasks.texts.measuring import Floats, Score, score_of, token_nats

_BLOCK = 512


@dataclass(frozen=True)
class Scored:
    """A text and what each of its tokens cost.

    - `pieces`: the characters of each token; those of half a character stand with its last token.
    - `nats`: (N,), minus the logarithm of each token's probability, given those before it.
    - `score`: of the whole.
    - `unknown`: characters that the model does not know, each once.
    """

    pieces: tuple[str, ...]
    nats: Floats
    score: Score
    unknown: str = ""

    @property
    def log_probability(self) -> float:
        """The logarithm of the probability of the text, in nats."""
        return -self.score.nats * self.score.units

    @property
    def bits(self) -> Floats:
        """The surprise of each token, in bits: (N,)."""
        return self.nats / math.log(2)

    def summary(self, unit: str) -> str:
        """The figures of the whole, a line each."""
        score = self.score
        return "\n".join(
            [
                f"{'length':<16} {score.units:,} {unit}s, {score.tokens:,} tokens",
                f"{'log-probability':<16} {self.log_probability:.4f} nats",
                f"{'surprise':<16} {score.bits:.4f} bits a {unit}, {score.nats:.4f} nats",
                f"{'perplexity':<16} {score.perplexity:.4f} per token",
            ]
        )

    def csv(self) -> str:
        """A row for each token: its characters, log-probability in nats, surprise in bits."""
        file = io.StringIO()
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["token", "log_probability", "surprise_bits"])
        for piece, nats in zip(self.pieces, self.nats.tolist(), strict=True):
            rows.writerow([piece, f"{-nats:.6f}", f"{nats / math.log(2):.6f}"])
        return file.getvalue()

    def picture(self) -> str:
        """The text coloured by surprise, as HTML to put into a page."""
        return surprise.coloured(self.pieces, self.bits.tolist())

    def page(self, title: str, unit: str) -> str:
        """The picture as a page of its own."""
        words = f"{self.score.bits:.3f} bits a {unit}; the darker, the less it was expected."
        figures = Section("Figures", page.preformatted(self.summary(unit)))
        return Page(title, words, True, (Section("Text", self.picture()), figures)).html()


@torch.no_grad()
def score_text(network: nn.Module, vocabulary: Vocabulary, text: str) -> Scored:
    """What each token of a text costs; it begins a document.

    Raises:
        ValueError: there is no text.
    """
    if not text:
        raise ValueError("text must have at least one character; got none; give some")
    network = network.eval()
    tokens = vocabulary.encode(text)
    whole = torch.from_numpy(np.concatenate([[BOUNDARY], tokens.astype(np.int64)]))
    device = next(network.parameters()).device
    state, found = None, []
    for start in range(0, tokens.size, _BLOCK):
        x = whole[None, start : min(start + _BLOCK, tokens.size) + 1].to(device)
        logits, state = network(x[:, :-1], state)
        found.append(token_nats(logits, x[:, 1:])[0].double().cpu().numpy())
    nats = np.concatenate(found)
    score = score_of(nats, tokens, vocabulary.units(text), vocabulary)
    if vocabulary.kind == "characters":
        nats = nats + vocabulary.unseen_nats * (tokens == UNKNOWN)
    return Scored(_pieces(vocabulary, text, tokens), nats, score, vocabulary.unknown(text))


def _pieces(vocabulary: Vocabulary, text: str, tokens: Any) -> tuple[str, ...]:
    if vocabulary.kind == "characters":
        return tuple(text)
    decoder = Decoder(vocabulary)
    return tuple(decoder.add(token) for token in tokens.tolist())
