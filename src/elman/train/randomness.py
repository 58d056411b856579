"""Random draws that depend on the seed and the step, and leave the caller's generators alone."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def forked_generators(device: torch.device) -> Iterator[None]:
    """Within, torch's generators (CPU's and `device`'s) may be used; after, they are back."""
    if device.type == "cpu":
        with torch.random.fork_rng(devices=[]):
            yield
        return
    with torch.random.fork_rng(devices=[device], device_type=device.type):
        yield


def seed_step(seed: int, step: int, device: torch.device) -> None:
    """Seed the generators for step `step`: the same draws whether or not the run was resumed."""
    mixed = int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)
    torch.default_generator.manual_seed(mixed)
    if device.type != "cpu":
        with torch.get_device_module(device).device(device):
            torch.get_device_module(device).manual_seed(mixed)
