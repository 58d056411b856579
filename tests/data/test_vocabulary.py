"""Vocabularies: there and back, what is unknown, what is stored, and every mistake."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.data.vocabulary import (
    BOUNDARY,
    UNKNOWN,
    Decoder,
    byte_vocabulary,
    character_vocabulary,
    learn_vocabulary,
    restore,
)

TEXT = "The cat sat on the mat. 世界 🙂 naïve\n" * 30


def learnt(kind, size=0):
    if kind == "subwords":
        pytest.importorskip("tokenizers", reason="needs tokenizers: pip install 'elman[text]'")
    return learn_vocabulary(kind, iter([TEXT]), size)


@pytest.mark.parametrize(("kind", "size"), [("characters", 0), ("bytes", 0), ("subwords", 300)])
def test_a_text_comes_back_as_it_was(kind, size):
    known = learnt(kind, size)
    tokens = known.encode(TEXT)
    assert known.decode(tokens) == TEXT
    assert tokens.min() > UNKNOWN if kind == "characters" else tokens.min() > BOUNDARY
    assert tokens.max() < known.size
    assert tokens.dtype == known.dtype
    decoder = Decoder(known)
    assert "".join(decoder.add(int(t)) for t in tokens) + decoder.end() == TEXT
    again = restore(kind, known.stored)
    assert again.pieces == known.pieces
    assert (again.encode(TEXT) == tokens).all()
    assert known.encode("").size == 0


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_is_bytes(text):
    known = byte_vocabulary()
    assert known.decode(known.encode(text)) == text
    assert known.units(text) == len(text.encode())


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50))
def test_any_text_is_known_to_its_own_characters(text):
    known = character_vocabulary(text)
    assert known.decode(known.encode(text)) == text
    assert known.size == 2 + len(set(text))


def test_subwords_are_fewer_than_characters_and_know_every_text():
    known = learnt("subwords", 400)
    assert known.size <= 400
    assert known.encode(TEXT).size < 0.6 * len(TEXT)
    for text in ("Ωμέγα 🤷", "x" * 100_000, "\n\n  \t", "\x00\x01"):
        assert known.decode(known.encode(text)) == text


def test_long_texts_are_encoded_in_parts_that_come_back():
    known = learnt("subwords", 300)
    text = TEXT * 300
    assert known.decode(known.encode(text)) == text


def test_an_unknown_character_is_known_as_such():
    known = character_vocabulary("abc")
    assert known.encode("aéb").tolist() == [2, UNKNOWN, 3]
    assert known.decode([2, UNKNOWN, 3]) == "a\ufffdb"
    assert known.unknown("zaéz") == "zé"
    assert known.unseen_nats == pytest.approx(math.log(1_112_064 - 3))
    assert byte_vocabulary().unseen_nats == 0
    assert character_vocabulary("").encode("ab").tolist() == [UNKNOWN, UNKNOWN]


def test_the_most_frequent_characters_are_kept():
    known = learn_vocabulary("characters", iter(["aab", "bbc"]), 2)
    assert [piece.decode() for piece in known.pieces[2:]] == ["a", "b"]


def test_tokens_are_as_small_as_they_can_be():
    assert character_vocabulary("ab").dtype == np.uint8
    assert byte_vocabulary().dtype == np.uint16
    assert character_vocabulary(map(chr, range(0x10000, 0x21000))).dtype == np.uint32


def test_half_a_character_waits_and_a_broken_one_is_replaced():
    decoder = Decoder(byte_vocabulary())
    parts = [decoder.add(1 + byte) for byte in "é".encode()]
    assert parts == ["", "é"]
    assert decoder.add(1 + 0xC3) == ""
    assert decoder.end() == "\ufffd"


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [("bytes", 300, "of which there are 256; got 300"), ("subwords", 256, "must be 257 or more")],
)
def test_sizes_that_cannot_be_are_refused(kind, size, message):
    with pytest.raises(ValueError, match=message):
        learn_vocabulary(kind, iter([TEXT]), size)


def test_bytes_are_for_bytes_alone():
    with pytest.raises(TypeError, match="got bytes; decode it"):
        character_vocabulary("ab").encode(b"ab")


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        ("characters", b"ba"),
        ("characters", b"aa"),
        ("characters", b"\xff"),
        ("bytes", b"x"),
        ("words", b""),
        ("subwords", b"{}"),
        ("subwords", b"\xff"),
        ("subwords", b'{"model": {"vocab": {"a": 5}}}'),
    ],
)
def test_what_was_stored_wrongly_is_refused(kind, stored):
    if kind == "subwords":
        pytest.importorskip("tokenizers", reason="needs tokenizers: pip install 'elman[text]'")
    with pytest.raises(ValueError):
        restore(kind, stored)


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"pip install 'elman\[text\]'; or give tokens="):
        learn_vocabulary("subwords", iter([TEXT]))
