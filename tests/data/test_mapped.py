"""Arrays that lie in a file are what they would be in memory."""

import mmap

import numpy as np
import pytest

from elman.data import mapped
from elman.data.mapped import Arrays, Numbers


@pytest.fixture(params=[False, True], ids=["in memory", "in files"])
def small(request, monkeypatch):
    """Whether few entries count as many, so that spans and files are used."""
    if request.param:
        monkeypatch.setattr(mapped, "_SMALL", 8)
        monkeypatch.setattr(mapped, "_SPAN", 7)
    return request.param


@pytest.mark.parametrize("count", [0, 5, 200_000])
def test_numbers_are_those_that_were_appended(count):
    found = Numbers()
    for k in range(min(count, 70_000)):
        found.append(-k)
    found.extend(np.arange(70_000, count, dtype=np.int32))
    expected = np.concatenate([-np.arange(min(count, 70_000)), np.arange(70_000, count)])
    assert np.array_equal(found.mapped(), expected)
    found.close()


def test_arrays_are_those_that_were_appended():
    given = [np.arange(6.0, dtype=np.float32).reshape(2, 3), np.zeros(0), np.array([7, 8])]
    held = Arrays()
    for one in given:
        held.append(one)
    found = held.mapped()
    for one, expected in zip(found, given, strict=True):
        assert np.array_equal(one, expected)
        assert (one.dtype, one.shape) == (expected.dtype, expected.shape)
        assert one.ctypes.data % one.itemsize == 0
    found[0][0, 0] = 9
    assert given[0][0, 0] == 0
    assert Arrays().mapped() == []


def test_zeros_may_be_written(small):
    found = mapped.zeros((5, 3), np.int32)
    assert (found.shape, found.dtype, found.any()) == ((5, 3), np.int32, False)
    found[2] = 7
    assert found.sum() == 21
    whole = found
    while isinstance(whole.base, np.ndarray):
        whole = whole.base
    assert isinstance(getattr(whole.base, "obj", whole.base), mmap.mmap) == small
    assert mapped.zeros(0, np.uint8).shape == (0,)


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 300])
def test_a_shuffle_is_the_permutation(count, small):
    one, other = (np.random.Generator(np.random.Philox(key=[3, 1])) for _ in range(2))
    assert mapped.shuffled(count, one).tolist() == other.permutation(count).tolist()
    assert one.random() == other.random()


def test_what_is_done_in_spans_is_what_is_done_at_once(small):
    draw = np.random.Generator(np.random.Philox(2))
    values, rows = draw.integers(0, 5, 50), draw.integers(0, 50, 40)
    assert np.array_equal(mapped.taken(values, rows), values[rows])
    table = draw.random((50, 3))
    assert np.array_equal(mapped.taken(table, rows), table[rows])
    assert np.array_equal(mapped.where(values, 3), np.flatnonzero(values == 3))
    assert mapped.where(values, 9).size == 0
    assert np.array_equal(np.concatenate(list(mapped.counted(50))), np.arange(50))
    parts = [values[one] for one in mapped.spans(50)]
    assert len(parts) == (8 if small else 1)
    counts = mapped.counts_of(parts, 6)
    assert np.array_equal(counts, np.bincount(values, minlength=6))
    numbered = zip(mapped.counted(50), parts, strict=True)
    order = mapped.by_kind(numbered, counts, np.uint8)
    assert order.dtype == np.uint8
    assert np.array_equal(order, np.argsort(values, kind="stable"))
