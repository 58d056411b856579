"""What stands beside a network and is counted: majority, words and pairs, summary statistics."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from elman.data.mapped import shuffled
from elman.tasks.classifying import linear
from elman.tasks.classifying.examples import Examples
from elman.tasks.classifying.lexicon import BOTH, Lexicon, learn_lexicon
from elman.tasks.classifying.reader import targets, tokens_of
from elman_runtime.bag import Bag

if TYPE_CHECKING:
    from elman.tasks.classifying.learning import Data

MAJORITY, BAG, SUMMARY, FEEDFORWARD = (
    "majority",
    "bag of words",
    "summary statistics",
    "feedforward",
)

MOST_EXAMPLES = 1_000_000
"""Examples that words and pairs, or statistics, are learnt from: with more it would take hours."""


@dataclass(frozen=True)
class Method:
    """Logits (N, C) on validation and on the test.

    - `parameters`: how many it has, if it has some.
    - `bag`: the scores of words that it consists of, if it does.
    """

    validation: Any
    test: Any
    parameters: int | None = None
    bag: Bag | None = None


Methods = dict[str, Method]


def first_guess(data: "Data") -> Any:
    """Logits (C,) of the shares of the classes in the training part."""
    return share_logits(data.train.flags.mean(0), data.settings.several)


def share_logits(shares: Any, several: bool) -> Any:
    """Logits (C,) that give these shares as probabilities."""
    kept = np.clip(shares, 1e-4, 1 - 1e-4)
    return np.log(kept) - (np.log1p(-kept) if several else 0.0)


def majority(data: "Data") -> Method:
    """How often each class occurs in the training part, whatever the example."""
    guess = first_guess(data)
    validation, test = (
        np.tile(guess, (len(part.flags), 1)) for part in (data.validation, data.test)
    )
    return Method(validation, test)


def by_counting(data: "Data") -> Methods:
    """Logistic regression on words and pairs, or on summary statistics."""
    bag: linear.Bag | None = None
    lexicon: Lexicon | None = None
    rows: Sequence[linear.Rows]
    examples, flags = learnt_from(data)
    if data.reader.lexicon is not None:
        name, (lexicon, bag, rows) = BAG, bags(data, examples)
    else:
        assert data.reader.scaling is not None
        parts = (examples, data.validation.examples, data.test.examples)
        summary = linear.Summary(examples, data.reader.scaling)
        name, rows = SUMMARY, [summary.rows(part) for part in parts]
    y = torch.from_numpy(targets(flags, data.settings.several))
    classes = len(data.reader.classes)
    fit = linear.logistic(rows[0], y, classes, data.loss, data.score, rows[1])
    count = fit.weight.numel() + classes
    kept = None
    if bag is not None and lexicon is not None:
        kept = Bag(lexicon, bag.keys, fit.weight.numpy()[: bag.keys.size], fit.bias.numpy())
    return {name: Method(fit.logits(rows[1]), fit.logits(rows[2]), count, kept)}


def learnt_from(data: "Data") -> tuple[Examples, Any]:
    """The training examples that are counted, and which classes they have, (N, C).

    All of them; of more than `MOST_EXAMPLES` so many, which the seed draws.
    """
    train = data.train
    if not said_of(data):
        return train.examples, train.flags[:]
    draw = np.random.Generator(np.random.Philox(key=[data.seed, 11]))
    rows = np.sort(shuffled(len(train.examples), draw)[:MOST_EXAMPLES])
    return train.examples.subset(rows), train.flags[rows]


def said_of(data: "Data") -> str:
    """A sentence where only some of the training examples are counted; else ""."""
    count = len(data.train.examples)
    if count <= MOST_EXAMPLES:
        return ""
    name = BAG if data.reader.lexicon is not None else SUMMARY
    return (
        f"The {name} learnt from {MOST_EXAMPLES:,} of the {count:,} examples to train on, which "
        "the seed drew."
    )


def bags(data: "Data", train: Examples) -> tuple[Lexicon, linear.Bag, list[linear.Sparse]]:
    """Words, their bag, and the words and pairs of words in the texts of each part.

    Args:
        train: what words are learnt from, in place of the whole training part.
    """
    # With a vocabulary of its own: rare words, which a network forgoes, help it.
    kind = "words" if data.settings.tokens == BOTH else data.settings.tokens
    own = replace(data.settings, min_count=1, vocabulary=0, tokens=kind)
    lexicon = learn_lexicon(train.inputs, own)
    parts = (train, data.validation.examples, data.test.examples)
    texts = [tokens_of(lexicon, part.inputs) for part in parts]
    bag = linear.Bag(texts[0], lexicon.size)
    return lexicon, bag, [bag.rows(one) for one in texts]
