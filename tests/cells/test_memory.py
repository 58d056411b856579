"""A step costs the same memory at the twenty-thousandth input as at the thousandth."""

import gc
from pathlib import Path

import pytest
import torch

from elman.nn import Recurrent

STATM = Path("/proc/self/statm")


@pytest.mark.skipif(not STATM.exists(), reason="needs /proc")
def test_a_long_stream_holds_no_more_memory_than_a_short_one() -> None:
    layer = Recurrent("MinGRU", 8, 256).eval()
    x = torch.randn(1, 8)

    def held_after(steps: int, state):
        with torch.inference_mode():
            for _ in range(steps):
                _, state = layer.step(x, state)
        gc.collect()
        return int(STATM.read_text().split()[1]) * 4096, len(gc.get_objects()), state

    bytes_early, objects_early, state = held_after(1000, layer.initial_state(1))
    bytes_late, objects_late, _ = held_after(19_000, state)
    # One state kept a step would be 19 000 * 256 floats, some 20 MB, and 19 000 objects. What
    # earlier tests left may meanwhile be moved to large pages, 2 MiB at a time.
    assert bytes_late - bytes_early < 8_000_000
    assert objects_late - objects_early < 1000
