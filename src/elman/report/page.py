"""The HTML page of a run: one file, without scripts, fonts or images from elsewhere."""

from dataclasses import dataclass
from html import escape
from importlib.resources import files


@dataclass(frozen=True)
class Section:
    """A heading and HTML below it: `Table.html`, `plots.svg` and `paragraph` are safe."""

    heading: str
    html: str


@dataclass(frozen=True)
class Page:
    """What is at the top of the page, and its sections.

    - `verdict`: the first sentence: what the run came to.
    - `good`: whether that is good news.
    """

    title: str
    verdict: str
    good: bool
    sections: tuple[Section, ...]

    def html(self) -> str:
        """The whole page. Every string from outside is escaped."""
        style = (files("elman.report") / "page.css").read_text(encoding="utf-8")
        body = "\n".join(
            f"<section><h2>{escape(section.heading)}</h2>\n{section.html}</section>"
            for section in self.sections
        )
        kind = "good" if self.good else "bad"
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>\n{style}</style></head>\n<body><main>\n"
            f"<h1>{escape(self.title)}</h1>\n"
            f'<p class="verdict {kind}">{escape(self.verdict)}</p>\n{body}\n</main></body></html>\n'
        )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{f' class={kind}' if kind else ''}>{escape(text)}</p>"


def preformatted(text: str) -> str:
    """Text as it is, in a fixed pitch."""
    return f"<pre>{escape(text)}</pre>"


def figure(svg: str, caption: str = "", above: bool = False) -> str:
    """A drawing with a caption below it, or a name above."""
    words = f"<figcaption{' class=name' if above else ''}>{escape(caption)}</figcaption>"
    parts = [words, svg] if above else [svg, words]
    return f"<figure>{''.join(parts if caption else [svg])}</figure>"


def definitions(pairs: list[tuple[str, str]]) -> str:
    """Names and what they are, side by side."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in pairs)
    return f"<dl>{rows}</dl>"
