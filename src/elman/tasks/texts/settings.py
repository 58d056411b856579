"""The settings of a language model."""

import dataclasses

from elman.data.text import check_encoding
from elman.data.vocabulary import KINDS, Kind, check_size
from elman.nn.sequence import check_clip
from elman.tasks import shared
from elman.train import FitSettings

DEFAULT_STEPS = 1000
FIT = FitSettings(lr=1e-2, evaluate_every=200, warmup=50, ema=0.99)
"""Training unless told otherwise."""

# name: lowest allowed
_COUNTS = {
    "vocabulary": 0,
    "hidden": 1,
    "layers": 1,
    "embedding": 0,
    "batch_size": 1,
    "length": 2,
}
_SHARES = ("dropout", "input_dropout", "weight_drop", "reset")
_FLAGS = ("untied", "final", "no_feedforward")


@dataclasses.dataclass(frozen=True)
class LanguageSettings:
    """What is read, and by which network. A step of the recurrence is one token.

    - `cell`: the recurrence: LSTM, GRU, RNN, or a cell of your own.
    - `tokens`: characters, bytes (of any file, text or not) or subwords (learnt by byte-pair
      encoding from the training part; needs the library tokenizers).
    - `vocabulary`: subwords to learn, or characters to know, the most frequent; 0 for 2,000
      subwords, or 20,000 characters at most.
    - `encoding`: of the files: utf-8, utf-16, latin-1, cp1252, shift_jis, ...
    - `hidden`: units of a recurrent layer.
    - `layers`: recurrent layers.
    - `embedding`: width of a token's vector; 0 for 64, or with a large vocabulary for `hidden`.
    - `untied`: give the output layer weights of its own also where `embedding` = `hidden`, where
      it otherwise shares the embedding's.
    - `dropout`: share of units dropped after each layer in training, 0 to 1; the same ones at every
      step of a batch.
    - `input_dropout`: the same for the entries of a token's vector.
    - `weight_drop`: share of the recurrent weights dropped in training, 0 to 1.
    - `clip_steps`: longest gradient of the state at each step, on its way back; by default no
      limit. With one, the native engine runs, or the slow reference: torch's layers cannot.
    - `batch_size`: rows read side by side, each a stretch of the text with a state of its own.
    - `length`: tokens that gradients run back through; the state is carried on beyond.
    - `reset`: share of the rows whose state starts anew at a batch, 0 to 1.
    - `final`: train on the validation part as well, with settings that were chosen before; nothing
      is chosen then, and the test is reported.
    - `no_feedforward`: leave out the feedforward network, the one baseline that takes time.
    """

    cell: str = "LSTM"
    tokens: Kind = "characters"
    vocabulary: int = 0
    encoding: str = "utf-8"
    hidden: int = 512
    layers: int = 1
    embedding: int = 0
    untied: bool = False
    dropout: float = 0.1
    input_dropout: float = 0.0
    weight_drop: float = 0.0
    clip_steps: float | None = None
    batch_size: int = 32
    length: int = 64
    reset: float = 0.01
    final: bool = False
    no_feedforward: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError naming the field, the rule, what came and the repair."""
        if self.tokens not in KINDS:
            raise ValueError(
                f"tokens must be one of {', '.join(KINDS)}; got {self.tokens!r}; choose one"
            )
        for name, least in _COUNTS.items():
            shared.check_count(name, getattr(self, name), least)
        for name in _SHARES:
            shared.check_share(name, getattr(self, name))
        for name in _FLAGS:
            shared.check_flag(name, getattr(self, name))
        object.__setattr__(self, "clip_steps", check_clip(self.clip_steps))
        check_size(self.tokens, self.vocabulary)
        check_encoding(self.encoding)

    @property
    def shares(self) -> tuple[float, float]:
        """Of the text, for training and for validation."""
        return (0.9, 0.0) if self.final else (0.8, 0.1)

    def width(self, tokens: int) -> int:
        """The width of a token's vector, for a vocabulary of so many."""
        return self.embedding or (64 if tokens <= 512 else self.hidden)


def budgeted(f: FitSettings) -> FitSettings:
    """With DEFAULT_STEPS steps, where nothing else says how long to train."""
    return f if f.steps or f.epochs or f.minutes else dataclasses.replace(f, steps=DEFAULT_STEPS)
