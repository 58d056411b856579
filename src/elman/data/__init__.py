"""Files and DataFrames to series on a regular grid, with words for what was understood."""

from elman.data.clock import Clock
from elman.data.demo import DEMO_FILES, demo_file
from elman.data.errors import DataError
from elman.data.frequency import Frequency, parse_frequency
from elman.data.panel import Calendar, Names, Panel, Series, Understood
from elman.data.reading import read_panel

__all__ = [
    "DEMO_FILES",
    "Calendar",
    "Clock",
    "DataError",
    "Frequency",
    "Names",
    "Panel",
    "Series",
    "Understood",
    "demo_file",
    "parse_frequency",
    "read_panel",
]
