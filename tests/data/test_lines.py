"""Texts and tokens that lie in a file are what they would be in memory."""

import gc

import numpy as np
import pytest

from elman.data.lines import Lines, Numbers, Rows, columns, filed, lines
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


@pytest.mark.parametrize("count", [0, 5, 200_000])
def test_numbers_are_those_that_were_appended(count):
    found = Numbers()
    for k in range(min(count, 70_000)):
        found.append(-k)
    found.extend(np.arange(70_000, count, dtype=np.int32))
    expected = np.concatenate([-np.arange(min(count, 70_000)), np.arange(70_000, count)])
    assert np.array_equal(found.mapped(), expected)
    found.close()


def test_what_is_filed_is_the_same_and_may_be_written():
    values = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    found = filed(values)
    assert np.array_equal(found, values)
    assert found.dtype == values.dtype
    found[0, 0] = 9
    assert values[0, 0] == 0
    assert filed(np.zeros(0)).size == 0


@pytest.mark.parametrize("size", [3, BLOCK - 1, BLOCK, 2 * BLOCK + 5])
@pytest.mark.parametrize("end", ["", "\n"])
def test_lines_of_a_file_are_those_of_split(size, end, tmp_path):
    text = f"a\n\nb {'x' * size}\nc\u2028d\r\nlast{end}"
    path = tmp_path / "text"
    path.write_bytes(text.encode())
    expected = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    assert list(Source("text", path).lines()) == expected
    assert list(Source("text", None, "").lines()) == []
