"""Every demonstration runs, as a page and as a notebook."""

import base64
import json
import re

import pytest
import torch

from elman.demo import Code, Lesson, Text, lessons, teach
from elman.demo.notebook import notebook
from elman.demo.pages import page
from elman.report import plots
from elman.report.shown import Shown

LESSONS = lessons()


@pytest.fixture(scope="module", params=sorted(LESSONS))
def taught(request):
    lesson = LESSONS[request.param]
    return teach(lesson, lesson.least)


def test_those_that_were_promised_are_there():
    assert {"vanishing", "gates", "clipping", "memory", "your-cell"} <= set(LESSONS)


def test_each_shows_pictures(taught):
    pictures = [picture for ran in taught.ran for picture in ran.pictures]
    assert pictures
    for picture in pictures:
        assert any(ax.lines or ax.images for ax in picture.figure.axes)


def test_the_page_has_the_code_the_words_and_the_pictures(taught):
    html = page(taught).html()
    assert html.count("<svg") == sum(len(ran.pictures) for ran in taught.ran)
    headings = re.findall(r"^## (.*)$", "".join(p.text for p in taught.lesson.parts), re.MULTILINE)
    assert len(headings) > 2
    for heading in headings:
        assert f"<h2>{heading}" in html.replace("&#x27;", "'")
    assert "import torch" in html
    assert "`" not in re.sub(r"<pre>.*?</pre>|<svg.*?</svg>", "", html, flags=re.DOTALL)


def test_the_notebook_is_one_and_its_cells_run_on_their_own(taught):
    book = json.loads(notebook(taught))
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    cells = book["cells"]
    names = [cell["id"] for cell in cells]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert {"cell_type", "id", "metadata", "source"} == set(cells[0])
    outputs = [output for cell in code for output in cell["outputs"]]
    drawn = [o["data"]["image/png"] for o in outputs if o["output_type"] == "display_data"]
    assert drawn
    assert all(base64.b64decode(one)[1:4] == b"PNG" for one in drawn)
    # As a reader would run it, but for how much is done: in order, in one namespace.
    namespace = {"__name__": "__main__"}
    for k, cell in enumerate(code):
        exec("".join(cell["source"]), namespace)
        if not k:
            namespace |= taught.lesson.least


def test_threads_and_random_numbers_stay_as_they_were():
    state = torch.random.get_rng_state()
    teach(Lesson("x", "X", "x", (Code("import torch; torch.manual_seed(3); torch.randn(3)"),)))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_what_is_shown_is_what_was_printed_and_the_last_value():
    parts = (Code("a = 2\nb = 3"), Text("## Next\n\nSome *words* & `code`."), Code("print(a)\nb"))
    found = teach(Lesson("x", "X", "x", parts), {"a": 5})
    assert [ran.printed for ran in found.ran] == ["", "5\n3\n"]
    html = page(found).html()
    assert "<h2>Next</h2>" in html
    assert "&amp; <code>code</code>" in html


def test_a_change_of_what_is_not_set_is_refused():
    with pytest.raises(ValueError, match="must be among a; got 'c'"):
        teach(Lesson("x", "X", "x", (Code("a = 2"),)), {"c": 1})


def test_a_figure_shows_itself_in_both_ways():
    drawn, (ax,) = plots.figure()
    ax.plot([1, 2])
    assert Shown(drawn)._repr_png_().startswith(b"\x89PNG")
    assert "currentColor" in Shown(drawn).svg()
