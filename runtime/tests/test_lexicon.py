"""What splits a classifier's texts: words, characters, and what stands for the unknown."""

import numpy as np
import pytest

from elman_runtime.lexicon import (
    BOTH,
    PARTS,
    UNKNOWN,
    Lexicon,
    inputs_of,
    parts_of,
    restored,
    shortened,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  \n\t", []),
        ("It's GOOD!!! 10/10", ["it's", "good", "!!!", "10", "/", "10"]),
        ("don’t stop...", ["don’t", "stop", "..."]),
        ("snake_case", ["snake", "_", "case"]),
        ("Größe cafe\u0301", ["größe", "caf\u00e9"]),
        ("电影 x", ["电", "影", "x"]),
        ("हिन्दी", ["हिन्दी"]),
        ("👍🏽 a\u200bb", ["👍", "ab"]),
        ("abc123", ["abc", "123"]),
    ],
)
def test_words_and_signs(text, words):
    assert words_of(text) == words


def test_case_is_kept_where_asked_for():
    assert words_of("A Film", keep_case=True) == ["A", "Film"]


def test_words_have_numbers_and_the_rest_is_unknown():
    known = Lexicon("words", ("film", "fine"))
    assert known.encode("A fine, FINE film").tolist() == [UNKNOWN, 3, UNKNOWN, 3, 2]
    assert known.encode("").shape == (0,)
    assert known.size == 4


@pytest.mark.parametrize("words", [(), ("a",), ("film", "电", "it's", "\ud800")])
def test_a_stored_lexicon_is_the_same(words):
    known = Lexicon("words", words)
    again = restored("words", known.stored)
    assert again == known
    assert again.encode("it's 电 film").tolist() == known.encode("it's 电 film").tolist()


@pytest.mark.parametrize("words", [(), ("film", "funny")])
@pytest.mark.parametrize("parts", [(), ("<fu", "fun", "电>")])
def test_words_with_their_parts(words, parts):
    known = restored(BOTH, Lexicon(BOTH, words, parts=parts).stored)
    assert known == Lexicon(BOTH, words, parts=parts)
    assert known.size == 2 + len(words) + len(parts)
    found = known.encode("funny fun x")
    assert found.shape == (3, 1 + PARTS)
    assert found[:, 0].tolist() == [3 if words else UNKNOWN, UNKNOWN, UNKNOWN]
    first = 2 + len(words)
    assert found[0, 1:4].tolist() == ([first, first + 1, 0] if parts else [0, 0, 0])
    assert not found[2, 1:].any()
    assert known.encode("").shape == (0, 1 + PARTS)
    word, *more, share = inputs_of(found[None])
    assert (word.shape, len(more), share.shape) == ((1, 3), PARTS, (1, 3, 1))
    assert share[0, :, 0].tolist() == ([0.5, 0.5, 1.0] if parts else [1.0, 1.0, 1.0])


def test_parts_of_a_word_are_between_its_edges():
    assert parts_of("ab") == ["<ab", "ab>"]
    assert len(parts_of("a" * 50)) == 9  # the same ones count once


def test_characters_come_from_a_vocabulary():
    known = restored("characters", "abé".encode())
    assert known.encode("Ab?").tolist() == [2, 3, UNKNOWN]
    assert known.pieces("Ae\u0301") == ["a", "é"]
    assert restored("characters", b"ab", keep_case=True).encode("A").tolist() == [UNKNOWN]
    assert known.encode("\ud800").tolist() == [UNKNOWN]


@pytest.mark.parametrize(
    ("kind", "stored", "words"),
    [
        ("words", b"a\nb\na", "a word occurs twice"),
        ("words", b"a\n\nb", "of another kind"),
        (BOTH, b"a\nb", "of another kind"),
        (BOTH, b"a\n\nb\nb", "a word occurs twice"),
        ("characters", b"ba", "are not sorted"),
        ("syllables", b"ab", "of the kind 'syllables'"),
    ],
)
def test_what_is_no_lexicon_is_refused(kind, stored, words):
    with pytest.raises(ValueError, match=words):
        restored(kind, stored)


def test_of_what_is_long_the_ends_are_read():
    assert shortened(np.arange(9), 4).tolist() == [0, 1, 7, 8]
    assert shortened(np.arange(9), 5).tolist() == [0, 1, 6, 7, 8]
    assert shortened(np.arange(4), 4).tolist() == [0, 1, 2, 3]
