"""What is written as JSON holds no number that JSON has no word for."""

import json

import numpy as np

from elman.report.plain import plain


def test_what_is_not_finite_is_none_however_deep():
    bad = float("nan"), np.float64("inf"), np.asarray([1.0, -np.inf])
    found = plain({3: [*bad, {"deep": (np.float32(0.5), bad[0])}], "x": "NaN", "n": None})
    assert found == {"3": [None, None, [1.0, None], {"deep": [0.5, None]}], "x": "NaN", "n": None}
    json.dumps(found, allow_nan=False)


def test_whole_numbers_and_truth_stay_what_they_are():
    assert json.dumps(plain({"a": True, "b": 7, "c": np.arange(2)})) == (
        '{"a": true, "b": 7, "c": [0, 1]}'
    )
