"""A figure that shows itself in a notebook, and in a page."""

import io
from typing import TYPE_CHECKING

from elman.report import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown:
    """A figure that was made without pyplot, for the last line of a notebook's cell.

    Args:
        figure: such as the first of what `elman.report.plots.figure` returns.

    Example:
        >>> drawn, (ax,) = plots.figure()
        >>> Shown(drawn)._repr_png_()[1:4]
        b'PNG'
    """

    def __init__(self, figure: "Figure") -> None:
        self.figure = figure

    def svg(self) -> str:
        """Inline SVG whose ink is the colour of the text around it."""
        return plots.svg(self.figure.axes[0])

    def _repr_png_(self) -> bytes:
        """What notebooks ask for."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=110, facecolor="white")
        return file.getvalue()
