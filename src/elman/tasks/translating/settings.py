"""The settings of a translator."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from elman.data.text import check_encoding
from elman.data.vocabulary import check_size
from elman.train import FitSettings

DEFAULT_EPOCHS = 12
FIT = FitSettings(lr=3e-3, betas=(0.9, 0.98), warmup=200, ema=0.995)
"""Training unless told otherwise."""

_MOST = 1_000_000
# name: lowest allowed
_COUNTS = {
    "vocabulary": 257,
    "hidden": 1,
    "layers": 1,
    "embedding": 1,
    "batch_size": 1,
    "longest": 2,
    "beam": 1,
}
_SHARES = ("dropout", "input_dropout", "word_dropout", "weight_drop", "smoothing", "held_out")
_FLAGS = ("no_feedforward",)


@dataclass(frozen=True)
class TranslateSettings:
    """What is read, and by which network. A step of the recurrence is one subword.

    - `cell`: the recurrence: GRU, LSTM, RNN, or a cell of your own.
    - `vocabulary`: subwords of both languages together, learnt by byte-pair encoding from the
      training part.
    - `encoding`: of the files: utf-8, utf-16, latin-1, cp1252, shift_jis, ...
    - `held_out`: share of the pairs held out for validation, and as many for the test, 1,000 each
      at most, where neither is given.
    - `longest`: tokens of a sentence; pairs with a longer one are left out of training.
    - `embedding`: width of a token's vector.
    - `hidden`: units of a recurrent layer.
    - `layers`: of the encoder, each in both directions.
    - `dropout`: share of units dropped between layers and before the logits, 0 to 1.
    - `input_dropout`: share of the entries of tokens' vectors dropped, the same ones in a whole
      sentence.
    - `word_dropout`: share of the tokens that are not read, in training.
    - `weight_drop`: share of the recurrent weights dropped in training.
    - `smoothing`: of labels: this share of the probability is spread over all tokens.
    - `batch_size`: pairs in a batch.
    - `beam`: beginnings that are kept in the search, unless told otherwise.
    - `length_penalty`: of the search: 0 prefers short translations, 1 ranks by the mean per token.
    - `no_feedforward`: leave out the feedforward network, the baseline that takes time.
    """

    cell: str = "GRU"
    vocabulary: int = 4000
    encoding: str = "utf-8"
    held_out: float = 0.05
    longest: int = 100
    embedding: int = 256
    hidden: int = 256
    layers: int = 1
    dropout: float = 0.3
    input_dropout: float = 0.2
    word_dropout: float = 0.1
    weight_drop: float = 0.0
    smoothing: float = 0.1
    batch_size: int = 64
    beam: int = 5
    length_penalty: float = 1.0
    no_feedforward: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError naming the field, the rule, what came and the repair."""
        for name, least in _COUNTS.items():
            _check_count(name, getattr(self, name), least)
        for name in _SHARES:
            _check_share(name, getattr(self, name))
        for name in _FLAGS:
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False; got {value!r}; give one of them")
        if self.held_out > 0.4:
            raise ValueError(
                f"held_out must be at most 0.4, for validation and as much again for the test; got "
                f"{self.held_out}; give 0.05"
            )
        check_size("subwords", self.vocabulary)
        check_encoding(self.encoding)


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number; got {value!r}; give {least} or more")
    if not least <= value <= _MOST:
        raise ValueError(f"{name} must be {least} to {_MOST:,}; got {value}; change it")


def _check_share(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1; got {value!r}; 0 switches it off")


def budgeted(f: FitSettings) -> FitSettings:
    """With DEFAULT_EPOCHS epochs, where nothing else says how long to train."""
    if f.steps or f.epochs or f.minutes:
        return f
    return dataclasses.replace(f, epochs=DEFAULT_EPOCHS)
