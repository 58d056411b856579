"""Which words of a source a translation attended to, as an array and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import torch

from elman.data.vocabulary import BOUNDARY, Vocabulary
from elman.report import plots
from elman.tasks.translating.batches import padded
from elman.tasks.translating.decoding import encode, tidy
from elman.tasks.translating.network import TranslationNetwork

END, JOIN = "∎", "-"
"""The end of a sentence, and what stands before a token that goes on with a word."""

_MOST = 60  # tokens on an axis of the picture
_INCH = 0.24  # a token
_SQUARE = "padding:0;width:1.7em;min-width:1.7em;height:1.7em;border:0"
_HEAD = "writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;padding:4px;border:0"
_SIDE = "padding:0 6px;text-align:right;border:0"


@dataclass(frozen=True)
class Attention:
    """How much each token of a translation attends to each of its source.

    - `source`, `target`: the tokens as text, "-" before one that goes on with a word, and the end,
      "∎".
    - `weights`: (T, S), each row sums to 1.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: np.ndarray[Any, np.dtype[np.float32]]

    def draw(self, ax: Any = None) -> Any:
        """The picture on `ax`, or on a figure of its own; returns the axes."""
        across, down = self.source[:_MOST], self.target[:_MOST]
        if ax is None:
            size = (1.6 + _INCH * len(across), 1.6 + _INCH * len(down))
            _, (ax,) = plots.figure(height=size[1], width=max(3.0, size[0]))
        shown = self.weights[: len(down), : len(across)]
        # Blue on whatever the page is: as opaque as the weight.
        colours = np.zeros((*shown.shape, 4))
        colours[..., :3] = _rgb(plots.MODEL)
        colours[..., 3] = shown
        ax.imshow(colours, aspect="auto")
        ax.grid(False)
        ax.set_xticks(range(len(across)), across, rotation=60, ha="right", parse_math=False)
        ax.set_yticks(range(len(down)), down, parse_math=False)
        return ax

    def html(self) -> str:
        """The picture as a table, in the fonts of a page, which know more scripts."""
        heads = "".join(f'<th style="{_HEAD}">{escape(one)}</th>' for one in self.source)
        rows = "".join(
            f'<tr><th style="{_SIDE}">{escape(name)}</th>{"".join(map(_cell, row))}</tr>'
            for name, row in zip(self.target, self.weights.tolist(), strict=True)
        )
        table = (
            f'<table style="width:auto"><tr><th style="border:0"></th>{heads}</tr>{rows}</table>'
        )
        return f"<div class=wide>{table}</div>"


def _cell(weight: float) -> str:
    red, green, blue = (round(255 * part) for part in _rgb(plots.MODEL))
    colour = f"rgba({red},{green},{blue},{weight:.2f})"
    return f'<td style="background:{colour};{_SQUARE}" title="{weight:.2f}"></td>'


def attention_of(
    network: TranslationNetwork, vocabulary: Vocabulary, line: str, translation: str
) -> Attention:
    """The attention while a translation is written, be it the network's own or not."""
    a, b = (encode(vocabulary, tidy(text)).tolist() for text in (line, translation))
    source, lengths = padded([[*a, BOUNDARY]])
    before, _ = padded([[BOUNDARY, *b]])
    device = network.words.weight.device
    with torch.no_grad():
        weights = network.eval().attended(*(t.to(device) for t in (source, lengths, before)))
    return Attention(_names(vocabulary, a), _names(vocabulary, b), weights[0].cpu().numpy())


def _names(vocabulary: Vocabulary, tokens: Sequence[int]) -> tuple[str, ...]:
    named, before = [], " "
    for token in tokens:
        piece = vocabulary.decode([token])
        goes_on = before[-1:].isalnum() and piece[:1].isalnum()
        named.append(JOIN + _name(piece) if goes_on else _name(piece))
        before = piece
    return (*named, END)


def _name(piece: str) -> str:
    """A token as it can be shown: no control characters, a sign for a space."""
    return "".join(one if one.isprintable() else "·" for one in piece.strip()) or "␣"


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
