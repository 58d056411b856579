"""A lesson as an HTML page."""

import re
from html import escape

from elman.demo.lesson import Code, Ran, Taught
from elman.report import Page, Section
from elman.report import page as parts


def page(taught: Taught) -> Page:
    """The text, the code and what came of it; each heading begins a section."""
    lesson = taught.lesson
    sections: list[Section] = []
    heading, html = "What this shows", ""
    ran = iter(taught.ran)
    for part in lesson.parts:
        if isinstance(part, Code):
            html += parts.preformatted(part.text.strip()) + _came(next(ran))
            continue
        for block in re.split(r"\n\s*\n", part.text.strip()):
            if block.startswith("## "):
                sections += [Section(heading, html)] if html else []
                heading, html = block.removeprefix("## ").strip(), ""
            else:
                html += _block(block)
    sections.append(Section(heading, html))
    return Page(lesson.title, lesson.words, True, tuple(sections))


def _came(ran: Ran) -> str:
    printed = parts.preformatted(ran.printed.rstrip()) if ran.printed.strip() else ""
    return printed + "".join(parts.figure(picture.svg()) for picture in ran.pictures)


def _block(text: str) -> str:
    """A paragraph, or a list whose lines begin with a dash."""
    if text.startswith("- "):
        items = re.split(r"\n- ", text.removeprefix("- "))
        return "<ul>" + "".join(f"<li>{_marked(item)}</li>" for item in items) + "</ul>"
    return f"<p>{_marked(text)}</p>"


def _marked(text: str) -> str:
    """Code and bold face; all else is escaped."""
    plain = escape(" ".join(text.split()))
    coded = re.sub(r"`([^`]+)`", r"<code>\1</code>", plain)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", coded)
