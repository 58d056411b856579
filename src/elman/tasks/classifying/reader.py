"""Between examples and what a network takes and gives: inputs, and flags of classes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from elman.data.errors import refusal, shown
from elman.data.lines import Lines
from elman.data.mapped import Array, counts_of, spans, taken
from elman.tasks.classifying import lexicon as lexicons
from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.held import Encoded, Flags, Tokens, in_runs, lengths_of
from elman.tasks.classifying.lexicon import Lexicon
from elman.tasks.classifying.numbers import Scaling, learn_scaling
from elman.tasks.classifying.pieces import Encoder
from elman.tasks.classifying.pretrained import lexicon_of
from elman.tasks.classifying.settings import ClassifySettings
from elman_runtime.lexicon import LONGEST, PARTS, shortened


@dataclass(frozen=True)
class Reader:
    """What was learnt of the training part, before any network.

    - `classes`: in the order of the logits.
    - `lexicon`: of texts, `scaling` of numbers; one of them.
    - `columns`: of numbers.
    """

    classes: tuple[str, ...]
    lexicon: Lexicon | None = None
    scaling: Scaling | None = None
    columns: tuple[str, ...] = ()

    def encode(self, found: Examples) -> Encoded:
        """Tokens (T,) or inputs (T, W) of each example; those of a file lie in one too.

        Raises:
            DataError: its columns are not those that were trained on.
        """
        if self.lexicon is not None:
            return tokens_of(self.lexicon, found.inputs)
        assert self.scaling is not None
        if found.columns != self.columns:
            rule = f"columns are those of the training: {', '.join(self.columns)}"
            came = ", ".join(found.columns) or "texts"
            raise refusal(found.name, "columns", rule, came, "give a table with the same columns")
        pairs = zip(found.inputs, found.gaps, strict=True)
        return [shortened(self.scaling.encode(one, gaps), LONGEST) for one, gaps in pairs]

    def flags(self, found: Examples) -> Flags:
        """Which classes each example has: (N, C).

        Raises:
            DataError: a label was not among those of the training.
        """
        numbers = {name: k for k, name in enumerate(self.classes)}
        labels = found.labels
        if labels is None:
            none = np.zeros((1, len(self.classes)), bool)
            return Flags(none, np.zeros(len(found), np.uint8))
        flags = np.zeros((len(labels.sets), len(self.classes)), bool)
        odd = [next((one for one in own if one not in numbers), None) for own in labels.sets]
        codes = labels.codes
        unknown = taken(np.asarray([one is not None for one in odd], bool), codes)
        if unknown.any():
            row = int(unknown.argmax())
            rule = f"labels are those of the training: {', '.join(self.classes[:10])}"
            repair = "correct or leave out the example, or train with others like it"
            came = shown(odd[codes[row]])
            raise refusal(found.name, found.places[row], rule, came, repair)
        for k, own in enumerate(labels.sets):
            flags[k, [numbers[label] for label in own if label in numbers]] = True
        return Flags(flags, codes)

    def as_dict(self) -> dict[str, Any]:
        """What of it metadata can hold."""
        if self.scaling is None:
            return {}
        return {"masked": self.scaling.masked, "gap": self.scaling.gap}

    def tensors(self) -> dict[str, Any]:
        """The rest, as arrays."""
        names = {"classes": list(self.classes), "columns": list(self.columns)}
        found: dict[str, Any] = {
            f"extra.{name}": np.frombuffer(json.dumps(words).encode(), np.uint8)
            for name, words in names.items()
        }
        if self.lexicon is not None:
            found["extra.vocabulary"] = np.frombuffer(self.lexicon.stored, np.uint8)
        if self.scaling is not None:
            found["extra.mean"], found["extra.std"] = self.scaling.mean, self.scaling.std
        return found


def tokens_of(lexicon: Lexicon, texts: Sequence[str]) -> Encoded:
    """The tokens of each text; in a file where the texts are."""
    if not isinstance(texts, Lines):
        return [shortened(lexicon.encode(text), LONGEST) for text in texts]
    if lexicon.vocabulary is not None:
        return Tokens(
            in_runs(shortened(lexicon.encode(text), LONGEST) for text in texts), lexicon.size
        )
    encoder = Encoder(lexicon)
    blocks = (_shortened(*encoder.encode(raw)) for raw in texts.raw_blocks())
    return Tokens(blocks, lexicon.size, 1 + PARTS if lexicon.kind == lexicons.BOTH else 0)


def _shortened(tokens: Array, lengths: Array) -> tuple[Array, Array]:
    """Tokens of several texts, and how many each has, as `shortened` leaves those of each."""
    if not len(lengths) or lengths.max() <= LONGEST:
        return tokens, lengths
    parts = np.split(tokens, np.cumsum(lengths)[:-1])
    return np.concatenate([shortened(one, LONGEST) for one in parts]), lengths.clip(0, LONGEST)


def learn_reader(train: Examples, settings: ClassifySettings) -> Reader:
    """From the training part alone.

    Raises:
        ImportError: subwords need the library `tokenizers`.
        ModelFileError, ValueError: of `pretrained`: see `lexicon_of`.
    """
    classes = train.classes()
    if train.columns:
        if settings.pretrained is not None:
            raise ValueError("pretrained is a language model, for texts; got numbers; leave it out")
        scaling = learn_scaling(train, train.columns)
        return Reader(classes, scaling=scaling, columns=train.columns)
    if settings.pretrained is not None:
        return Reader(classes, lexicon_of(settings.pretrained, settings))
    return Reader(classes, lexicons.learn_lexicon(train.inputs, settings))


def restored(settings: ClassifySettings, stored: dict[str, Any], tensors: Any) -> Reader:
    """The reader that was stored.

    Raises:
        ValueError, KeyError, TypeError: it is none.
        ImportError: subwords need the library `tokenizers`.
    """
    classes, columns = (_names(tensors[f"extra.{name}"]) for name in ("classes", "columns"))
    if not classes or len(set(classes)) < len(classes):
        raise ValueError("classes that are none, or occur twice")
    if not columns:
        raw = tensors["extra.vocabulary"].astype(np.uint8).tobytes()
        return Reader(classes, lexicons.restored(settings.tokens, raw, settings.keep_case))
    mean, std = (tensors[f"extra.{name}"].astype(np.float64) for name in ("mean", "std"))
    if mean.shape != (len(columns),) or std.shape != mean.shape or not (std > 0).all():
        raise ValueError("means and deviations that do not fit the columns")
    gap = float(stored["gap"])
    if not (np.isfinite(gap) and gap >= 0):
        raise ValueError(f"a usual gap of {gap}")
    return Reader(classes, None, Scaling(mean, std, bool(stored["masked"]), gap), columns)


def _names(stored: Any) -> tuple[str, ...]:
    found = json.loads(stored.astype(np.uint8).tobytes())
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("stored names that are no list of names")
    return tuple(found)


def targets(flags: Any, several: bool) -> Any:
    """What the loss takes: classes (N,), or flags (N, C) as numbers."""
    return flags.astype(np.float32) if several else flags.argmax(1).astype(np.int64)


def weights_of(flags: Any, settings: ClassifySettings) -> Any:
    """For each class, how much an example of it counts in the loss: (C,), mean 1; or None."""
    if settings.class_weights == "none":
        return None
    counts = np.maximum(1, flags.sum(0))
    if settings.several:
        return ((len(flags) - counts) / counts).clip(0.1, 100.0).astype(np.float32)
    return (len(flags) / (len(counts) * counts)).astype(np.float32)


def sizes(encoded: Sequence[Any]) -> tuple[int, int, int]:
    """The least, the median and the largest length."""
    lengths = lengths_of(encoded)
    counts = counts_of((lengths[one] for one in spans(len(lengths))), int(lengths.max()) + 1)
    # Those at these places, were they in order; of an even number the median is between two.
    places = np.array([0, (len(lengths) - 1) // 2, len(lengths) // 2])
    low, left, right = np.searchsorted(np.cumsum(counts), places, "right").tolist()
    return low, (left + right) // 2, len(counts) - 1
