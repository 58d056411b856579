"""Texts written by a network, token after token, in constant memory."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from elman import state as states
from elman.data.vocabulary import BOUNDARY, UNKNOWN, Decoder, Vocabulary
from elman.tasks.texts.network import LanguageNetwork
from elman_runtime.sample import Sampling, choose

Piece = tuple[int, str]
"""Which text, and the characters that were added to it."""


def check_writing(prompts: Any, length: Any, stop: Sequence[Any]) -> None:
    """Raises TypeError or ValueError for the first argument of `write` that breaks its rule."""
    if isinstance(prompts, str) or not all(isinstance(one, str) for one in prompts):
        raise TypeError(f"prompts must be a list of str; got {prompts!r:.80}; give ['...']")
    if not prompts:
        raise ValueError("prompts must be at least one; got none; give [''] to begin anew")
    if isinstance(length, bool) or not isinstance(length, int) or length < 0:
        raise ValueError(f"length must be a whole number from 0 up; got {length!r}; give 500")
    if not all(isinstance(word, str) and word for word in stop):
        raise ValueError(
            f"stop must be words of at least one character; got {list(stop)}; leave it out"
        )


@torch.no_grad()
def write(
    network: LanguageNetwork,
    vocabulary: Vocabulary,
    prompts: Sequence[str],
    length: int,
    sampling: Sampling,
    *,
    seed: int = 0,
    stop: Sequence[str] = (),
) -> Iterator[Piece]:
    """Go on from each prompt, all side by side; yields (which, characters) as they are written.

    A text ends after `length` tokens, before the first of the words in `stop`, or at the end of
    its document. A prompt begins a document; "" leaves the beginning to the network.

    Args:
        length: tokens to write at most; the memory that is needed does not depend on it.
        seed: of the draws; row r of the prompts draws as (seed, r) says, whatever the others do.
    """
    network = network.eval()
    logits, state = read_prompts(network, vocabulary, prompts)
    rows = [_Row(vocabulary, stop) for _ in prompts]
    for position in range(length):
        scores = logits.double().cpu().numpy()
        if vocabulary.kind == "characters":
            scores[:, UNKNOWN] = -np.inf
        tokens = np.zeros(len(rows), np.int64)
        for k, row in enumerate(rows):
            if row.going:
                tokens[k] = choose(scores[k], sampling, seed=seed, row=k, position=position)
                text = row.add(int(tokens[k]))
                if text:
                    yield k, text
        if not any(row.going for row in rows):
            return
        # The state of a text that has ended is of no use to anyone.
        logits, state = network.step(torch.from_numpy(tokens).to(logits.device), state)
    for k, row in enumerate(rows):
        rest = row.end()
        if rest:
            yield k, rest


@torch.no_grad()
def read_prompts(
    network: LanguageNetwork, vocabulary: Vocabulary, prompts: Sequence[str]
) -> tuple[Tensor, Any]:
    """Logits (B, V) after each prompt, and the state.

    Prompts are of unequal lengths: each is read apart, so that none depends on its neighbours.
    """
    found = []
    for prompt in prompts:
        tokens = [BOUNDARY, *vocabulary.encode(prompt).tolist()]
        device = network.words.bias.device
        state, logits = None, torch.empty(0)
        for start in range(0, len(tokens), 512):
            x = torch.tensor([tokens[start : start + 512]], device=device)
            logits, state = network(x, state)
        found.append((logits[:, -1], state))
    return torch.cat([one for one, _ in found]), states.cat([state for _, state in found])


class _Row:
    """One text: its half characters, and the end of it that may become a stop word."""

    def __init__(self, vocabulary: Vocabulary, stop: Sequence[str]) -> None:
        self._decoder, self._stop, self._held = Decoder(vocabulary), tuple(stop), ""
        self.going = True

    def add(self, token: int) -> str:
        """The characters that are certain with this token."""
        if token == BOUNDARY:
            self.going = False
            return self._flush(self._decoder.end())
        return self._certain(self._decoder.add(token))

    def end(self) -> str:
        """What was held back, where nothing more comes."""
        if not self.going:
            return ""
        self.going = False
        return self._flush(self._decoder.end())

    def _flush(self, text: str) -> str:
        whole, self._held = self._held + text, ""
        return whole[: _first(whole, self._stop)]

    def _certain(self, text: str) -> str:
        self._held += text
        at = _first(self._held, self._stop)
        if at < len(self._held):
            self.going = False
            return self._held[:at]
        sure = len(self._held) - _begun(self._held, self._stop)
        found, self._held = self._held[:sure], self._held[sure:]
        return found


def _first(text: str, words: Sequence[str]) -> int:
    """Where the first of the words begins; the text's length where there is none."""
    places = (text.find(word) for word in words)
    return min((at for at in places if at >= 0), default=len(text))


def _begun(text: str, words: Sequence[str]) -> int:
    """How many characters at the end of a text may be the beginning of one of the words."""
    longest = max((len(word) - 1 for word in words), default=0)
    for count in range(min(longest, len(text)), 0, -1):
        if any(word.startswith(text[-count:]) for word in words):
            return count
    return 0
