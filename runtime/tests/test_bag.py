"""Scores of words and pairs: each feature once, a length of 1, what is unknown left out."""

import numpy as np
import pytest

from elman_runtime.bag import Bag, features_of, places_of, restored_bag
from elman_runtime.lexicon import Lexicon

LEXICON = Lexicon("words", ("a", "good", "film"))
KEYS = np.asarray([2, 3, 5 + 2 * 5 + 3], np.int64)  # a, good, the pair "a good"
WEIGHT = np.asarray([[1, -1], [2, -2], [4, -4]], np.float32)
BIAS = np.asarray([0.5, 0.25], np.float32)
BAG = Bag(LEXICON, KEYS, WEIGHT, BIAS)


def test_words_and_pairs_are_numbered_each_once():
    ids = np.asarray([2, 3, 2, 3])
    assert features_of(ids, 5).tolist() == [2, 3, 5 + 13, 5 + 17]
    assert features_of(ids[:0], 5).tolist() == []
    assert features_of(ids[:1], 5).tolist() == [2]


def test_what_is_unknown_has_no_place():
    place, known = places_of(np.asarray([0, 3, 18, 99]), KEYS)
    assert known.tolist() == [False, True, True, False]
    assert place[known].tolist() == [1, 2]
    assert places_of(np.asarray([3]), KEYS[:0])[1].tolist() == [False]


@pytest.mark.parametrize(
    ("text", "total", "count"),
    [
        ("a good", 7, 3),
        ("a good a good", 7, 3),
        ("good zebra a", 3, 2),
        ("zebra", 0, 1),
        ("", 0, 1),
    ],
)
def test_scores_are_a_sum_over_the_root_of_how_many_are_known(text, total, count):
    found = BAG.scores(BAG.encode(text))
    wanted = np.asarray([total, -total]) / np.sqrt(count) + BIAS
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    np.testing.assert_array_equal(BAG.scores_of([text, text])[1], found)
    assert BAG.scores_of([]).shape == (0, 2)


def test_it_is_restored_from_its_tensors():
    again = restored_bag(BAG.tensors(), False, 2)
    np.testing.assert_array_equal(again.scores_of(["a good film"]), BAG.scores_of(["a good film"]))
    assert restored_bag({"model.weight": WEIGHT}, False, 2) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"keys": KEYS[::-1]}, "not sorted"),
        ({"keys": KEYS.astype(np.int32)}, "not sorted"),
        ({"weight": WEIGHT[:, :1]}, r"of \(3, 1\), not \(3, 2\)"),
        ({"weight": WEIGHT.astype(np.float64)}, "scores of a bag of words"),
        ({"bias": BIAS[:1]}, "scores of a bag of words"),
        ({"words": np.frombuffer(b"a\na", np.uint8)}, "a word occurs twice"),
    ],
)
def test_what_is_damaged_is_refused(change, words):
    tensors = BAG.tensors() | {f"extra.bag_{name}": array for name, array in change.items()}
    with pytest.raises(ValueError, match=words):
        restored_bag(tensors, False, 2)
