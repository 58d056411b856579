"""What JSON can hold."""

import math
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """The value in dicts, lists and numbers; those that are not finite, as JSON has none, are None.

    Example:
        >>> plain({1: (0.5, float("inf")), "a": np.arange(2)})
        {'1': [0.5, None], 'a': [0, 1]}
    """
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, tuple | list):
        return [plain(entry) for entry in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
