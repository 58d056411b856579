"""Times of a long table that are numbers with fractions."""

import numpy as np
import pytest

from elman import Classifier
from elman.data import DataError

TIMES = (1, 2, 5, 6, 9)
MODEL = Classifier(id="id", time="t", label="kind")


def table(times):
    """Two sequences with the same times."""
    both = [*times, *times]
    ids = ["a"] * len(times) + ["b"] * len(times)
    kinds = ["slow"] * len(times) + ["fast"] * len(times)
    return {"id": ids, "t": both, "x": np.arange(len(both)) * 0.5, "kind": kinds}


@pytest.mark.parametrize(
    "times", [[t / 4 for t in TIMES], [f"{t / 4:.2f}" for t in TIMES]], ids=["numbers", "text"]
)
def test_gaps_are_what_lies_between_the_times(times):
    found = MODEL.read(table(times))
    for own in found.gaps:
        assert own.tolist() == [0.0, 0.25, 0.75, 0.25, 0.75]
    assert found.columns == ("x",)


def test_gaps_of_whole_numbers_are_in_the_same_unit():
    for own in MODEL.read(table(list(TIMES))).gaps:
        assert own.tolist() == [0, 1, 3, 1, 3]


def test_rows_are_put_in_the_order_of_the_times():
    given = table([0.5, 10.5, 9.5])
    for own, first in zip(MODEL.read(given).inputs, (0.0, 1.5), strict=True):
        assert own[:, 0].tolist() == [first, first + 1.0, first + 0.5]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (["0.5", "", "1.5"], r"row 1, column 't': a time is needed in each row; got an empty cell"),
        ([0.5, None, 1.5], r"row 1, column 't': a time is needed in each row; got an empty cell"),
        ([0.5, 1.5, 1.5], r"row 2: a time occurs once in each id; got 1\.5 twice in 'a'"),
        (["0.5", "1.5", "soon"], r"row 2, column 't': .*'soon'"),
    ],
)
def test_times_that_cannot_be_used_are_refused(times, expected):
    with pytest.raises(DataError, match=expected):
        MODEL.read(table(times))
