"""`elman cells`."""

import re

import pytest

from command_line import elman
from elman import Cell
from elman.cells import builtin
from elman.ops import tanh


class Mine(Cell):
    gates = ("n",)

    def update(x, u, s, p):
        return s.h + 0.5 * (tanh(x.n + u.n) - s.h)


def test_the_table_has_every_cell_with_its_cost(capsys):
    assert elman("cells", "--hidden", "4", "--inputs", "2", cells=[Mine]) == 0
    shown = capsys.readouterr().out
    for name in [*builtin(), "Mine"]:
        assert re.search(rf"^{name} +\d+( +[\d,]+){{6}}$", shown, re.MULTILINE), name
    assert re.search(r"^GRU +1 +10 +11 +4 +96 ", shown, re.MULTILINE)


def test_one_cell_is_shown_with_its_tape(capsys):
    assert elman("cells", "mine", cells=[Mine]) == 0
    assert "new.h = " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [(["grv"], "Did you mean GRU"), (["--hidden", "0"], "--hidden: must be a whole number")],
)
def test_mistakes_are_explained(capsys, words, said):
    assert elman("cells", *words) == 2
    assert said in capsys.readouterr().err
