"""Tables, plots and the HTML page: what results look like."""

from elman.report.page import Page, Section
from elman.report.tables import Table

__all__ = ["Page", "Section", "Table"]
