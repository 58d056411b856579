"""Small tables of results, as text and as HTML."""

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Table:
    """Rows of text under heads; the first column is set left, the others right.

    - `note`: a line below.
    - `best`: the row that stands out, if any.
    """

    title: str
    heads: list[str]
    rows: list[list[str]]
    note: str = ""
    best: int | None = None

    def text(self) -> str:
        """For a terminal or a pipe."""
        widths = [
            max(len(row[k]) for row in [self.heads, *self.rows]) for k in range(len(self.heads))
        ]
        lines = [self.title] if self.title else []
        lines += [_line(self.heads, widths), "  ".join("-" * width for width in widths)]
        for k, row in enumerate(self.rows):
            lines.append(_line(row, widths) + ("  *" if k == self.best else ""))
        marked = "* best on the test. " if self.best is not None else ""
        return "\n".join([*lines, *([marked + self.note] if marked or self.note else [])])

    def html(self) -> str:
        """A `<table>` with every cell escaped; a head may take two lines, but keeps its unit."""
        head = "".join(f"<th>{escape(name).replace(' %', '&nbsp;%')}</th>" for name in self.heads)
        body = "".join(
            f"<tr{' class=best' if k == self.best else ''}>"
            + "".join(f"<td>{escape(cell)}</td>" for cell in row)
            + "</tr>"
            for k, row in enumerate(self.rows)
        )
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        note = f"<p class=note>{escape(self.note)}</p>" if self.note else ""
        return f"<div class=wide>{table}</div>{note}"


def _line(cells: list[str], widths: list[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "  ".join([first, *rest])
