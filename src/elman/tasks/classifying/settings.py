"""The settings of a classifier."""

import dataclasses
from pathlib import Path
from typing import Any, Literal, get_args

from elman.data.text import check_encoding
from elman.nn.pooling import check_kinds
from elman.train import FitSettings

Tokens = Literal["words", "characters", "subwords", "words+subwords"]
Metric = Literal["", "accuracy", "f1", "auroc", "loss"]
Weights = Literal["none", "balanced"]

DEFAULT_EPOCHS = 15
LEAST_STEPS, LEAST_BETWEEN = 600, 30
FIT = FitSettings(lr=2e-3, ema=0.99, patience=8, warmup=20, clip_norm=1.0)
"""Training unless told otherwise."""

_MOST = 1_000_000
# name: lowest allowed
_COUNTS = {
    "vocabulary": 0,
    "min_count": 1,
    "longest": 2,
    "hidden": 1,
    "layers": 1,
    "embedding": 1,
    "batch_size": 1,
}
_RATES = ("word_dropout", "input_dropout", "dropout", "weight_drop")
_FLAGS = ("keep_case", "causal", "recurrent_only", "network_only", "no_feedforward")
_PATHS = ("vectors", "pretrained")
_NAMES = ("text", "label", "id", "time", "label_separator")


@dataclasses.dataclass(frozen=True)
class ClassifySettings:
    """What is read, how it is divided, and by which network it is judged.

    - `cell`: the recurrence: GRU, LSTM, RNN, or a cell of your own.
    - `text`: column of the text; found by its name (text, review, sentence, ...) if left out.
    - `label`: column of the label; found by its name (label, class, sentiment, ...) if left out.
    - `label_separator`: what stands between several labels of a row, such as a semicolon; without
      it every row has one label.
    - `id`: column that names the sequence of a row; makes this a task on sequences of numbers, a
      row for each step.
    - `time`: column of the times of the steps; without it they are equal, in the order of the file.
    - `columns`: columns of numbers, with commas; all that are numbers if left out.
    - `encoding`: of the file: utf-8, utf-16, latin-1, cp1252, ...
    - `tokens`: words (and signs), characters, or subwords (learnt by byte-pair encoding from the
      training part; needs the library tokenizers); or words+subwords, where each word has the runs
      of 3 to 5 characters that it shares with other words beside it.
    - `vocabulary`: tokens to know at most, the most frequent; 0 for 50,000, or 4,000 subwords.
    - `min_count`: words that occur less often in the training part are unknown.
    - `keep_case`: tell Good from good.
    - `vectors`: file of word vectors to start from (GloVe or word2vec's text format).
    - `pretrained`: run or model file of a language model to start from, of characters or subwords:
      its vocabulary, the vectors of its tokens, its recurrent weights. Cell, tokens, widths and
      layers must be its own.
    - `longest`: tokens or steps of an example that are trained on at most, half of them from its
      beginning and half from its end. What is judged later is read whole.
    - `validation_share`: of the examples, to choose by, above 0 and below 1.
    - `test_share`: of the examples, to report on; 0 for none.
    - `class_weights`: balanced counts rare classes more, so that all count alike in training.
    - `metric`: what validation chooses by: accuracy, f1 (macro), auroc or loss; by default
      accuracy, and f1 with several labels.
    - `hidden`: units of a recurrent layer, in each direction.
    - `layers`: recurrent layers.
    - `embedding`: width of a token's vector; for numbers, of what a step is first mapped to.
    - `causal`: read forwards alone, so that it can judge word by word.
    - `pooling`: how steps become one vector: max, mean, attention, concatenated.
    - `recurrent_only`: pool only what the recurrence says, and not the vectors of the tokens too.
    - `network_only`: judge by the network alone. Otherwise, of texts of words (or words+subwords)
      that are read whole (not causal), the scores of the bag of words, a baseline, are added to the
      network's own, by a weight that validation chooses.
    - `word_dropout`: share of the tokens of a text hidden in training, 0 to 1.
    - `input_dropout`: share of the entries of a token's vector dropped in training, the same ones
      at every step.
    - `dropout`: share of what is pooled, and passes between layers, dropped in training.
    - `weight_drop`: share of the recurrent weights dropped in training.
    - `batch_size`: examples in an update.
    - `no_feedforward`: leave out the feedforward network, the baseline that takes most time.
    """

    cell: str = "GRU"
    text: str = ""
    label: str = ""
    label_separator: str = ""
    id: str = ""
    time: str = ""
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    tokens: Tokens = "words"
    vocabulary: int = 0
    min_count: int = 2
    keep_case: bool = False
    vectors: Path | None = None
    pretrained: Path | None = None
    longest: int = 400
    validation_share: float = 0.1
    test_share: float = 0.1
    class_weights: Weights = "none"
    metric: Metric = ""
    hidden: int = 64
    layers: int = 1
    embedding: int = 100
    causal: bool = False
    pooling: tuple[str, ...] = ("max", "mean", "attention")
    recurrent_only: bool = False
    network_only: bool = False
    word_dropout: float = 0.3
    input_dropout: float = 0.2
    dropout: float = 0.5
    weight_drop: float = 0.0
    batch_size: int = 32
    no_feedforward: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError or TypeError naming the field, the rule, what came and the repair."""
        for name, kinds in _CHOICES.items():
            if getattr(self, name) not in kinds:
                words = ", ".join(kind for kind in kinds if kind)
                raise ValueError(
                    f"{name} must be one of {words}; got {getattr(self, name)!r}; choose one"
                )
        for name, least in _COUNTS.items():
            _check_count(name, getattr(self, name), least)
        for name in _RATES:
            _check_share(name, getattr(self, name), 0.0)
        self._check_parts()
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise TypeError(
                    f"{name} must be True or False; got {getattr(self, name)!r}; give one of them"
                )
        for name in _NAMES:
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be text; got {getattr(self, name)!r}; give a name")
        for name in ("columns", "pooling"):
            object.__setattr__(self, name, _words(name, getattr(self, name)))
        check_kinds(self.pooling)
        check_encoding(self.encoding)
        for name in _PATHS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)))

    def _check_parts(self) -> None:
        _check_share("validation_share", self.validation_share, 0.001)
        _check_share("test_share", self.test_share, 0.0)
        if self.validation_share + self.test_share > 0.9:
            total = self.validation_share + self.test_share
            raise ValueError(
                f"validation_share and test_share must leave a tenth to train on; got {total:g} "
                "together; lower one"
            )
        if self.tokens == "subwords" and 0 < self.vocabulary < 257:
            raise ValueError(
                f"vocabulary must be 257 or more with subwords; got {self.vocabulary}; give 4000"
            )
        if self.id and self.text:
            raise ValueError(
                f"text and id must not both be given: texts have a row each, sequences of numbers "
                f"a row for each step; got text={self.text!r} and id={self.id!r}; leave one out"
            )
        if self.id and self.pretrained is not None:
            raise ValueError(
                f"pretrained is a language model, for texts; got id={self.id!r}, which makes "
                "sequences of numbers; leave one out"
            )
        if self.time and not self.id:
            raise ValueError(
                f"time needs id, the column that names each sequence; got time={self.time!r} "
                "alone; give id"
            )

    @property
    def several(self) -> bool:
        """Whether a row may have several labels, or none."""
        return bool(self.label_separator)

    @property
    def chosen_by(self) -> str:
        """The metric that validation chooses by."""
        return self.metric or ("f1" if self.several else "accuracy")

    @property
    def adds_words(self) -> bool:
        """Whether the scores of a bag of words are added to the network's."""
        words = self.tokens == "words" or self.tokens == "words+subwords"
        return words and not (self.id or self.causal or self.network_only)

    @property
    def known_tokens(self) -> int:
        """The size of the vocabulary at most."""
        return self.vocabulary or (4_000 if self.tokens == "subwords" else 50_000)

    def plain(self) -> dict[str, Any]:
        """As values that TOML and JSON can hold."""
        found = dataclasses.asdict(self)
        for name in _PATHS:
            found[name] = None if found[name] is None else str(found[name])
        return found | {"columns": list(self.columns), "pooling": list(self.pooling)}


_CHOICES: dict[str, tuple[Any, ...]] = {
    "tokens": get_args(Tokens),
    "metric": get_args(Metric),
    "class_weights": get_args(Weights),
}


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number; got {value!r}; give {least} or more")
    if not least <= value <= _MOST:
        raise ValueError(f"{name} must be {least} to {_MOST:,}; got {value}; change it")


def _check_share(name: str, value: Any, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 1:
        rule = f"at least {least:g} and below 1" if least else "at least 0 and below 1"
        raise ValueError(f"{name} must be {rule}; got {value!r}; change it")


def _words(name: str, value: Any) -> tuple[str, ...]:
    """A list of names, which may come with commas."""
    listed = value.split(",") if isinstance(value, str) else list(value)
    if not all(isinstance(one, str) for one in listed):
        raise TypeError(f"{name} must be a list of names; got {value!r}; give text")
    return tuple(one.strip() for one in listed if one.strip())


def budgeted(f: FitSettings, s: ClassifySettings, examples: int) -> FitSettings:
    """With 15 epochs and 600 steps at least, where nothing else says how long to train.

    An evaluation comes after each epoch, but not before 30 steps.

    Args:
        examples: how many there are, of which the training part is a share.
    """
    part = examples * (1 - s.validation_share - s.test_share)
    epoch = max(1, round(part / s.batch_size))
    if f.evaluate_every is None and epoch < LEAST_BETWEEN:
        f = dataclasses.replace(f, evaluate_every=LEAST_BETWEEN)
    if f.steps or f.epochs or f.minutes:
        return f
    return dataclasses.replace(f, steps=max(LEAST_STEPS, DEFAULT_EPOCHS * epoch))
