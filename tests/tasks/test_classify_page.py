"""What the report of a classifier says of single examples and of where the parts came from."""

import re
from html import unescape

import numpy as np
import pytest

from elman import Classifier
from elman.report import plots
from elman.tasks.classifying import page
from elman.tasks.classifying.drawing import LINES, how_sure, sequence

SMALL = {"hidden": 8, "embedding": 8, "epochs": 4, "lr": 0.03, "min_count": 1, "warmup": 5}
SMALL |= {"no_feedforward": True, "patience": None}
WORDS = ("film", "plot", "music")


def sentences(count=160, seed=0):
    draw = np.random.Generator(np.random.Philox(seed))
    return [" ".join(["a", *draw.choice(WORDS, draw.integers(0, 3)), str(k)]) for k in range(count)]


@pytest.fixture(scope="module")
def several():
    """A model of several labels, some of whose examples have none; its first is never predicted."""
    texts = sentences()
    labels = [";".join(word for word in WORDS if word in text.split()) for text in texts]
    return Classifier(**SMALL, label_separator=";").fit({"text": texts, "label": labels})


def html_of(model, folder, **more):
    return page.build("t", model.settings, model.fitted, folder / "none", "", "", **more)


def test_what_mattered_of_several_labels_is_said_of_what_was_given(several, tmp_path):
    part = html_of(several, tmp_path).split("<h2>What mattered</h2>")[1].split("<h2>")[0]
    heads = [unescape(one) for one in re.findall(r"<p>(.*?)</p>", part)]
    assert heads
    judged, names = several.fitted.judged, several.classes_
    at = {place: k for k, place in enumerate(judged.examples.places)}
    for head in heads:
        form = r"(row \d+): (.+); it is (.+); in colour, what speaks for (\w+), (\d+)% sure"
        place, given, true, likeliest, sure = re.fullmatch(form, head).groups()
        row, flags = judged.found[at[place]], judged.flags[at[place]]
        assert given == (", ".join(names[k] for k in np.flatnonzero(row >= 0.5)) or "none")
        assert true == ", ".join(names[k] for k in np.flatnonzero(flags))
        assert likeliest == names[row.argmax()]
        assert int(sure) == pytest.approx(100 * row.max(), abs=1)


def test_examples_that_are_shown_are_of_each_class(several):
    judged, found = (
        several.fitted.judged,
        page._varied(several.fitted, several.settings, several.fitted.judged),
    )
    assert judged.flags[found].any(1).all(), "one without a label is of no class"
    assert judged.flags[found].any(0).all()
    assert not judged.flags.any(1).all(), "there are such"


def test_of_several_labels_a_picture_counts_each_class(several):
    _, (left, right) = plots.figure(1, 2)
    assert how_sure(left, several.fitted, True).get_title(loc="left") == "examples times classes"
    assert how_sure(right, several.fitted, False).get_title(loc="left") == "examples"
    heights = sum(bar.get_height() for bar in left.patches)
    assert heights == several.fitted.judged.flags.size


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "drawn so that each class has its share, and equal examples are in one part"),
        ({"test": "b.csv"}, "test from b.csv; the others drawn so that each class has its share"),
        ({"validation": "a.csv", "test": "b.csv"}, "validation from a.csv; test from b.csv</dd>"),
    ],
)
def test_the_report_says_where_the_parts_came_from(files, expected, several, tmp_path):
    html = html_of(several, tmp_path, files=files)
    assert f"<dt>parts</dt><dd>{expected}" in html
    assert "shows under the pointer. From the table." in html


def test_mistakes_of_numbers_are_drawn(tmp_path):
    draw = np.random.Generator(np.random.Philox(1))
    rows = [(k, x, -x, k % 2) for k in range(60) for x in draw.standard_normal(5)]
    table = dict(
        zip(("id", "up", "down", "label"), map(list, zip(*rows, strict=True)), strict=True)
    )
    model = Classifier(**SMALL | {"epochs": 1}, id="id", label="label").fit(table)
    judged = model.fitted.judged
    part = html_of(model, tmp_path).split("<h2>Worst mistakes</h2>")[1].split("<h2>")[0]
    wrong = int((judged.found.argmax(1) != judged.flags.argmax(1)).sum())
    assert wrong, "noise is not learnt"
    assert len(re.findall(r'<g id="axes_\d+">', part)) == min(6, wrong)
    assert "in standard deviations of the training part: up in blue, down in orange." in part


def test_a_sequence_is_drawn_as_it_is():
    _, (ax,) = plots.figure()
    sequence(ax, [[1.0, 4.0], [np.nan, 5.0], [3.0, 6.0]], "id a$b$")
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert ax.lines[1].get_ydata().tolist() == [4.0, 5.0, 6.0]
    assert [line.get_color() for line in ax.lines] == list(LINES)[:2]
    assert ax.get_title(loc="left") == "id a$b$"
    assert all(tick == int(tick) for tick in ax.get_xticks())
    assert sequence(ax, [[1.0]], "a" * 99).get_title(loc="left") == "a" * 33 + "..."
    plots.svg(sequence(ax, [[1.0]], "數: да, é"))  # a glyph that is missing would warn
    assert ax.get_title(loc="left") == "?: да, é"
