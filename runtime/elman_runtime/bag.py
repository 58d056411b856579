"""What the words and the pairs of neighbouring words of a text say of its class, in any order.

A linear classifier of bags of words: a text has each feature once, and a length of 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elman_runtime.lexicon import Lexicon, restored, shortened

__all__ = ["Bag", "features_of", "places_of", "restored_bag"]

Array = np.ndarray[Any, np.dtype[Any]]
_AT = "extra.bag_"


def features_of(ids: Array, tokens: int) -> Array:
    """Numbers of the words and of the pairs of a text, each once, in order.

    Args:
        ids: token numbers (T,).
        tokens: how many there are: a pair has a number from there up.
    """
    pairs = tokens + ids[:-1] * tokens + ids[1:]
    return np.unique(np.concatenate([ids, pairs]))


def places_of(features: Array, keys: Array) -> tuple[Array, Array]:
    """The place of each feature among the sorted `keys`, and whether it is there."""
    if not keys.size:
        return np.zeros(features.shape, np.int64), np.zeros(features.shape, bool)
    place = np.searchsorted(keys, features)
    place[place == keys.size] = 0
    return place, keys[place] == features


@dataclass(frozen=True)
class Bag:
    """Scores of the classes from the words and pairs of a text.

    - `lexicon`: splits it into words, and numbers them.
    - `keys`: sorted numbers of the features that are known: (F,), int64.
    - `weight`, `bias`: (F, C) and (C,), float32.
    """

    lexicon: Lexicon
    keys: Array
    weight: Array
    bias: Array

    def encode(self, text: str) -> Array:
        """The numbers of the words of a text: (T,)."""
        found: Array = shortened(self.lexicon.encode(text))
        return found

    def scores(self, ids: Array) -> Array:
        """The scores (C,) of the words of a text, given as `encode` gives them."""
        place, known = places_of(features_of(ids, self.lexicon.size), self.keys)
        at = place[known]
        total: Array = self.weight[at].sum(0) / np.float32(np.sqrt(max(1, at.size))) + self.bias
        return total

    def scores_of(self, texts: Sequence[str]) -> Array:
        """The scores (N, C) of texts."""
        found = [self.scores(self.encode(text)) for text in texts]
        return np.asarray(found, np.float32).reshape(-1, self.bias.size)

    def times(self, factor: float) -> "Bag":
        """The same with scores so many times as large."""
        scale = np.float32(factor)
        return replace(self, weight=self.weight * scale, bias=self.bias * scale)

    def tensors(self) -> dict[str, Array]:
        """What `restored_bag` makes it again from."""
        words = np.frombuffer(self.lexicon.stored, np.uint8)
        parts = {"words": words, "keys": self.keys, "weight": self.weight, "bias": self.bias}
        return {_AT + name: array for name, array in parts.items()}


def restored_bag(tensors: Mapping[str, Array], keep_case: bool, classes: int) -> Bag | None:
    """The bag that is stored among these tensors; None where there is none.

    Raises:
        ValueError, KeyError: it is damaged, or of another number of classes.
    """
    if not any(name.startswith(_AT) for name in tensors):
        return None
    raw, keys, weight, bias = (tensors[_AT + name] for name in ("words", "keys", "weight", "bias"))
    lexicon = restored("words", raw.astype(np.uint8).tobytes(), keep_case)
    if keys.dtype != np.int64 or keys.ndim != 1 or (np.diff(keys) <= 0).any():
        raise ValueError("features of a bag of words that are not sorted numbers")
    shapes = (keys.size, classes), (classes,)
    if (weight.shape, bias.shape) != shapes or {weight.dtype, bias.dtype} != {np.dtype("f4")}:
        raise ValueError(f"scores of a bag of words of {weight.shape}, not {shapes[0]}")
    return Bag(lexicon, keys, weight, bias)
