"""Texts written by a language model's program, token after token, in constant memory."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from elman_runtime.sample import Sampling, choose
from elman_runtime.vocabulary import BOUNDARY, UNKNOWN, Decoder, Vocabulary

__all__ = ["Piece", "Steps", "check_writing", "read_prompts", "write"]

Array = NDArray[Any]
Piece = tuple[int, str]
"""Which text, and the characters that were added to it."""

_BLOCK = 512  # tokens of a prompt that are read at a time


class Steps(Protocol):
    """What a text needs of an `elman_runtime.program.Runner`, from tokens (T,) to logits (T, V)."""

    dtype: np.dtype[Any]

    def start(self) -> Array:
        """The state (state_size,) before the first token."""
        ...

    def run(
        self,
        state: Array,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        rows: Array | None = None,
    ) -> None:
        """Feed tokens (N, T); logits (N, T, V) and the rows of the state are written in place."""
        ...


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


def write(
    runner: Steps,
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
        runner: the model's program, made ready.
        length: tokens to write at most; the memory that is needed does not depend on it.
        seed: of the draws; row r of the prompts draws as (seed, r) says, whatever the others do.
    """
    logits, state = read_prompts(runner, vocabulary, prompts)
    texts = [_Text(vocabulary, stop) for _ in prompts]
    going = np.arange(len(texts))
    for position in range(length):
        tokens = np.empty((len(going), 1), np.int64)
        for at, k in enumerate(going.tolist()):
            scores = logits[at].astype(np.float64)
            if vocabulary.kind == "characters":
                scores[UNKNOWN] = -np.inf
            tokens[at] = choose(scores, sampling, seed=seed, row=k, position=position)
            text = texts[k].add(int(tokens[at, 0]))
            if text:
                yield k, text
        stays = np.array([texts[k].going for k in going.tolist()])
        going, tokens = going[stays], tokens[stays]
        if not len(going):
            return
        made = np.empty((len(going), 1, logits.shape[1]), runner.dtype)
        runner.run(state, [tokens], [made], going)
        logits = made[:, 0]
    for k, one in enumerate(texts):
        rest = one.end()
        if rest:
            yield k, rest


def read_prompts(
    runner: Steps, vocabulary: Vocabulary, prompts: Sequence[str]
) -> tuple[Array, Array]:
    """Logits (B, V) after each prompt, and the state."""
    state = np.tile(runner.start(), (len(prompts), 1))
    logits = np.empty((len(prompts), vocabulary.size), runner.dtype)
    for k, prompt in enumerate(prompts):
        tokens = np.concatenate([[BOUNDARY], vocabulary.encode(prompt)]).astype(np.int64)
        for start in range(0, len(tokens), _BLOCK):
            block = tokens[None, start : start + _BLOCK]
            made = np.empty((*block.shape, vocabulary.size), runner.dtype)
            runner.run(state, [block], [made], np.array([k]))
            logits[k] = made[0, -1]
    return logits, state


class _Text:
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
