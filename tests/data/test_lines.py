"""Texts and tokens that lie in a file are what they would be in memory."""

import gc

import numpy as np
import pytest

from elman.data.lines import Lines, Rows, columns, digests, in_columns, joined_tokens, lines
from elman.data.text import BLOCK, Source

TEXTS = ("one", "", "größe 😀", "a\ud800b", "x" * 70_000)


def test_lines_are_the_texts():
    found = lines(TEXTS)
    assert found == TEXTS
    assert found == TEXTS
    assert found != TEXTS[:4]
    assert found != ("two", *TEXTS[1:])
    assert found[-1] == TEXTS[-1]
    assert found[1:4] == TEXTS[1:4]
    assert found.pick(np.array([2, 0, 0])) == ("größe 😀", "one", "one")
    assert found.pick([2, 0]).pick([1]) == ("one",)
    with pytest.raises(IndexError):
        found[5]


@pytest.mark.parametrize("texts", [(), ("",), ("", "")])
def test_nothing_is_nothing(texts):
    found = lines(texts)
    assert isinstance(found, Lines)
    assert found == texts
    assert found.pick([]) == ()
    assert found.digests().shape == (len(texts),)


def test_digests_tell_texts_apart_and_are_the_same_everywhere():
    found = lines(["a", "b", "a"]).digests()
    assert found[0] == found[2] != found[1]
    assert hex(found[0]) == "0x2f42665b399ef840"
    many = lines(f"{k}" for k in range(20_000)).digests()
    assert len(np.unique(many)) == 20_000


def test_columns_of_rows():
    left, right = columns([("a", "x"), ("b", "yy")])
    assert (left, right) == (("a", "b"), ("x", "yy"))
    assert columns([]) == []


def test_a_view_outlives_what_it_is_of():
    found = lines(TEXTS)[2:3]
    gc.collect()
    assert found[0] == TEXTS[2]


def test_rows_are_the_arrays():
    rows = [(np.array([1, 2, 65_535]), np.array([], int)), (np.array([7]), np.array([8, 9]))]
    found = Rows(iter(rows), np.dtype(np.uint16))
    assert len(found) == 2
    assert found.lengths.tolist() == [[3, 0], [1, 2]]
    for own, expected in zip(found, rows, strict=True):
        for a, b in zip(own, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert [part.tolist() for part in found[1:][0]] == [[7], [8, 9]]
    assert len(Rows([], np.dtype(np.uint16))) == 0


@pytest.mark.parametrize("together", [1, 2, 100])
@pytest.mark.parametrize("size", [1, 4, 1 << 20])
def test_texts_in_blocks_are_those_one_by_one(together, size, monkeypatch):
    monkeypatch.setattr("elman.data.lines._TOGETHER", together)
    monkeypatch.setattr("elman.data.lines._BYTES", size)
    raw = [text.encode("utf-8", "surrogatepass") for text in TEXTS]
    for found, expected in (
        (lines(TEXTS), raw),
        (lines(TEXTS).pick(np.array([3, 0, 0], np.uint8)), [raw[3], raw[0], raw[0]]),
        (lines([]), []),
    ):
        blocks = list(found.raw_blocks())
        assert [one for block in blocks for one in block] == expected
        assert all(0 < len(block) <= together for block in blocks)
        assert all(sum(map(len, block[1:])) < size for block in blocks)
        assert list(found) == [one.decode("utf-8", "surrogatepass") for one in expected]
        assert np.array_equal(found.digests(), digests(expected))


def test_columns_of_blocks_are_those_of_rows():
    rows = [(text, f"{k}") for k, text in enumerate((*TEXTS, *TEXTS[:2]))]
    blocks = [list(zip(*some, strict=True)) for some in (rows[:2], rows[2:5], rows[5:])]
    assert in_columns(iter(blocks)) == columns(rows)
    assert in_columns([([], [])]) == [(), ()]
    assert in_columns([]) == []


def test_joined_tokens_are_those_of_each_text():
    blocks = [(np.array([5, 300, 7]), np.array([2, 0, 1])), (np.array([9]), np.array([1]))]
    tokens, starts = joined_tokens(iter(blocks), np.uint16)
    assert tokens.dtype == np.uint16
    assert tokens.tolist() == [5, 300, 7, 9]
    assert starts.tolist() == [0, 2, 2, 3, 4]
    assert [one.tolist() for one in joined_tokens([], np.uint8)] == [[], [0]]


@pytest.mark.parametrize("size", [3, BLOCK - 1, BLOCK, 2 * BLOCK + 5])
@pytest.mark.parametrize("end", ["", "\n"])
def test_lines_of_a_file_are_those_of_split(size, end, tmp_path):
    text = f"a\n\nb {'x' * size}\nc\u2028d\r\nlast{end}"
    path = tmp_path / "text"
    path.write_bytes(text.encode())
    expected = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    assert list(Source("text", path).lines()) == expected
    assert list(Source("text", None, "").lines()) == []
