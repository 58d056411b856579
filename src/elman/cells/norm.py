"""Layer normalisation within a step."""

from typing import Any

from elman.ops import mean, sqrt


def standardise(eps: float, *blocks: Any) -> list[Any]:
    """Blocks of H values a row, brought to mean 0 and variance 1 as if they were one vector.

    That is (v - mean) / sqrt(var + eps); gain and shift are the cell's own.
    """
    centre = _average([mean(block) for block in blocks])
    centred = [block - centre for block in blocks]
    variance = _average([mean(block * block) for block in centred])
    scale = 1.0 / sqrt(variance + eps)
    return [block * scale for block in centred]


def _average(values: list[Any]) -> Any:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total if len(values) == 1 else total / float(len(values))
