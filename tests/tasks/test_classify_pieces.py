"""Words of many texts at once are those of each text."""

from collections import Counter

import numpy as np
import pytest

from elman.data.lines import lines
from elman.tasks.classifying import lexicon, pieces, reader
from elman.tasks.classifying.pieces import Encoder, count_words, in_utf8
from elman.tasks.classifying.settings import ClassifySettings
from elman.tasks.classifying.splits import _key, _plain
from elman_runtime.lexicon import words_of

DRAW = np.random.Generator(np.random.Philox(12))
# Letters whose case or form hangs on what stands beside them, marks, joiners, signs, half a pair.
SIGNS = [*"aBzΣσİǅé'’19_.!?日本ไทยกำ가ᄀ", "e\u0301", "\u0301", "\u200b", "\u1161", "\ud800", "😀"]
SPACES = [chr(k) for k in range(0x3001) if chr(k).isspace()]
EVERY = [*SIGNS * 4, *SPACES, " ", " ", " ", "\n"]
TEXTS = [
    "",
    " ",
    *("".join(DRAW.choice(EVERY, int(n))) for n in DRAW.integers(1, 40, 400)),
    *(f"x{space}Y" for space in SPACES),
]


@pytest.fixture(params=[1 << 17, 5], ids=["all", "five"])
def known(request, monkeypatch):
    """How many pieces are remembered at a time."""
    monkeypatch.setattr(pieces, "_KNOWN", request.param)
    monkeypatch.setattr(pieces, "_TOGETHER", 30)
    monkeypatch.setattr("elman.data.lines._TOGETHER", 30)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("kind", [list, lines])
def test_words_are_counted_as_one_by_one(kind, keep, known):
    expected = Counter(word for text in TEXTS for word in words_of(text, keep))
    assert len(expected) > 200
    assert count_words(kind(TEXTS), keep) == expected


@pytest.mark.parametrize("tokens", ["words", "words+subwords"])
def test_tokens_are_those_of_one_text_at_a_time(tokens, known):
    own = lexicon.learn_lexicon(TEXTS[::2], ClassifySettings(tokens=tokens))
    encoder = Encoder(own)
    found = [encoder.encode(raw) for raw in in_utf8(lines(TEXTS))]
    assert len(found) > 10
    each = [own.encode(text) for text in TEXTS]
    assert np.array_equal(np.concatenate([ids for ids, _ in found]), np.concatenate(each))
    assert np.concatenate([sizes for _, sizes in found]).tolist() == list(map(len, each))
    of_file = reader.tokens_of(own, lines(TEXTS))
    assert all(np.array_equal(a, b) for a, b in zip(of_file, each, strict=True))


def test_only_the_beginning_and_the_end_of_a_long_text_are_read(monkeypatch):
    monkeypatch.setattr(reader, "LONGEST", 4)
    monkeypatch.setattr(reader.shortened, "__defaults__", (4,))
    own = lexicon.learn_lexicon(["a b c d e f g"], ClassifySettings(min_count=1))
    texts = ["a b", "a b c d e f g", "", "a b c d"]
    found = reader.tokens_of(own, lines(texts))
    assert [one.tolist() for one in found] == [[2, 3], [2, 3, 7, 8], [], [2, 3, 4, 5]]
    assert [one.tolist() for one in found] == [x.tolist() for x in reader.tokens_of(own, texts)]


def test_keys_of_texts_in_utf8_are_those_of_the_texts():
    keys = [_key(text) for text in TEXTS]
    assert [_plain(text.encode("utf-8", "surrogatepass")) for text in TEXTS] == keys
    every = "".join(map(chr, range(128)))
    assert _plain(every.encode()) == _key(every)
