"""Text coloured by surprise."""

import pytest

from elman.report.surprise import MOST, coloured


def test_what_costs_more_is_darker_and_everything_is_escaped():
    html = coloured(["a", "<b>", "\n"], [0.0, 3.6, 20.0])
    assert "<b>" not in html
    assert html.startswith("<pre class=surprise>a<span")
    assert '<span class=s4 title="3.6 bits">&lt;b&gt;</span>' in html
    assert '<span class=s9 title="20.0 bits">↵\n</span>' in html


def test_a_long_text_is_cut_and_it_is_said():
    html = coloured(["x"] * (MOST + 5), [1.0] * (MOST + 5))
    assert html.count(">x<") == MOST
    assert "5 more are not drawn" in html


def test_as_many_bits_as_pieces():
    with pytest.raises(ValueError, match="got 1 for 2"):
        coloured(["a", "b"], [1.0])
