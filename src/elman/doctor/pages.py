"""An examination as a section of the HTML page."""

from typing import TYPE_CHECKING

from elman.report import Section, Table, page, plots

if TYPE_CHECKING:
    from elman.doctor.examination import Examination


def section(one: "Examination", heading: str = "What the doctor says") -> Section:
    """Verdicts, numbers and picture."""
    parts = [page.paragraph(one.summary(), "" if one.healthy else "warning")]
    if one.verdicts:
        rows = [
            [v.layer or "model", v.kind if v.ill else f"note: {v.kind}", v.words, v.repair]
            for v in one.verdicts
        ]
        parts.append(Table("", ["layer", "verdict", "what is seen", "repair"], rows).html())
    parts += [page.paragraph(layer.sentence()) for layer in one.layers.values()]
    parts.append(one.table().html())
    if any(layer.memory is not None for layer in one.layers.values()):
        caption = (
            "Left: what an input so many steps back still does to the last output, and gradients "
            "of the state on their way back; dashed: 1 %. Middle: entries of gates and units at "
            f"their ends. Right: the spectrum. Examined on {one.batch}."
        )
        parts.append(page.figure(plots.svg(one.figure().axes[0]), caption))
    return Section(heading, "".join(parts))
