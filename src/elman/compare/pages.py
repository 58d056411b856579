"""The HTML page of a comparison."""

from elman.compare.comparison import Comparison
from elman.compare.trial import Contestant
from elman.report import Page, Section, Table, plots
from elman.report import page as parts


def page(one: Comparison, settings: str = "") -> Page:
    """The verdict, the picture, the table, what was tuned, and how it was compared."""
    names = ", ".join(c.name for c in one.contestants)
    words = "".join(parts.paragraph(text) for text in one.remarks())
    drawing = plots.svg(one.figure().axes[0])
    sections = [
        Section("Quality and cost", one.table().html() + words),
        Section("The picture", parts.figure(drawing)),
        Section("How it was compared", _how(one)),
        Section("Data", parts.preformatted("\n".join(one.understood))),
    ]
    if one.settings.tune > 1:
        sections.insert(2, Section("Settings that were tried", _tuned(one).html()))
    if settings:
        sections.append(Section("Settings", parts.preformatted(settings)))
    title = f"{one.task}, {one.data}: {names}"
    return Page(title, one.verdict(), one.worth_it, tuple(sections))


def _how(one: Comparison) -> str:
    s = one.settings
    matched = {
        "parameters": "as many parameters, and as many steps of training",
        "time": "as many parameters, and as many seconds of training",
    }
    pairs = [
        ("matched in", f"{matched[s.match]}, as {one.contestants[0].name}"),
        ("tuning", f"{s.tune} setting{'s' * (s.tune > 1)} each, the same; validation chooses"),
        ("seeds", f"{s.seeds} for the table, {s.curve_seeds} for a point of the curves"),
        ("a step", f"{one.step}; {one.steps} of them are seen before a prediction"),
    ]
    return parts.definitions(pairs)


def _tuned(one: Comparison) -> Table:
    heads = ["network", "lr", "share of the parameters", "dropout", f"{one.metric} on validation"]
    rows = [_tried(c, k) for c in one.contestants for k in range(len(c.tried))]
    return Table("", heads, rows, "Marked with *: what was chosen.")


def _tried(one: Contestant, k: int) -> list[str]:
    draw, score = one.tried[k].draw, one.tried[k].score
    mark = " *" if draw == one.draw else ""
    name = one.name if not k else ""
    return [name, f"{draw.lr:g}", f"{draw.share:.0%}", f"{draw.dropout:g}", f"{score:.4f}{mark}"]
