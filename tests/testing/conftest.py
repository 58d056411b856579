"""A cell of a user's own, which only the reference engine runs."""

import pytest

from elman.cells import Cell
from elman.ops import tanh


class Leaky(Cell):
    """A leaky unit."""

    gates = ("n",)

    def update(x, u, s, p):
        return 0.9 * s.h + 0.1 * tanh(x.n + u.n)


@pytest.fixture
def leaky() -> type[Cell]:
    return Leaky
