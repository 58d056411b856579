"""Tables, plots and the page: escaped, self-contained, without global state."""

import re
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest

from elman.report import Page, Section, Table, page, plots

EVIL = "<script>alert('x')</script>&\"$\\frac{$ 数"


class Checker(HTMLParser):
    """Every element that opens closes, and nothing is fetched from elsewhere."""

    void = frozenset({"meta", "use", "path", "rect", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href"):
                assert value.startswith("#"), f"{tag} {name}={value}"
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag


def check(html):
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    return checker.seen


def test_a_table_lines_up_and_marks_the_best():
    table = Table("T", ["method", "MAE"], [["GRU", "1.5"], ["naive", "10.25"]], "note", best=0)
    assert table.text().split("\n") == [
        "T",
        "method    MAE",
        "------  -----",
        "GRU       1.5  *",
        "naive   10.25",
        "* best on the test. note",
    ]
    assert "<tr class=best><td>GRU" in table.html()


def test_strings_from_outside_are_escaped_everywhere():
    ax = plots.figure()[1][0]
    plots.forecast(ax, np.arange(3), np.arange(3.0), {}, title=EVIL.replace("数", ""))
    parts = [
        Table(EVIL, [EVIL], [[EVIL]], EVIL).html(),
        page.paragraph(EVIL),
        page.preformatted(EVIL),
        page.definitions([(EVIL, EVIL)]),
        page.figure(plots.svg(ax), EVIL),
        page.figure("", EVIL, above=True),
    ]
    html = Page(EVIL, EVIL, False, tuple(Section(EVIL, part) for part in parts)).html()
    assert "script" not in check(html)
    assert "<script" not in html


def test_nothing_is_cut_off_at_the_right():
    html = Page("t", "v", True, ()).html()
    rules = dict(re.findall(r"^(\w+) \{ (.*) \}$", html, re.MULTILINE))
    assert "white-space: pre-wrap" in rules["pre"]
    assert "white-space: normal" in rules["th"], "a head takes two lines before a column is cut"
    assert "<th>ECE&nbsp;%</th>" in Table("", ["ECE %"], [["1"]]).html()


def test_the_page_needs_nothing_from_elsewhere():
    html = Page("t", "v", True, (Section("h", page.paragraph("p")),)).html()
    check(html)
    assert not re.search(r"url\(|@import|<link|<script|src=", html)
    assert "prefers-color-scheme: dark" in html


@pytest.mark.parametrize(
    "times", [np.arange(5), np.arange("2024-01-01", "2024-01-06", dtype="datetime64[D]")]
)
def test_plots_draw_on_the_axes_given_and_take_the_colour_of_the_text(times):
    _, (ax,) = plots.figure()
    lines = {"model": (times, np.arange(5.0), plots.MODEL)}
    assert plots.forecast(ax, times, np.arange(5.0), lines, starts=times[:1]) is ax
    drawing = plots.svg(plots.legend(ax))
    assert drawing.startswith("<svg")
    assert "currentColor" in drawing
    assert plots.INK not in drawing


def test_learning_curves_are_drawn_from_a_history():
    history = [
        {"step": 10, "loss": 2.0},
        {"step": 10, "metrics": {"MASE": 1.5}, "best": True},
        {"step": 20, "loss": None, "skipped": True},
        {"step": 20, "metrics": {"MASE": 1.7}, "best": False},
    ]
    _, (left, right) = plots.figure(1, 2)
    plots.training_loss(left, history)
    plots.validation(right, history, 1.6, "naive")
    assert left.lines[0].get_xdata().tolist() == [10]
    assert right.lines[1].get_xdata().tolist() == [10], "the dot is on the best"
    for empty in plots.figure(1, 2)[1]:
        plots.validation(plots.training_loss(empty, []), [], 1.0, "naive")


def test_plotting_changes_no_global_setting():
    def settings():
        # Asking for the backend would import pyplot.
        return {k: mpl.rcParams[k] for k in mpl.rcParams if k != "backend"}

    before, pyplot = settings(), "matplotlib.pyplot" in sys.modules
    times = np.arange(3)
    plots.svg(plots.legend(plots.forecast(plots.figure()[1][0], times, times, {})))
    assert settings() == before
    assert ("matplotlib.pyplot" in sys.modules) == pyplot


def test_bands_lie_behind_one_another_and_are_darker_inside():
    _, (ax,) = plots.figure()
    times = np.arange(4)
    plots.band(ax, times, times - 2, times + 2, name="95 %")
    assert plots.band(ax, times, times - 1, times + 1, name="80 %", depth=1) is ax
    outer, inner = (drawn.get_alpha() for drawn in ax.collections)
    assert outer < inner
    assert "95 %" in plots.svg(plots.legend(ax))
