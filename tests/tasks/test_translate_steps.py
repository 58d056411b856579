"""A decoder that is stepped many times, as a search does, says what its single steps say."""

import numpy as np
import pytest
import torch

from elman.cells import GRU, LSTM
from elman.state import map_leaves
from elman.tasks.translating.batches import batch
from elman.tasks.translating.network import Memory, TranslationNetwork


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("cell", ["GRU", "LSTM"])
@torch.no_grad()
def test_many_steps_are_single_steps_of_beams_that_share_a_source(cell, rows):
    torch.manual_seed(0)
    own = TranslationNetwork({"GRU": GRU, "LSTM": LSTM}[cell], 20, 8, 12).eval().double()
    pairs = [(np.array([5, 6, 7, 8]), np.array([7])), (np.array([8]), np.array([9]))][:rows]
    x, step = batch(pairs), own.stepper()
    state, memory = own.encode(x.source, x.lengths)
    state = map_leaves(lambda one: one.repeat_interleave(3, 0), state)
    apart = Memory(*(part.repeat_interleave(3, 0) for part in memory))
    other = state
    for t in range(4):
        token = torch.arange(3 * rows) + t
        found, state = step(token, state, memory)
        expected, other = own.step(token, other, apart)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    fewer, _ = own.encode(x.source[:1, :5], x.lengths[:1])  # another source, after it
    torch.testing.assert_close(
        step(token[:1], fewer, Memory(*(part[:1] for part in memory)))[0],
        own.step(token[:1], fewer, Memory(*(part[:1] for part in memory)))[0],
        rtol=0,
        atol=1e-12,
    )
