"""A step costs the same memory at the twenty-thousandth input as at the thousandth."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

STATM = Path("/proc/self/statm")
STREAM = """
import gc, json
from pathlib import Path
import torch
from elman.nn import Recurrent

layer = Recurrent("MinGRU", 8, 256).eval()
x = torch.randn(1, 8)

def held_after(steps, state):
    with torch.inference_mode():
        for _ in range(steps):
            _, state = layer.step(x, state)
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096, len(gc.get_objects()), state

bytes_early, objects_early, state = held_after(1000, layer.initial_state(1))
bytes_late, objects_late, _ = held_after(19_000, state)
print(json.dumps([bytes_late - bytes_early, objects_late - objects_early]))
"""


@pytest.mark.skipif(not STATM.exists(), reason="needs /proc")
def test_a_long_stream_holds_no_more_memory_than_a_short_one() -> None:
    # In a process of its own: what earlier tests left behind changes its memory meanwhile.
    command = [sys.executable, "-c", STREAM]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    more_bytes, more_objects = json.loads(found.stdout)
    # One state kept a step would be 19 000 * 256 floats, some 20 MB, and 19 000 objects.
    assert more_bytes < 2_000_000
    assert more_objects < 1000
